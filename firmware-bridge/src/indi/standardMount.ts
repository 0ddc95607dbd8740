/** Standard properties of mounts and of guide ports. */
import type { StandardTable } from './standard.ts'

export const mountProperties = {
  EQUATORIAL_EOD_COORD: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Where the mount points, equator and equinox of date; writing it slews or syncs',
    elements: { RA: ['h', 'right ascension'], DEC: ['°', 'declination'] },
  },
  EQUATORIAL_COORD: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Where the mount points, J2000; writing it slews or syncs',
    elements: { RA: ['h', 'right ascension'], DEC: ['°', 'declination'] },
  },
  TARGET_EOD_COORD: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Where the last slew goes, of date',
    elements: { RA: ['h', 'right ascension'], DEC: ['°', 'declination'] },
  },
  HORIZONTAL_COORD: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Where the mount points above the horizon',
    elements: { ALT: ['°', 'altitude'], AZ: ['°', 'azimuth from north through east'] },
  },
  ON_COORD_SET: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'What writing coordinates does',
    elements: { TRACK: ['', 'slew and track'], SLEW: ['', 'slew and stop'], SYNC: ['', 'set without moving'] },
  },
  TELESCOPE_MOTION_NS: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Moves by hand in declination',
    elements: { MOTION_NORTH: ['', 'north'], MOTION_SOUTH: ['', 'south'] },
  },
  TELESCOPE_MOTION_WE: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Moves by hand in right ascension',
    elements: { MOTION_WEST: ['', 'west'], MOTION_EAST: ['', 'east'] },
  },
  TELESCOPE_SLEW_RATE: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Speed of movements by hand, slowest first',
    elements: {},
    more: '',
  },
  TELESCOPE_TIMED_GUIDE_NS: {
    kinds: ['mount', 'guider', 'camera'],
    type: 'number',
    meaning: 'A guide pulse in declination',
    elements: { TIMED_GUIDE_N: ['ms', 'north'], TIMED_GUIDE_S: ['ms', 'south'] },
  },
  TELESCOPE_TIMED_GUIDE_WE: {
    kinds: ['mount', 'guider', 'camera'],
    type: 'number',
    meaning: 'A guide pulse in right ascension',
    elements: { TIMED_GUIDE_W: ['ms', 'west'], TIMED_GUIDE_E: ['ms', 'east'] },
  },
  GUIDE_RATE: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Speed of guide pulses',
    elements: { GUIDE_RATE_WE: ['× sidereal', 'right ascension'], GUIDE_RATE_NS: ['× sidereal', 'declination'] },
  },
  TELESCOPE_PARK: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Parks and unparks',
    elements: { PARK: ['', 'parked'], UNPARK: ['', 'not parked'] },
  },
  TELESCOPE_PARK_POSITION: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Where the mount parks',
    elements: {
      PARK_HA: ['h', 'hour angle'],
      PARK_RA: ['h', 'right ascension'],
      PARK_DEC: ['°', 'declination'],
      PARK_AZ: ['°', 'azimuth'],
      PARK_ALT: ['°', 'altitude'],
    },
  },
  TELESCOPE_PARK_OPTION: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Changes the park position',
    elements: {
      PARK_CURRENT: ['', 'here'],
      PARK_DEFAULT: ['', 'default'],
      PARK_WRITE_DATA: ['', 'save'],
      PARK_PURGE_DATA: ['', 'forget'],
    },
  },
  TELESCOPE_HOME: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Home position',
    elements: {
      FIND: ['', 'search it with the sensors'],
      SET: ['', 'it is here'],
      GO: ['', 'go there'],
    },
  },
  TELESCOPE_ABORT_MOTION: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Stops every motion',
    elements: { ABORT: ['', 'stop'] },
  },
  TELESCOPE_TRACK_STATE: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Tracking',
    elements: { TRACK_ON: ['', 'on'], TRACK_OFF: ['', 'off'] },
  },
  TELESCOPE_TRACK_MODE: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'What is tracked',
    elements: {
      TRACK_SIDEREAL: ['', 'stars'],
      TRACK_SOLAR: ['', 'Sun'],
      TRACK_LUNAR: ['', 'Moon'],
      TRACK_CUSTOM: ['', 'the rate of TELESCOPE_TRACK_RATE'],
    },
  },
  TELESCOPE_TRACK_RATE: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'Speeds of the axes when tracking at a custom rate',
    elements: { TRACK_RATE_RA: ['″/s', 'hour angle'], TRACK_RATE_DE: ['″/s', 'declination'] },
  },
  TELESCOPE_PIER_SIDE: {
    kinds: ['mount'],
    type: 'switch',
    meaning: 'Side of the pier that the telescope is on',
    elements: { PIER_WEST: ['', 'west, pointing east'], PIER_EAST: ['', 'east, pointing west'] },
  },
  TELESCOPE_INFO: {
    kinds: ['mount'],
    type: 'number',
    meaning: 'The telescope and its guide scope',
    elements: {
      TELESCOPE_APERTURE: ['mm', 'aperture'],
      TELESCOPE_FOCAL_LENGTH: ['mm', 'focal length'],
      GUIDER_APERTURE: ['mm', 'aperture of the guide scope'],
      GUIDER_FOCAL_LENGTH: ['mm', 'focal length of the guide scope'],
    },
  },
} as const satisfies StandardTable

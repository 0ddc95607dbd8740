/** Standard properties of domes and roll-off roofs. */
import type { StandardTable } from './standard.ts'

export const enclosureProperties = {
  DOME_SHUTTER: {
    kinds: ['roof'],
    type: 'switch',
    meaning: 'Shutter of the dome',
    elements: { SHUTTER_OPEN: ['', 'open'], SHUTTER_CLOSE: ['', 'closed'] },
  },
  DOME_PARK: {
    kinds: ['roof'],
    type: 'switch',
    meaning: 'Parks a dome; a roll-off roof is closed by parking',
    elements: { PARK: ['', 'parked'], UNPARK: ['', 'not parked'] },
  },
  DOME_MOTION: {
    kinds: ['roof'],
    type: 'switch',
    meaning: 'Turns a dome by hand; a roll-off roof opens (CW) and closes (CCW)',
    elements: { DOME_CW: ['', 'clockwise'], DOME_CCW: ['', 'counter-clockwise'] },
  },
  ABS_DOME_POSITION: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'Where the opening points; writing it turns the dome',
    elements: { DOME_ABSOLUTE_POSITION: ['°', 'azimuth from north through east'] },
  },
  REL_DOME_POSITION: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'Turns by so much',
    elements: { DOME_RELATIVE_POSITION: ['°', 'angle'] },
  },
  DOME_ABORT_MOTION: {
    kinds: ['roof'],
    type: 'switch',
    meaning: 'Stops every motion',
    elements: { ABORT: ['', 'stop'] },
  },
  DOME_SPEED: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'Speed of the dome',
    elements: { DOME_SPEED_VALUE: ['', 'revolutions per minute'] },
  },
  DOME_PARK_POSITION: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'Where the dome parks',
    elements: { PARK_AZ: ['°', 'azimuth'] },
  },
  DOME_PARAMS: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'How closely the dome follows the mount',
    elements: { AUTOSYNC_THRESHOLD: ['°', 'threshold'] },
  },
  DOME_AUTOSYNC: {
    kinds: ['roof'],
    type: 'switch',
    meaning: 'The dome follows the mount',
    elements: { DOME_AUTOSYNC_ENABLE: ['', 'on'], DOME_AUTOSYNC_DISABLE: ['', 'off'] },
  },
  DOME_MEASUREMENTS: {
    kinds: ['roof'],
    type: 'number',
    meaning: 'Sizes of dome and mount',
    elements: {
      DM_DOME_RADIUS: ['m', 'radius'],
      DM_SHUTTER_WIDTH: ['m', 'width of the opening'],
      DM_NORTH_DISPLACEMENT: ['m', 'mount north of the centre'],
      DM_EAST_DISPLACEMENT: ['m', 'mount east of the centre'],
      DM_UP_DISPLACEMENT: ['m', 'mount above the centre'],
      DM_OTA_OFFSET: ['m', 'telescope beside the axis'],
    },
  },
  'ROOF STATUS': {
    kinds: ['roof'],
    type: 'light',
    meaning: 'End switches of a roll-off roof (indi_rolloffino)',
    elements: {
      ROOF_OPENED: ['', 'fully open'],
      ROOF_CLOSED: ['', 'fully closed'],
      ROOF_MOVING: ['', 'moves'],
      ROOF_LOCK: ['', 'locked from outside'],
      ROOF_AUXILIARY: ['', 'auxiliary'],
    },
  },
} as const satisfies StandardTable

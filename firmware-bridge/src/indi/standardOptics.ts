/** Standard properties of focusers, filter wheels, rotators, dust caps and light boxes. */
import type { StandardTable } from './standard.ts'

export const opticsProperties = {
  ABS_FOCUS_POSITION: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Where the focuser stands; writing it moves it',
    elements: { FOCUS_ABSOLUTE_POSITION: ['steps', 'position'] },
  },
  REL_FOCUS_POSITION: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Moves by so much, in the direction of FOCUS_MOTION',
    elements: { FOCUS_RELATIVE_POSITION: ['steps', 'distance'] },
  },
  FOCUS_MOTION: {
    kinds: ['focuser'],
    type: 'switch',
    meaning: 'Direction of relative moves',
    elements: { FOCUS_INWARD: ['', 'towards the telescope'], FOCUS_OUTWARD: ['', 'away from it'] },
  },
  FOCUS_TIMER: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Moves for so long',
    elements: { FOCUS_TIMER_VALUE: ['ms', 'time'] },
  },
  FOCUS_SPEED: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Speed, the focuser’s own steps',
    elements: { FOCUS_SPEED_VALUE: ['', 'speed'] },
  },
  FOCUS_MAX: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Farthest position',
    elements: { FOCUS_MAX_VALUE: ['steps', 'position'] },
  },
  FOCUS_SYNC: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Tells the focuser that it stands here',
    elements: { FOCUS_SYNC_VALUE: ['steps', 'position'] },
  },
  FOCUS_ABORT_MOTION: {
    kinds: ['focuser'],
    type: 'switch',
    meaning: 'Stops the focuser',
    elements: { ABORT: ['', 'stop'] },
  },
  FOCUS_TEMPERATURE: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Temperature at the focuser',
    elements: { TEMPERATURE: ['°C', 'temperature'] },
  },
  FOCUS_BACKLASH_TOGGLE: {
    kinds: ['focuser'],
    type: 'switch',
    meaning: 'Takes out the backlash',
    elements: { INDI_ENABLED: ['', 'on'], INDI_DISABLED: ['', 'off'] },
  },
  FOCUS_BACKLASH_STEPS: {
    kinds: ['focuser'],
    type: 'number',
    meaning: 'Backlash',
    elements: { FOCUS_BACKLASH_VALUE: ['steps', 'backlash'] },
  },
  FILTER_SLOT: {
    kinds: ['filterWheel', 'camera'],
    type: 'number',
    meaning: 'Filter in the beam; writing it turns the wheel',
    elements: { FILTER_SLOT_VALUE: ['', 'slot, from 1'] },
  },
  FILTER_NAME: {
    kinds: ['filterWheel', 'camera'],
    type: 'text',
    meaning: 'Names of the filters, slot by slot',
    elements: {},
    more: '',
  },
  ABS_ROTATOR_ANGLE: {
    kinds: ['rotator'],
    type: 'number',
    meaning: 'Where the rotator stands; writing it turns it',
    elements: { ANGLE: ['°', 'angle'] },
  },
  SYNC_ROTATOR_ANGLE: {
    kinds: ['rotator'],
    type: 'number',
    meaning: 'Tells the rotator that it stands here',
    elements: { ANGLE: ['°', 'angle'] },
  },
  ROTATOR_ABORT_MOTION: {
    kinds: ['rotator'],
    type: 'switch',
    meaning: 'Stops the rotator',
    elements: { ABORT: ['', 'stop'] },
  },
  ROTATOR_REVERSE: {
    kinds: ['rotator'],
    type: 'switch',
    meaning: 'Counts the other way round',
    elements: { INDI_ENABLED: ['', 'reversed'], INDI_DISABLED: ['', 'as built'] },
  },
  CAP_PARK: {
    kinds: ['cover'],
    type: 'switch',
    meaning: 'The lid over the telescope',
    elements: { PARK: ['', 'closed'], UNPARK: ['', 'open'] },
  },
  CAP_ABORT: { kinds: ['cover'], type: 'switch', meaning: 'Stops the lid', elements: { ABORT: ['', 'stop'] } },
  FLAT_LIGHT_CONTROL: {
    kinds: ['flatPanel'],
    type: 'switch',
    meaning: 'Light for flats',
    elements: { FLAT_LIGHT_ON: ['', 'on'], FLAT_LIGHT_OFF: ['', 'off'] },
  },
  FLAT_LIGHT_INTENSITY: {
    kinds: ['flatPanel'],
    type: 'number',
    meaning: 'How bright the light for flats is, the panel’s own steps',
    elements: { FLAT_LIGHT_INTENSITY_VALUE: ['steps', 'brightness'] },
  },
} as const satisfies StandardTable

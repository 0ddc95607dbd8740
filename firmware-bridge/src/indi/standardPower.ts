/** Standard properties of power boxes: libindi 2's power and output interfaces. */
import type { StandardTable } from './standard.ts'

export const powerProperties = {
  POWER_CHANNELS: {
    kinds: ['power'],
    type: 'switch',
    meaning: 'Outlets, POWER_CHANNEL_1 and so on',
    elements: {},
    more: '',
  },
  POWER_LABELS: { kinds: ['power'], type: 'text', meaning: 'Names of the outlets', elements: {}, more: '' },
  POWER_CURRENTS: { kinds: ['power'], type: 'number', meaning: 'Current of each outlet', elements: {}, more: 'A' },
  POWER_SENSORS: {
    kinds: ['power'],
    type: 'number',
    meaning: 'The whole box',
    elements: {
      SENSOR_VOLTAGE: ['V', 'voltage'],
      SENSOR_CURRENT: ['A', 'current'],
      SENSOR_POWER: ['W', 'power'],
    },
  },
  OVER_VOLTAGE_PROTECTION: {
    kinds: ['power'],
    type: 'number',
    meaning: 'Turns off above this voltage',
    elements: { OVERVOLTAGE: ['V', 'voltage'] },
  },
  POWER_CYCLE: {
    kinds: ['power'],
    type: 'switch',
    meaning: 'Turns everything off and on again',
    elements: { POWER_CYCLE_Toggle: ['', 'now'] },
  },
  DEW_CHANNELS: {
    kinds: ['power'],
    type: 'switch',
    meaning: 'Dew heaters, DEW_CHANNEL_1 and so on',
    elements: {},
    more: '',
  },
  DEW_LABELS: { kinds: ['power'], type: 'text', meaning: 'Names of the dew heaters', elements: {}, more: '' },
  DEW_DUTY_CYCLES: { kinds: ['power'], type: 'number', meaning: 'Duty of each dew heater', elements: {}, more: '%' },
  DEW_CURRENTS: { kinds: ['power'], type: 'number', meaning: 'Current of each dew heater', elements: {}, more: 'A' },
  AUTO_DEW_CONTROL: {
    kinds: ['power'],
    type: 'switch',
    meaning: 'Dew heaters that follow the dew point',
    elements: {},
    more: '',
  },
  USB_PORTS: { kinds: ['power'], type: 'switch', meaning: 'USB ports, USB_PORT_1 and so on', elements: {}, more: '' },
  USB_LABELS: { kinds: ['power'], type: 'text', meaning: 'Names of the USB ports', elements: {}, more: '' },
  VARIABLE_CHANNELS: {
    kinds: ['power'],
    type: 'switch',
    meaning: 'Outlets of adjustable voltage',
    elements: {},
    more: '',
  },
  VARIABLE_LABELS: {
    kinds: ['power'],
    type: 'text',
    meaning: 'Names of the outlets of adjustable voltage',
    elements: {},
    more: '',
  },
  VARIABLE_VOLTAGES: {
    kinds: ['power'],
    type: 'number',
    meaning: 'Voltages of the adjustable outlets',
    elements: {},
    more: 'V',
  },
  DIGITAL_OUTPUT_LABELS: {
    kinds: ['power'],
    type: 'text',
    meaning: 'Names of relays DIGITAL_OUTPUT_1 and so on',
    elements: {},
    more: '',
  },
} as const satisfies StandardTable

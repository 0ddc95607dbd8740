/** Which switches of an INDI device are outlets, and which numbers are dew heaters. */
import type { Values } from '../indi/command.ts'
import type { Property, SwitchProperty } from '../indi/properties.ts'
import type { StandardName } from '../indi/standard.ts'
import type { IndiDevice } from './indiDevice.ts'

export interface FoundPort {
  /** Unique on its device. */
  readonly name: string
  readonly on: boolean
  readonly amps: number | undefined
  readonly property: string
  readonly turnOn: Values
  readonly turnOff: Values
}

interface Place {
  readonly property: string
  readonly element: string
}

export interface FoundHeater extends Place {
  readonly name: string
  /** 0 when its switch is off. */
  readonly percent: number
  readonly switch: Place | undefined
  /** Set while the box follows the dew point by itself. */
  readonly automatic: Place | undefined
}

interface Bank {
  readonly switches: StandardName
  readonly labels: StandardName
  readonly amps?: StandardName
}

/** One switch for each outlet: libindi 2, then the names that Pegasus boxes had before. */
const banks: readonly Bank[] = [
  { switches: 'POWER_CHANNELS', labels: 'POWER_LABELS', amps: 'POWER_CURRENTS' },
  { switches: 'VARIABLE_CHANNELS', labels: 'VARIABLE_LABELS' },
  { switches: 'USB_PORTS', labels: 'USB_LABELS' },
  { switches: 'POWER_CONTROL', labels: 'POWER_CONTROL_LABEL', amps: 'POWER_CURRENT' },
  { switches: 'USB_PORT_CONTROL', labels: 'USB_CONTROL_LABEL' },
]

const heaterBanks = [
  {
    duties: 'DEW_DUTY_CYCLES',
    switches: 'DEW_CHANNELS',
    labels: 'DEW_LABELS',
    automatic: 'AUTO_DEW_CONTROL',
  },
  { duties: 'DEW_PWM', switches: undefined, labels: 'DEW_CONTROL_LABEL', automatic: 'AUTO_DEW' },
] as const satisfies readonly {
  duties: StandardName
  switches?: StandardName | undefined
  labels: StandardName
  automatic?: StandardName | undefined
}[]

/** One vector for one outlet with a switch for each way: relays of libindi 2, `CAMERA_POWER` and the like of single drivers. */
const single = /^(DIGITAL_OUTPUT_\d+|RELAY_?\d+|OUTLET_?\d+|POWER_?\d+|.+_POWER)$/
const ways = [
  ['ON', 'OFF'],
  ['INDI_ENABLED', 'INDI_DISABLED'],
  ['ENABLE', 'DISABLE'],
  ['POWER_ON', 'POWER_OFF'],
] as const

export function powerPorts(device: IndiDevice): readonly FoundPort[] {
  return unique([...banks.flatMap((bank) => bankPorts(device, bank)), ...singlePorts(device)])
}

function bankPorts(device: IndiDevice, bank: Bank): FoundPort[] {
  const property = device.property(bank.switches)
  if (property?.kind !== 'switch' || property.permission === 'ro' || property.rule !== 'AnyOfMany') return []
  return property.elements.map(({ name, label, value }, index) => ({
    name: labelAt(device.property(bank.labels), name, index) || label || name,
    on: value,
    amps: bank.amps === undefined ? undefined : numberAt(device.property(bank.amps), name, index),
    property: property.name,
    turnOn: { [name]: true },
    turnOff: { [name]: false },
  }))
}

function singlePorts(device: IndiDevice): FoundPort[] {
  const properties = [...(device.client.state.devices.get(device.name)?.values() ?? [])]
  const labels = device.property('DIGITAL_OUTPUT_LABELS')
  return properties.flatMap((property) => {
    const way = property.kind === 'switch' && single.test(property.name) ? wayOf(property) : undefined
    if (!way || property.kind !== 'switch' || property.permission === 'ro') return []
    const [on, off] = way
    return {
      name: labelAt(labels, property.name) || property.label || property.name,
      on: property.elements.some((item) => item.name === on && item.value),
      amps: undefined,
      property: property.name,
      turnOn: { [on]: true, [off]: false },
      turnOff: { [on]: false, [off]: true },
    }
  })
}

const wayOf = (property: SwitchProperty): readonly [string, string] | undefined =>
  property.elements.length === 2
    ? ways.find((way) => way.every((name) => property.elements.some((item) => item.name === name)))
    : undefined

export function dewHeaters(device: IndiDevice): readonly FoundHeater[] {
  return unique(
    heaterBanks.flatMap((bank) => {
      const property = device.property(bank.duties)
      if (property?.kind !== 'number' || property.permission === 'ro') return []
      return property.elements.map(({ name, label, value }, index) => {
        const own = switchAt(bank.switches && device.property(bank.switches), name)
        const automatic = switchAt(bank.automatic && device.property(bank.automatic), name)
        return {
          name: labelAt(device.property(bank.labels), name, index) || label || name,
          percent: own?.value === false ? 0 : value,
          property: property.name,
          element: name,
          switch: own?.place,
          automatic: automatic?.value ? automatic.place : undefined,
        }
      })
    }),
  )
}

function switchAt(
  property: Property | undefined,
  element: string,
): { readonly value: boolean; readonly place: Place } | undefined {
  const found = property?.kind === 'switch' ? property.elements.find((item) => item.name === element) : undefined
  return property && found ? { value: found.value, place: { property: property.name, element } } : undefined
}

/** By the element's own name, else by its place: `POWER_LABEL_2` names `POWER_CONTROL_2`. */
function labelAt(property: Property | undefined, element: string, index?: number): string {
  if (property?.kind !== 'text') return ''
  const found =
    property.elements.find((item) => item.name === element) ??
    (index === undefined ? undefined : property.elements[index])
  return found?.value.trim() ?? ''
}

function numberAt(property: Property | undefined, element: string, index: number): number | undefined {
  if (property?.kind !== 'number') return undefined
  const found = property.elements.find((item) => item.name === element) ?? property.elements[index]
  return found && Number.isFinite(found.value) ? found.value : undefined
}

/** Two outlets with one label get a number each. */
function unique<T extends { readonly name: string }>(all: readonly T[]): T[] {
  const seen = new Map<string, number>()
  return all.map((one) => {
    const count = (seen.get(one.name) ?? 0) + 1
    seen.set(one.name, count)
    return count === 1 ? one : { ...one, name: `${one.name} (${count})` }
  })
}

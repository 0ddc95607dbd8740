/** What every driver over INDI needs of its device: standard properties by typed names, age, connection. */
import type { IndiClient, SetOptions, Wanted } from '../indi/client.ts'
import { type Judge, judgeValues, type Value, type Values } from '../indi/command.ts'
import { findNumber, findProperty, findSwitch, findText, lastWords, type Property } from '../indi/properties.ts'
import type { ElementOf, StandardName } from '../indi/standard.ts'
import { failure, type Outcome } from '../outcome.ts'
import type { DeviceState } from './device.ts'

/** What a device with this name shows of the standard; everything is read from the client's state at each call. */
export interface IndiDevice {
  readonly client: IndiClient
  readonly name: string
  /** `source`, `atMs` and `connected`; connected also asks for `needed`, without which the driver has nothing to say. */
  head(needed: StandardName): DeviceState
  property(name: StandardName): Property | undefined
  has<N extends StandardName>(name: N, element?: ElementOf<N>): boolean
  isBusy(name: StandardName): boolean
  number<N extends StandardName>(name: N, element: ElementOf<N>): number | undefined
  /** Undefined where there is no such switch. */
  isOn<N extends StandardName>(name: N, element: ElementOf<N>): boolean | undefined
  text<N extends StandardName>(name: N, element: ElementOf<N>): string | undefined
  set<N extends StandardName>(name: N, values: ValuesOf<N>, options?: SetOptions): Promise<Outcome>
  want<N extends StandardName>(name: N, values: ValuesOf<N> | (() => ValuesOf<N>)): void
  /** The device's last words since `sinceMs`. */
  words(sinceMs: number): string | undefined
}

export type ValuesOf<N extends StandardName> = { readonly [E in ElementOf<N>]?: Value }

/** Connects the device now and whenever it comes back. */
export function openIndiDevice(client: IndiClient, name: string): IndiDevice {
  void client.connectDevice(name)
  const property = (standard: StandardName): Property | undefined => findProperty(client.state, name, standard)
  return {
    client,
    name,
    property,
    head: (needed) => ({
      source: `INDI ${name}`,
      atMs: client.heardAtMs(name),
      connected:
        client.open &&
        property(needed) !== undefined &&
        findSwitch(client.state, name, 'CONNECTION', 'CONNECT') === true,
    }),
    has(standard, element) {
      const found = property(standard)
      return found !== undefined && (element === undefined || found.elements.some((item) => item.name === element))
    },
    isBusy: (standard) => property(standard)?.state === 'Busy',
    number: (standard, element) => findNumber(client.state, name, standard, element),
    isOn: (standard, element) => findSwitch(client.state, name, standard, element),
    text: (standard, element) => findText(client.state, name, standard, element),
    set: (standard, values, options) => client.set(name, standard, values as Values, options),
    want: (standard, values) => client.want(name, standard, values as Wanted),
    words: (sinceMs) => lastWords(client.state, name, sinceMs),
  }
}

/** For switches that go back by themselves when the work is done: Alert refuses, Busy waits, anything else is done. */
export const judgeFinished: Judge = (property) => {
  if (property.state === 'Alert') return { refused: 'the device reports Alert' }
  return property.state === 'Busy' ? 'wait' : 'done'
}

/** What a command that this device does not have resolves to. */
export const cannot = (device: IndiDevice, what: string): Promise<Outcome> =>
  Promise.resolve(failure(`${device.name} cannot ${what}`))

/** For switches of properties that stay Busy as long as the thing is on (tracking, video, a cooler): the switch tells. */
export const judgeSwitched: Judge = (property, asked) =>
  property.state === 'Alert'
    ? { refused: 'the device reports Alert' }
    : judgeValues({ ...property, state: 'Ok' }, asked)

/** Degrees between two directions, 0 to 180. */
export const angleBetweenDeg = (a: number, b: number): number => Math.abs(((((a - b) % 360) + 540) % 360) - 180)

/**
 * The few INDI properties that matter when everything else has failed. They are read here and not through the daemon's
 * drivers, so that one mistake cannot blind both.
 */
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { judgeAccepted } from '@nightjar/firmware-bridge/indi/command.ts'
import { findProperty, findSwitch, type Property } from '@nightjar/firmware-bridge/indi/properties.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { GuardedInput, GuardedMount, GuardedRoof, InputReading, Told } from './devices.ts'

const commandMs = 5_000
const coordinateNames = ['EQUATORIAL_EOD_COORD', 'EQUATORIAL_COORD'] as const

const isConnected = (client: IndiClient, device: string): boolean =>
  client.open && findSwitch(client.state, device, 'CONNECTION', 'CONNECT') === true

export function guardIndiMount(client: IndiClient, device: string): GuardedMount {
  void client.connectDevice(device)
  const find = (name: string): Property | undefined => findProperty(client.state, device, name)
  const coordinates = (): Property | undefined => coordinateNames.map(find).find((property) => property !== undefined)
  const abort = (): Promise<Outcome> =>
    client.set(device, 'TELESCOPE_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted, timeoutMs: commandMs })
  return {
    reading() {
      const park = find('TELESCOPE_PARK')
      const pointing = coordinates()
      // A driver that cannot reach its mount says Alert and keeps the last values.
      if (!isConnected(client, device) || !park || pointing?.state === 'Alert') return undefined
      const slewing = park.state === 'Busy' || pointing?.state === 'Busy'
      const says = findSwitch(client.state, device, 'TELESCOPE_PARK', 'PARK') === true
      const parked = says && park.state !== 'Alert' && !slewing
      const tracking = findSwitch(client.state, device, 'TELESCOPE_TRACK_STATE', 'TRACK_ON') === true
      return { atMs: park.atMs, value: { parked, slewing, tracking: tracking && !parked } }
    },
    read() {
      client.readBack(device, 'TELESCOPE_PARK')
    },
    park: (timeoutMs) => client.set(device, 'TELESCOPE_PARK', { PARK: true, UNPARK: false }, { timeoutMs }),
    abort,
    async stop() {
      const aborted = await abort()
      const off = { TRACK_ON: false, TRACK_OFF: true }
      const still = await client.set(device, 'TELESCOPE_TRACK_STATE', off, {
        judge: judgeAccepted,
        timeoutMs: commandMs,
      })
      return aborted.ok ? still : aborted
    },
  }
}

export function guardIndiRoof(client: IndiClient, device: string): GuardedRoof {
  void client.connectDevice(device)
  const name = (): 'DOME_SHUTTER' | 'DOME_PARK' =>
    findProperty(client.state, device, 'DOME_SHUTTER') ? 'DOME_SHUTTER' : 'DOME_PARK'
  return {
    reading() {
      const property = findProperty(client.state, device, name())
      if (!isConnected(client, device) || !property) return undefined
      const [closed, open] = name() === 'DOME_SHUTTER' ? ['SHUTTER_CLOSE', 'SHUTTER_OPEN'] : ['PARK', 'UNPARK']
      const isOn = (element: string | undefined): boolean =>
        findSwitch(client.state, device, property.name, element ?? '') === true
      const position = roofPosition(property.state, isOn(closed), isOn(open))
      return {
        atMs: property.atMs,
        value: position === 'closed' && !isClosedSwitchOn(client, device) ? 'unknown' : position,
      }
    },
    read() {
      client.readBack(device, name())
    },
    close(timeoutMs) {
      const values =
        name() === 'DOME_SHUTTER' ? { SHUTTER_CLOSE: true, SHUTTER_OPEN: false } : { PARK: true, UNPARK: false }
      return client.set(device, name(), values, { timeoutMs })
    },
    abort: () =>
      client.set(device, 'DOME_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted, timeoutMs: commandMs }),
  }
}

/** Roll-off drivers show their end switches as lights; where they do, what the driver believes is not enough. */
function isClosedSwitchOn(client: IndiClient, device: string): boolean {
  const lights = findProperty(client.state, device, 'ROOF STATUS')
  if (lights?.kind !== 'light') return true
  return lights.elements.some((light) => light.name === 'ROOF_CLOSED' && light.value === 'Ok')
}

/** Only Ok confirms: libindi starts a dome whose shutter it does not know with "close" on and Idle. */
function roofPosition(state: Property['state'], closed: boolean, open: boolean): RoofPosition {
  if (closed === open || state === 'Alert') return 'unknown'
  if (state === 'Busy') return closed ? 'closing' : 'opening'
  if (state !== 'Ok') return 'unknown'
  return closed ? 'closed' : 'open'
}

export interface IndiWeatherOptions {
  readonly limitMs: number
  readonly required: boolean
  /** Closes on the station's own verdict, too. */
  readonly closeOnDanger: boolean
}

/**
 * A weather station. Only what it tells by itself counts as heard: a driver whose station is dead still answers questions
 * from memory (and another client's questions are answered to everyone).
 */
export function guardIndiWeather(
  client: IndiClient,
  device: string,
  options: IndiWeatherOptions,
): GuardedInput & Disposable {
  void client.connectDevice(device)
  let heardAtMs = 0
  const unlisten = client.listen((event) => {
    if (!('device' in event && 'name' in event) || event.device !== device || event.name !== 'WEATHER_PARAMETERS')
      return
    const isNews = event.type === 'updated' || (event.type === 'defined' && event.fresh)
    const property = findProperty(client.state, device, 'WEATHER_PARAMETERS')
    // libindi says Alert here when it cannot read the station, and keeps its verdict.
    if (isNews && property && property.state !== 'Alert') heardAtMs = property.atMs
  })
  return {
    name: device,
    limitMs: options.limitMs,
    required: options.required,
    tells: ['rain'],
    reading() {
      if (!isConnected(client, device) || heardAtMs === 0) return undefined
      return { atMs: heardAtMs, value: weatherReading(client, device, options.closeOnDanger) }
    },
    [Symbol.dispose]: unlisten,
  }
}

function weatherReading(client: IndiClient, device: string, closeOnDanger: boolean): InputReading {
  const parameters = findProperty(client.state, device, 'WEATHER_PARAMETERS')
  const numbers = parameters?.kind === 'number' ? parameters.elements : []
  const rain = numbers.filter((element) => /RAIN|PRECIP/i.test(element.name)).map((element) => element.value)
  const raining = rain.some((value) => !Number.isFinite(value)) ? undefined : rain.some((value) => value > 0)
  const isDanger = ['WEATHER_STATUS', 'SAFETY_STATUS'].some(
    (name) => findProperty(client.state, device, name)?.state === 'Alert',
  )
  return { raining: rain.length === 0 ? undefined : raining, unsafe: closeOnDanger && isDanger, reason: 'danger' }
}

/** What a device of the bridge tells, when it is connected. */
export function toldBy<S extends { readonly atMs: number; readonly connected: boolean }, T>(
  state: S,
  read: (state: S) => T,
): Told<T> | undefined {
  return state.connected && state.atMs > 0 ? { atMs: state.atMs, value: read(state) } : undefined
}

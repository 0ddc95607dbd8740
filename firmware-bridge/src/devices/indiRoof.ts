/**
 * A dome with its shutter, or a roll-off roof, behind any INDI dome driver. A roof without a shutter is closed by parking
 * (indi_rolloff_dome). `open` and `closed` are said only of a driver that is there, was heard lately and reports Ok:
 * libindi shows Busy while the shutter moves, Idle when it does not know and Alert when it failed.
 *
 * Whether a roof is parked is something that libindi remembers in a file and takes for true when it starts (measured:
 * indi_rolloff_dome without that file says unparked, Ok, and opens "already"). So without end switches a parked roof
 * counts as closed only after it was seen to move there.
 */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import type { Judge } from '../indi/command.ts'
import { failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import { angleBetweenDeg, cannot, type IndiDevice, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'
import type { Roof, RoofPosition, RoofState } from './roof.ts'

export interface IndiRoofOptions {
  readonly clock: Clock
  /** A driver that was not heard for so long no longer confirms anything; the client asks it every 5 s. */
  readonly staleMs?: number
  /** Takes the parked flag of a roll-off roof without end switches for true, though the driver may only remember it. */
  readonly trustParked?: boolean
}

export const indiRoofCard = driverCard('roof', 'INDI', ['open', 'close', 'abort', 'azimuth', 'endSwitches'])

const defaultStaleMs = 20_000
const moveMs = 180_000
const turnMs = 180_000
/** Domes stop within a degree or two; an opening is wider. */
const arrivedDeg = 2
const lights = 'ROOF STATUS'
const azimuth = ['ABS_DOME_POSITION', 'DOME_ABSOLUTE_POSITION'] as const

/** The switch that opens and closes, and its two elements. */
const shutter = { property: 'DOME_SHUTTER', open: 'SHUTTER_OPEN', close: 'SHUTTER_CLOSE' } as const
const rollOff = { property: 'DOME_PARK', open: 'UNPARK', close: 'PARK' } as const

export function createIndiRoof(client: IndiClient, name: string, options: IndiRoofOptions): Roof {
  const { clock, staleMs = defaultStaleMs } = options
  const device = openIndiDevice(client, name)
  const journey = watchJourneys(device)
  let motion = new AbortController()

  const newMotion = (reason: string): AbortSignal => {
    motion.abort(reason)
    motion = new AbortController()
    return motion.signal
  }

  function state(): RoofState {
    const head = device.head(leaf(device).property)
    const fresh = head.connected && clock.now() - head.atMs <= staleMs
    return {
      ...head,
      position: fresh ? position(device, options.trustParked === true || journey.arrived()) : 'unknown',
      azimuthDeg: device.number(...azimuth),
      fault: fault(device),
    }
  }

  async function moveTo(end: 'open' | 'close', timeoutMs: number): Promise<Outcome> {
    const { property, [end]: element } = leaf(device)
    const signal = newMotion(`${end} was asked for`)
    const outcome = await client.set(
      name,
      property,
      { [element]: true },
      { timeoutMs, signal, judge: judgeLeaf(element) },
    )
    if (!outcome.ok) return outcome
    const wanted = end === 'open' ? 'open' : 'closed'
    const confirmed = await client.waitFor(() => state().position === wanted || undefined, confirmMs, signal)
    return confirmed ? outcome : failure(state().fault ?? unconfirmed(device, wanted))
  }

  return {
    can: () => capabilities(device),
    state,
    open: (timeoutMs = moveMs) => moveTo('open', timeoutMs),
    close: (timeoutMs = moveMs) => moveTo('close', timeoutMs),
    abort() {
      motion.abort('the motion was aborted')
      return device.has('DOME_ABORT_MOTION') ? abort(device) : cannot(device, 'stop')
    },
    turnTo(azimuthDeg, timeoutMs = turnMs) {
      if (!device.has(...azimuth)) return cannot(device, 'turn')
      if (!(azimuthDeg >= 0 && azimuthDeg < 360)) {
        return Promise.resolve(failure('the azimuth is 0 to 360°, 360 not included'))
      }
      const options = { timeoutMs, signal: newMotion('another azimuth was asked for'), judge: judgeAzimuth(azimuthDeg) }
      return device.set(azimuth[0], { DOME_ABSOLUTE_POSITION: azimuthDeg }, options)
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      journey.stop()
    },
  }
}

/** End switches are told a moment after the motion has ended. */
const confirmMs = 3_000

/** A dome says Alert of a stop that left its shutter between the ends (libindi 1.9.9): what stands still has stopped. */
async function abort(device: IndiDevice): Promise<Outcome> {
  const outcome = await device.set('DOME_ABORT_MOTION', { ABORT: true }, { judge: () => 'done' })
  if (!outcome.ok) return outcome
  const stands = (): true | undefined =>
    (!device.isBusy(leaf(device).property) && !device.isBusy(azimuth[0])) || undefined
  return (await device.client.waitFor(stands, confirmMs)) ? outcome : failure(`${device.name} still moves`)
}

const leaf = (device: IndiDevice): typeof shutter | typeof rollOff =>
  device.has('DOME_SHUTTER') || !device.has('DOME_PARK') ? shutter : rollOff

const unconfirmed = (device: IndiDevice, wanted: string): string =>
  leaf(device) === rollOff && !device.has(lights)
    ? `${device.name} only remembers that it is ${wanted}: it has no end switches and did not move`
    : `${device.name} does not confirm that it is ${wanted}`

interface Journeys {
  /** The roof was seen to move to where it says that it stands. */
  arrived(): boolean
  stop(): void
}

/** Watches a roof that is moved by parking: from Busy to Ok in one direction is a journey; a loss forgets all. */
function watchJourneys(device: IndiDevice): Journeys {
  let [towards, at] = [undefined, undefined] as (string | undefined)[]
  const look = (): void => {
    const property = device.property(rollOff.property)
    const on = property?.kind === 'switch' ? property.elements.find(({ value }) => value)?.name : undefined
    const arrives = property?.state === 'Ok' && towards !== undefined && on === towards
    const stays = property?.state === 'Ok' && towards === undefined && on === at
    if (property?.state === 'Busy') [towards, at] = [on, undefined]
    else if (!stays) [towards, at] = [undefined, arrives ? on : undefined]
  }
  const stop = device.client.listen((event) => {
    if (event.type === 'closed' || event.type === 'deviceLost') {
      if (event.type === 'closed' || event.device === device.name) [towards, at] = [undefined, undefined]
    } else if (event.type === 'defined' || event.type === 'updated' || event.type === 'deleted') {
      if (event.device === device.name && event.name === rollOff.property) look()
    }
  })
  return { arrived: () => at !== undefined && device.isOn(rollOff.property, at as 'PARK' | 'UNPARK') === true, stop }
}

/** What the driver confirms now. End switches say it where there are any; the driver's belief must agree. */
function position(device: IndiDevice, parkedIsTrue: boolean): RoofPosition {
  const { property: name, open, close } = leaf(device)
  const property = device.property(name)
  if (property?.kind !== 'switch') return 'unknown'
  const isOn = (element: string): boolean => property.elements.some((item) => item.name === element && item.value)
  const toOpen = isOn(open)
  if (toOpen === isOn(close)) return 'unknown'
  if (property.state === 'Busy') return toOpen ? 'opening' : 'closing'
  if (property.state !== 'Ok') return 'unknown'
  if (device.has(lights)) return endSwitchesSay(device, toOpen) ? (toOpen ? 'open' : 'closed') : 'unknown'
  if (name === rollOff.property && !parkedIsTrue) return 'unknown'
  return toOpen ? 'open' : 'closed'
}

function endSwitchesSay(device: IndiDevice, open: boolean): boolean {
  const property = device.property(lights)
  if (property?.kind !== 'light') return false
  const lit = (name: string): boolean => property.elements.some((item) => item.name === name && item.value === 'Ok')
  return lit('ROOF_OPENED') === open && lit('ROOF_CLOSED') !== open
}

function fault(device: IndiDevice): string | undefined {
  const failed = [device.property(leaf(device).property), device.property(lights)].find((one) => one?.state === 'Alert')
  return failed ? (device.words(failed.atMs - 2_000) ?? `${device.name} reports Alert`) : undefined
}

function capabilities(device: IndiDevice): ReadonlySet<Capability<'roof'>> {
  const can = new Set<Capability<'roof'>>()
  if (device.has(leaf(device).property)) can.add('open').add('close')
  if (device.has('DOME_ABORT_MOTION')) can.add('abort')
  if (device.has(...azimuth)) can.add('azimuth')
  if (device.has(lights)) can.add('endSwitches')
  return can
}

const judgeLeaf =
  (element: string): Judge =>
  (property) => {
    if (property.state === 'Alert') return { refused: 'the roof reports Alert' }
    if (property.state === 'Busy') return 'wait'
    const on = property.kind === 'switch' && property.elements.some((item) => item.name === element && item.value)
    return on && property.state === 'Ok' ? 'done' : { refused: 'the roof did not get there' }
  }

const judgeAzimuth =
  (wantedDeg: number): Judge =>
  (property) => {
    if (property.state === 'Alert') return { refused: 'the dome reports Alert' }
    if (property.state === 'Busy') return 'wait'
    const hereDeg = property.kind === 'number' ? (property.elements[0]?.value ?? Number.NaN) : Number.NaN
    if (angleBetweenDeg(hereDeg, wantedDeg) <= arrivedDeg) return 'done'
    return { refused: `the dome stands at ${hereDeg.toFixed(1)}°` }
  }

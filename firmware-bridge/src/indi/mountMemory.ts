/**
 * What a mount's driver forgets when it dies, put back when it returns: after the site and the time (which the client
 * restores by itself) where it pointed and how it tracked. It never unparks nor slews the mount, and does nothing that the
 * caller's gate does not permit: a mount that comes back parked was parked by somebody with a reason.
 */
import type { Clock } from '../clock.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import type { ClientEvent, IndiClient } from './client.ts'
import { holds, judgeAccepted, judgeValues, type Values } from './command.ts'
import { findNumber, findProperty, findSwitch, type IndiState } from './properties.ts'
import { isConnected } from './restoring.ts'

export interface MountMemoryOptions {
  readonly clock: Clock
  /**
   * Who keeps the position. `mount` (default): its own electronics, which the driver asks, so nothing is to be put back
   * and a sync would spoil it. `driver`: only the driver's process (simulators, bare stepper boards), so it is synced to
   * the place where it was last heard.
   */
  readonly positionIn?: 'mount' | 'driver'
  /** Asked before a sync and before tracking: the command gate. Permits both by default. */
  readonly permit?: (action: 'sync' | 'track') => Outcome
  readonly onReturn?: (report: MountReturn) => void
}

export interface MountReturn {
  readonly device: string
  readonly outcome: Outcome
  /** What was put back, in order: `site`, `time`, `sync`, `track mode`, `track rate`, `tracking`. */
  readonly restored: readonly string[]
  /** From the loss to the end of the restoring. */
  readonly elapsedMs: number
  /** It was lost during a slew: where it stands is known only roughly. */
  readonly wasSlewing: boolean
}

export interface MountMemory extends Disposable {
  /** What would be put back. */
  readonly remembered: RememberedMount | undefined
}

export interface RememberedMount {
  readonly coordinates: { readonly property: string; readonly raHours: number; readonly decDeg: number } | undefined
  readonly parked: boolean
  readonly tracking: boolean
  readonly slewing: boolean
  /** Switch that is on. */
  readonly trackMode: string | undefined
  readonly trackRate: Values | undefined
  readonly atMs: number
}

const coordinateProperties = ['EQUATORIAL_EOD_COORD', 'EQUATORIAL_COORD'] as const
const watched: ReadonlySet<string> = new Set([
  ...coordinateProperties,
  'TELESCOPE_PARK',
  'TELESCOPE_TRACK_STATE',
  'TELESCOPE_TRACK_MODE',
  'TELESCOPE_TRACK_RATE',
  'ON_COORD_SET',
])
const returnMs = 120_000
const settingMs = 10_000
const parkKnownMs = 2_000
/** Sidereal seconds in a second (Explanatory Supplement to the Astronomical Almanac). */
const siderealPerSolar = 1.0027379

/** Watches the mount for as long as it is not disposed. */
export function rememberMount(client: IndiClient, device: string, options: MountMemoryOptions): MountMemory {
  const { clock } = options
  const stop = new AbortController()
  let remembered: RememberedMount | undefined
  let lostAt: number | undefined
  /** Unix ms UTC. */
  let lostAtMs = 0
  let restoring = false

  async function putBack(memory: RememberedMount, since: number): Promise<void> {
    restoring = true
    const restored: string[] = []
    let outcome: Outcome
    do {
      restored.length = 0
      // Lost once more while it was being restored: from the beginning, with the same memory.
      lostAt = undefined
      outcome = await restoreMount({ client, device, memory, lostAtMs, options, signal: stop.signal }, restored)
    } while (lostAt !== undefined && !stop.signal.aborted)
    restoring = false
    if (stop.signal.aborted) return
    const elapsedMs = clock.monotonic() - since
    options.onReturn?.({ device, outcome, restored: [...restored], elapsedMs, wasSlewing: memory.slewing })
  }

  const unlisten = client.listen((event: ClientEvent) => {
    if (!('device' in event) || event.device !== device) return
    if (event.type === 'deviceLost') {
      lostAt = clock.monotonic()
      if (restoring || !remembered) return
      lostAtMs = clock.now()
      void putBack(remembered, lostAt)
    } else if (!restoring && (event.type === 'defined' || event.type === 'updated') && watched.has(event.name)) {
      remembered = recall(client.state, device, clock.now()) ?? remembered
    }
  })

  return {
    get remembered() {
      return remembered
    },
    [Symbol.dispose]() {
      unlisten()
      stop.abort(new Error('disposed'))
    },
  }
}

/** The mount as its driver tells it now; undefined while it is not connected. */
function recall(state: IndiState, device: string, atMs: number): RememberedMount | undefined {
  const property = coordinatesOf(state, device)
  if (!isConnected(state, device) || !property) return undefined
  const raHours = findNumber(state, device, property, 'RA')
  const decDeg = findNumber(state, device, property, 'DEC')
  const coordinates = raHours === undefined || decDeg === undefined ? undefined : { property, raHours, decDeg }
  const slewing = findProperty(state, device, property)?.state === 'Busy'
  const willTrack = slewing && findSwitch(state, device, 'ON_COORD_SET', 'TRACK') === true
  const mode = findProperty(state, device, 'TELESCOPE_TRACK_MODE')
  const rate = findProperty(state, device, 'TELESCOPE_TRACK_RATE')
  return {
    coordinates,
    parked: findSwitch(state, device, 'TELESCOPE_PARK', 'PARK') === true,
    tracking: findSwitch(state, device, 'TELESCOPE_TRACK_STATE', 'TRACK_ON') === true || willTrack,
    slewing,
    trackMode: mode?.kind === 'switch' ? mode.elements.find((item) => item.value)?.name : undefined,
    trackRate:
      rate?.kind === 'number' ? Object.fromEntries(rate.elements.map((item) => [item.name, item.value])) : undefined,
    atMs,
  }
}

function coordinatesOf(state: IndiState, device: string): string | undefined {
  return coordinateProperties.find((name) => findProperty(state, device, name))
}

interface Step {
  readonly name: string
  readonly action?: 'sync' | 'track'
  run(): Promise<Outcome>
}

interface Return {
  readonly client: IndiClient
  readonly device: string
  readonly memory: RememberedMount
  readonly lostAtMs: number
  readonly options: MountMemoryOptions
  readonly signal: AbortSignal
}

/** `restored` tells what has been done, also when a later step fails. */
async function restoreMount(mount: Return, restored: string[]): Promise<Outcome> {
  const { client, device, options, signal } = mount
  const connected = (state: IndiState): true | undefined =>
    (isConnected(state, device) && coordinatesOf(state, device) !== undefined) || undefined
  if (!(await client.waitFor(connected, returnMs, signal))) return failure(`${device} did not come back`)
  for (const step of await steps(mount)) {
    const permitted = step.action ? (options.permit?.(step.action) ?? done) : done
    if (!permitted.ok) return failure(`${step.name} was not permitted: ${permitted.reason}`)
    const outcome = await step.run()
    if (!outcome.ok) return failure(`${step.name}: ${outcome.reason}`)
    restored.push(step.name)
  }
  return done
}

/** What is to be done, in the only order that is right: a sync before the site and the time is known points elsewhere. */
async function steps({ client, device, memory, lostAtMs, options, signal }: Return): Promise<readonly Step[]> {
  const list: Step[] = []
  const set = (property: string, values: Values): Promise<Outcome> =>
    client.set(device, property, values, { timeoutMs: settingMs, signal, judge: judgeSwitches })
  if (client.wanted(device, 'GEOGRAPHIC_COORD')) {
    list.push({ name: 'site', run: () => isHeld(client, device, 'GEOGRAPHIC_COORD', signal) })
  }
  const time = client.wanted(device, 'TIME_UTC')
  if (time)
    list.push({ name: 'time', run: () => client.set(device, 'TIME_UTC', time, { judge: judgeAccepted, signal }) })
  if (memory.parked) return list
  if (await isParked(client, device, signal)) {
    const reason = `${device} was not parked and came back parked: it stays so`
    return [...list, { name: 'tracking', run: async () => failure(reason) }]
  }
  const { coordinates, trackMode, trackRate } = memory
  if (options.positionIn === 'driver' && coordinates) {
    const run = (): Promise<Outcome> =>
      sync(client, device, drifted(coordinates, options.clock.now() - lostAtMs), signal)
    list.push({ name: 'sync', action: 'sync', run })
  }
  if (trackMode !== undefined && findSwitch(client.state, device, 'TELESCOPE_TRACK_MODE', trackMode) === false) {
    list.push({ name: 'track mode', run: () => set('TELESCOPE_TRACK_MODE', { [trackMode]: true }) })
  }
  const rate = findProperty(client.state, device, 'TELESCOPE_TRACK_RATE')
  if (trackRate && rate && !holds(rate, trackRate)) {
    list.push({ name: 'track rate', run: () => set('TELESCOPE_TRACK_RATE', trackRate) })
  }
  if (memory.tracking) {
    const values = { TRACK_ON: true, TRACK_OFF: false }
    list.push({ name: 'tracking', action: 'track', run: () => set('TELESCOPE_TRACK_STATE', values) })
  }
  return list
}

/** Drivers without parking never define the property. */
async function isParked(client: IndiClient, device: string, signal: AbortSignal): Promise<boolean> {
  await client.waitFor((state) => findProperty(state, device, 'TELESCOPE_PARK'), parkKnownMs, signal)
  return findSwitch(client.state, device, 'TELESCOPE_PARK', 'PARK') === true
}

/** Motors that a dead driver does not drive stand still, while the sky goes on at the sidereal rate. */
function drifted<T extends { readonly raHours: number }>(coordinates: T, elapsedMs: number): T {
  const raHours = (coordinates.raHours + (Math.max(0, elapsedMs) * siderealPerSolar) / 3_600_000) % 24
  return { ...coordinates, raHours }
}

/** Drivers that track stay Busy: only the values tell. */
const judgeSwitches: typeof judgeValues = (property, asked) =>
  property.state === 'Alert' ? { refused: 'the mount reports Alert' } : judgeValues({ ...property, state: 'Ok' }, asked)

/** The client has sent what is wanted when the property appeared; here it is seen to be held. */
async function isHeld(client: IndiClient, device: string, name: string, signal: AbortSignal): Promise<Outcome> {
  const holdsWanted = (state: IndiState): true | undefined => {
    const property = findProperty(state, device, name)
    const wanted = client.wanted(device, name)
    return (property !== undefined && wanted !== undefined && holds(property, wanted)) || undefined
  }
  const held = await client.waitFor(holdsWanted, settingMs, signal)
  return held ? done : failure(`${device} does not take its ${name}`)
}

async function sync(
  client: IndiClient,
  device: string,
  { property, raHours, decDeg }: NonNullable<RememberedMount['coordinates']>,
  signal: AbortSignal,
): Promise<Outcome> {
  const mode = await client.set(device, 'ON_COORD_SET', { SYNC: true }, { signal })
  if (!mode.ok) return mode
  const values = { RA: raHours, DEC: decDeg }
  const synced = await client.set(device, property, values, { signal, judge: judgeAccepted, timeoutMs: settingMs })
  const back = await client.set(device, 'ON_COORD_SET', { TRACK: true }, { signal })
  return synced.ok ? back : synced
}

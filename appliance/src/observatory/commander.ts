import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Safety } from '@nightjar/firmware-bridge/devices/safety.ts'
import type { Weather } from '@nightjar/firmware-bridge/devices/weather.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import type { Site } from '../observations/ephemeris.ts'
import type { Store } from '../store/store.ts'
import type { Devices } from './devices.ts'
import { type Action, type Asker, inWords } from './gate/command.ts'
import { beginHistory, remember } from './gate/history.ts'
import { createReadings } from './gate/readings.ts'
import { skyAt } from './gate/sky.ts'
import type { GateState, GuardianSaid, Lease, Reading } from './gate/state.ts'
import { decide, type Verdict } from './gate.ts'
import { filterTruth, focuserTruth, parkedTruth, roofTruth, type Seen, slewTruth } from './truth.ts'

/**
 * The only way to the hardware: every command is put to the gate with fresh readings, carried out when it may be, and its
 * result is looked at. Denials, failures of truth and the lease go to the journal.
 */
export interface Commander {
  readonly devices: Devices
  /** What the sensors say now. Each look also remembers since when the site has been unsafe. */
  look(): GateState
  /** The gate's word on a command that its asker carries out, as the capture of a frame does. */
  ask(action: Action, by: Asker): Verdict
  /** Asks, acts, and checks that it is true. Every way of not having done it is a failure with its reason. */
  command(action: Action, by: Asker): Promise<Outcome>
  /** Who may command; runs out by itself. The night takes it when it starts; a person with a lease keeps it from starting. */
  readonly lease: Lease | undefined
  takeLease(holder: Asker, by: string, forMs: number): Outcome
  dropLease(holder: Asker, by: string): void
  /** While the mount is being parked without coming to rest: how the gate knows how long rain has waited. */
  setParkingSince(monotonicMs: number | undefined): void
}

export interface CommanderDeps {
  readonly store: Store
  readonly clock: Clock
  readonly site: Site
  readonly devices: Devices
  /** As they are now: settings can change while the roof is open. */
  readonly limits: () => GateSettings
  readonly diskFreeBytes: () => number
  /** What the guardian says, where there is one. */
  readonly guardian?: (() => GuardianSaid & { readonly atMs: number }) | undefined
}

/** How long a device may take. */
export const commandLimits = {
  slewMs: 180_000,
  parkMs: 180_000,
  homeMs: 180_000,
  roofMs: 120_000,
  coverMs: 60_000,
  focusMs: 120_000,
  rotateMs: 120_000,
  filterMs: 60_000,
  /** Between the two looks that show a parked mount to stand still. */
  parkLookMs: 1_000,
} as const

export function createCommander(deps: CommanderDeps): Commander {
  const { store, clock, site, devices, limits } = deps
  const readings = createReadings(clock)
  const lastWords = new Map<string, Reading<unknown>>()
  let history = beginHistory(clock.monotonic())
  let parkingSinceMs: number | undefined
  let lease: Lease | undefined

  function sensed(): GateState {
    const { mount, camera, roof, weather, safety, ups, timeSource, gps, cover, guider } = devices
    const disk = { connected: true, freeBytes: deps.diskFreeBytes(), atMs: clock.now() }
    const heard = {
      mount: readings.hear('mount', mount.state()),
      camera: readings.hear('camera', camera.state()),
      roof: roof && readings.hear('roof', roof.state()),
      weather: weather && heldReading('weather', weather.state()),
      rain: rainSensors(),
      safety: safety && heldReading('safety', safety.state()),
      ups: ups && heldReading('ups', ups.state()),
      clock: timeSource && heldReading('timeSource', timeSource.state()),
      gps: gps && heldReading('gps', gps.state()),
      guardian: deps.guardian && heldReading('guardian', deps.guardian()),
      cover: cover && readings.hear('cover', cover.state()),
      guider: guider && readings.hear('guider', guider.state()),
      disk: readings.hear('disk', disk),
    }
    // The time is taken last: nothing that was heard is from the future.
    const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()]
    return { ...heard, nowMs, monotonicMs, sky: skyAt(site, nowMs), lease: heldLease(), history }
  }

  const heldLease = (): Lease | undefined => (lease && lease.untilMs > clock.monotonic() ? lease : undefined)

  /**
   * The word of a sensor holds until it is too old, also when its wire is cut: a station that reconnects within its age limit
   * was never silent. What moves has no such grace.
   */
  function heldReading<T extends { readonly atMs: number; readonly connected: boolean }>(
    name: string,
    said: T,
  ): Reading<T> {
    const reading = readings.hear(name, said)
    const last = lastWords.get(name) as Reading<T> | undefined
    if (!said.connected && last) return last
    if (said.connected) lastWords.set(name, reading)
    return reading
  }

  /** By device; `rain` is the one that the site has, the safety controller's before the weather station's. */
  function rainSensors(): NonNullable<GateState['rain']> {
    const { safety, weather } = devices
    const tells = (name: string, device: Safety | Weather | undefined): boolean =>
      device?.can().has('rain') === true || lastWords.has(name)
    const bySafety =
      safety && tells('rain of the controller', safety) && heldReading('rain of the controller', safety.state())
    const byWeather =
      weather && tells('rain of the station', weather) && heldReading('rain of the station', weather.state())
    return { safety: bySafety || undefined, weather: byWeather || undefined, rain: bySafety || byWeather || undefined }
  }

  function look(): GateState {
    const state = sensed()
    history = remember(state, limits(), parkingSinceMs)
    return { ...state, history }
  }

  /** The journal is told when it can be; the hardware does not wait for the disk. */
  function tell(write: (tx: Parameters<Parameters<Store['commit']>[1]>[0]) => void): void {
    try {
      store.commit(clock.now(), write)
    } catch {
      // A full disk shows itself at the gate.
    }
  }

  function ask(action: Action, by: Asker): Verdict {
    const verdict = decide(look(), { ...action, by }, limits())
    if (!verdict.allow)
      tell((tx) => tx.event('command.denied', { command: inWords(action.kind), reason: verdict.reason }))
    return verdict
  }

  async function command(action: Action, by: Asker): Promise<Outcome> {
    const verdict = ask(action, by)
    if (!verdict.allow) return failure(verdict.reason)
    const moved = deviceMovedBy(action)
    if (moved) readings.commanded(moved)
    const outcome = await perform(action)
    if (!outcome.ok) return outcome
    if (moved) readings.answered(moved)
    const lie = await lieAbout(action)
    if (lie === undefined) return done
    tell((tx) => tx.event('truth.failed', { device: deviceOf(action), check: inWords(action.kind), reason: lie }))
    return failure(lie)
  }

  function perform(action: Action): Promise<Outcome> {
    const { mount, camera, focuser, filterWheel, rotator, roof, cover, flatPanel, power } = devices
    switch (action.kind) {
      case 'unpark':
        return mount.unpark()
      case 'park':
        return mount.park(commandLimits.parkMs)
      case 'slew':
        return mount.slew(action.raDeg, action.decDeg, commandLimits.slewMs)
      case 'sync':
        return mount.sync(action.raDeg, action.decDeg)
      case 'track':
        return mount.track(action.on)
      case 'trackRate':
        return mount.setTrackRate(action.rate, action.custom)
      case 'home':
        return mount.home(commandLimits.homeMs)
      case 'guide':
        return mount.guide(action.direction, action.milliseconds)
      case 'move':
        return mount.move(action.direction, action.speed)
      case 'halt':
        return mount.halt()
      case 'abort':
        return mount.abort()
      case 'abortExposure':
        return camera.abort()
      case 'cooler':
        return cool(action.on, action.celsius)
      case 'focus':
        return focuser?.moveTo(action.steps, commandLimits.focusMs) ?? siteHasNo('focuser')
      case 'filter':
        return filterWheel?.select(action.name, commandLimits.filterMs) ?? camera.setFilter(action.name)
      case 'rotate':
        return rotator?.rotateTo(action.angleDeg, commandLimits.rotateMs) ?? siteHasNo('rotator')
      case 'openRoof':
        return roof?.open(commandLimits.roofMs) ?? siteHasNo('roof')
      case 'closeRoof':
        return roof?.close(commandLimits.roofMs) ?? siteHasNo('roof')
      case 'abortRoof':
        return roof?.abort() ?? siteHasNo('roof')
      case 'turnDome':
        return roof?.turnTo(action.azimuthDeg, commandLimits.roofMs) ?? siteHasNo('dome')
      case 'openCover':
        return cover?.open(commandLimits.coverMs) ?? siteHasNo('cover')
      case 'closeCover':
        return cover?.close(commandLimits.coverMs) ?? siteHasNo('cover')
      case 'light':
        return flatPanel?.light(action.on) ?? siteHasNo('flat panel')
      case 'power':
        return power?.setPort(action.port, action.on) ?? siteHasNo('power box')
      case 'dewHeater':
        return power?.setDewHeater(action.name, action.percent) ?? siteHasNo('power box')
      case 'expose':
        return Promise.resolve(failure('an exposure is taken by the capture of a frame'))
      case 'syncClock':
        return Promise.resolve(failure('a mount is told the time each time that it connects'))
    }
  }

  /** What the command sets in motion: until it has confirmed that, nobody knows where it is. */
  function deviceMovedBy(action: Action): 'mount' | 'roof' | undefined {
    const { parked } = devices.mount.state()
    const position = devices.roof?.state().position
    switch (action.kind) {
      case 'unpark':
        return parked ? 'mount' : undefined
      case 'park':
        return parked ? undefined : 'mount'
      case 'slew':
      case 'home':
      case 'move':
        return 'mount'
      case 'openRoof':
        return position === 'open' ? undefined : 'roof'
      case 'closeRoof':
        return position === 'closed' ? undefined : 'roof'
      case 'turnDome':
        return 'roof'
      default:
        return undefined
    }
  }

  async function cool(on: boolean, celsius: number | undefined): Promise<Outcome> {
    const cooler = await devices.camera.setCooler(on)
    return cooler.ok && on && celsius !== undefined ? devices.camera.setTemperature(celsius) : cooler
  }

  /** What can be seen of a command that says it was done. */
  async function lieAbout(action: Action): Promise<string | undefined> {
    const { mount, focuser, roof, camera, filterWheel } = devices
    switch (action.kind) {
      case 'park':
        return parkLie()
      case 'slew':
        return slewTruth(mount.state(), action)
      case 'openRoof':
        return roof && roofTruth(roof.state(), 'open')
      case 'closeRoof':
        return roof && roofTruth(roof.state(), 'closed')
      case 'focus':
        return focuser && focuserTruth(focuser.state(), action.steps)
      case 'filter':
        return filterTruth(filterWheel?.state() ?? camera.state(), action.name)
      default:
        return undefined
    }
  }

  async function parkLie(): Promise<string | undefined> {
    const seen = (): Seen => ({ state: devices.mount.state(), atMs: clock.now() })
    const before = seen()
    await clock.sleep(commandLimits.parkLookMs)
    return parkedTruth(site, before, seen(), { sensor: devices.safety?.state().mountParked })
  }

  const deviceOf = (action: Action): string =>
    (action.kind.endsWith('Roof') || action.kind === 'turnDome'
      ? devices.roof
      : action.kind === 'focus'
        ? devices.focuser
        : action.kind === 'filter'
          ? (devices.filterWheel ?? devices.camera)
          : devices.mount
    )?.state().source ?? action.kind

  return {
    devices,
    look,
    ask,
    command,
    get lease() {
      return heldLease()
    },
    takeLease(holder, by, forMs) {
      const held = heldLease()
      if (held && held.holder !== holder) return failure(`${held.holder} drives the observatory now`)
      if (!held) tell((tx) => tx.event('lease.changed', { holder, by }))
      lease = { holder, untilMs: clock.monotonic() + forMs }
      return done
    },
    dropLease(holder, by) {
      if (heldLease()?.holder !== holder) return
      lease = undefined
      tell((tx) => tx.event('lease.changed', { holder: '', by }))
    },
    setParkingSince(monotonicMs) {
      parkingSinceMs = monotonicMs
    },
  }
}

const siteHasNo = (device: string): Promise<Outcome> => Promise.resolve(failure(`this site has no ${device}`))

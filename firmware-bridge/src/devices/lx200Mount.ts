/** A mount behind an LX200 command set: Meade's, and OnStep with what that adds. Coordinates go in and out as ICRS. */
import type { Clock } from '../clock.ts'
import { parsePlain } from '../lx200/codec.ts'
import { type LxDirection, longestPulseMs, siderealArcsecPerSecond, trackingHz } from '../lx200/commands.ts'
import { createLx200Session, type Lx200Session } from '../lx200/session.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import type { LineTiming } from '../wire/lineSession.ts'
import type { Backoff } from '../wire/reconnect.ts'
import type { Connect } from '../wire/wire.ts'
import { driverCard } from './device.ts'
import { fromIcrs, separationDeg } from './epoch.ts'
import type { Capability } from './kinds.ts'
import { type Lx200Belief, type Lx200Site, readSite, tellSite } from './lx200MountSite.ts'
import { because, Lx200Watch } from './lx200MountWatch.ts'
import type { CustomRate, Direction, Mount, MountState, TrackRate } from './mount.ts'

export const lx200MountCard = driverCard('mount', 'LX200', [
  'slew',
  'sync',
  'track',
  'trackRate',
  'park',
  'home',
  'guide',
  'move',
  'pierSide',
  'limits',
  'abort',
])

export interface Lx200MountOptions {
  readonly clock: Clock
  readonly random: Random
  /** Told to the mount at each connection, with the time as UTC. */
  readonly site?: Lx200Site
  readonly timing?: Partial<LineTiming>
  readonly backoff?: Backoff
}

export interface Lx200Limits {
  readonly horizonDeg: number
  readonly overheadDeg: number
}

export interface Lx200Mount extends Mount {
  /** What it calls itself: `On-Step 4.24i`; empty when it does not say. */
  product(): string
  /** Lowest and highest altitude that the mount itself slews to, degrees. */
  limits(): Promise<({ readonly ok: true } & Lx200Limits) | Failure>
  setLimits(limits: Lx200Limits): Promise<Outcome>
  /** The place where it stands now becomes its park position (OnStep). */
  setPark(): Promise<Outcome>
  /** Declares that it stands at home now (OnStep). */
  resetHome(): Promise<Outcome>
  /** King's rate, which follows the mean refraction near the pole (OnStep); the state calls it custom. */
  trackKing(): Promise<Outcome>
  /** Place and time of now, told again. */
  setSite(site: Lx200Site): Promise<Outcome>
  /** What it believes of place and time now. */
  site(): Promise<Lx200Belief | Failure>
}

/** A slew that ends farther away than this has not arrived; finer centring is made on the sky. */
const arrivedDeg = 0.5
const parkMs = 180_000

const onStepOnly: readonly Capability<'mount'>[] = ['park', 'home', 'pierSide']
const letters = ['north', 'south', 'east', 'west'] as const satisfies readonly LxDirection[]

/** A mount on any wire; it is found, told its site and watched until disposed of. */
export function createLx200Mount(connect: Connect, options: Lx200MountOptions): Lx200Mount {
  return new Lx200(connect, options)
}

class Lx200 implements Lx200Mount {
  readonly #clock: Clock
  readonly #options: Lx200MountOptions
  readonly #session: Lx200Session
  readonly #watch: Lx200Watch
  #motion = new AbortController()
  #hand = new AbortController()

  constructor(connect: Connect, options: Lx200MountOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#watch = new Lx200Watch(options.clock)
    this.#session = createLx200Session(connect, {
      clock: options.clock,
      random: options.random,
      ...(options.timing ? { timing: options.timing } : {}),
      ...(options.backoff ? { backoff: options.backoff } : {}),
      onReady: (session) => this.#greet(session),
      poll: () => this.#watch.look(),
      onLost: () => this.#watch.lose(),
    })
  }

  state(): MountState {
    const reading = this.#watch.last
    const source = `LX200 ${this.#session.line.words}`
    if (!reading) return { ...unknownState, source, atMs: this.#session.line.heardAtMs }
    const { parkFailed: _, ...told } = reading
    return { ...told, source, connected: this.#watch.fresh !== undefined }
  }

  can(): ReadonlySet<Capability<'mount'>> {
    const onStep = this.#session.dialect === 'onstep'
    return new Set(lx200MountCard.can.filter((one) => onStep || !onStepOnly.includes(one)))
  }

  product(): string {
    return `${this.#session.product} ${this.#session.firmware}`.trim()
  }

  async slew(raDeg: number, decDeg: number, timeoutMs: number): Promise<Outcome> {
    if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
    const signal = this.#newMotion('another slew was asked for')
    const target = { raDeg, decDeg }
    const begun = await this.#begin(target, 'goto', signal)
    if (!begun.ok) return begun
    const arrived = await this.#watch.until(
      (reading) => {
        if (reading.slewing) return undefined
        const missDeg = separationDeg(reading, target)
        if (missDeg <= arrivedDeg) return done
        return failure(`the mount stopped ${missDeg.toFixed(1)}° from the target${because(reading)}`)
      },
      timeoutMs,
      signal,
    )
    if (!arrived.ok && !signal.aborted) await this.#stopAll()
    return arrived
  }

  async sync(raDeg: number, decDeg: number): Promise<Outcome> {
    if (!isOnSky(raDeg, decDeg)) return failure('the target is not a place on the sky')
    const target = { raDeg, decDeg }
    const begun = await this.#begin(target, 'sync', this.#motion.signal)
    if (!begun.ok) return begun
    return this.#watch.until((reading) => {
      const missDeg = separationDeg(reading, target)
      if (missDeg <= arrivedDeg) return done
      return failure(`the mount kept its own place, ${missDeg.toFixed(1)}° away`)
    })
  }

  /** Meade's mounts stop tracking in land mode and track in polar mode. */
  async track(on: boolean): Promise<Outcome> {
    const onStep = this.#session.dialect === 'onstep'
    const sent = await this.#session.do(onStep ? (on ? 'trackOn' : 'trackOff') : on ? 'alignPolar' : 'alignLand')
    if (!sent.ok) return sent
    return this.#watch.untilTrue((reading) => reading.tracking === on, `tracking stays ${on ? 'off' : 'on'}`)
  }

  setTrackRate(rate: TrackRate, custom?: CustomRate): Promise<Outcome> {
    return rate === 'custom' ? this.#setCustomRate(custom) : this.#setNamedRate(rate)
  }

  async park(timeoutMs = parkMs): Promise<Outcome> {
    if (!this.can().has('park')) return failure(this.#cannot('park'))
    if (this.#watch.fresh?.parked) return done
    const signal = this.#newMotion('a park was asked for')
    const sent = await this.#session.do('park')
    if (!sent.ok) return sent
    const parked = await this.#watch.until(
      (reading) => {
        if (reading.parked) return done
        if (reading.parkFailed) return failure(`the mount reports that the park failed${because(reading)}`)
        if (!reading.slewing) return failure(`the mount stopped before it was parked${because(reading)}`)
        return undefined
      },
      timeoutMs,
      signal,
    )
    if (!parked.ok && !signal.aborted) await this.#stopAll()
    return parked
  }

  async unpark(): Promise<Outcome> {
    if (!this.can().has('park')) return done
    const now = this.#watch.fresh
    if (now && !now.parked && !now.slewing) return done
    const sent = await this.#session.do('unpark')
    if (!sent.ok) return sent
    return this.#watch.untilTrue((reading) => !reading.parked, 'the mount stays parked')
  }

  async home(timeoutMs = parkMs): Promise<Outcome> {
    if (!this.can().has('home')) return failure(this.#cannot('find its home'))
    const signal = this.#newMotion('home was asked for')
    const sent = await this.#session.do('home')
    if (!sent.ok) return sent
    const home = await this.#watch.until(
      (reading) => {
        if (reading.slewing) return undefined
        return reading.atHome ? done : failure(`the mount stopped before it was at home${because(reading)}`)
      },
      timeoutMs,
      signal,
    )
    if (!home.ok && !signal.aborted) await this.#stopAll()
    return home
  }

  /** A pulse longer than the protocol's four digits is sent in parts. */
  async guide(direction: Direction, milliseconds: number): Promise<Outcome> {
    if (!(milliseconds >= 0)) return failure('the length of the pulse is not a number of milliseconds')
    const { signal } = this.#hand
    for (let leftMs = Math.round(milliseconds); leftMs > 0; leftMs -= longestPulseMs) {
      const partMs = Math.min(leftMs, longestPulseMs)
      const sent = await this.#session.send({ type: 'pulse', direction, milliseconds: partMs })
      if (!sent.ok) return sent
      await this.#clock.sleep(partMs, signal).catch(() => undefined)
      if (signal.aborted) return failure(`aborted: ${String(signal.reason)}`)
    }
    return this.#session.line.ready ? done : failure(this.#session.line.words)
  }

  async move(direction: Direction, speed: number): Promise<Outcome> {
    if (!(speed > 0 && speed <= 1)) return failure('the speed is more than 0 and at most 1')
    this.#newMotion('the mount was moved by hand')
    this.#hand.abort('another movement')
    this.#hand = new AbortController()
    const rate = await this.#setSpeed(speed)
    if (!rate.ok) return rate
    return this.#session.send({ type: 'move', direction })
  }

  /** Each axis by itself: a slew or the tracking goes on. */
  async halt(): Promise<Outcome> {
    this.#hand.abort('the movement was ended')
    this.#hand = new AbortController()
    for (const direction of letters) {
      const stopped = await this.#session.stop({ type: 'stop', direction })
      if (!stopped.ok) return stopped
    }
    return done
  }

  async abort(): Promise<Outcome> {
    this.#motion.abort('the motion was aborted')
    this.#hand.abort('the motion was aborted')
    this.#hand = new AbortController()
    const stopped = await this.#stopAll()
    if (!stopped.ok) return stopped
    return this.#watch.untilTrue((reading) => !reading.slewing, 'the mount goes on slewing')
  }

  async limits(): Promise<({ readonly ok: true } & Lx200Limits) | Failure> {
    const horizon = await this.#session.query('horizonLimit')
    const overhead = await this.#session.query('overheadLimit')
    const [horizonDeg, overheadDeg] = [horizon, overhead].map((one) => (one.ok ? parsePlain(one.text) : undefined))
    if (horizonDeg === undefined || overheadDeg === undefined) return failure('the mount does not tell its limits')
    return { ok: true, horizonDeg, overheadDeg }
  }

  async setLimits({ horizonDeg, overheadDeg }: Lx200Limits): Promise<Outcome> {
    const horizon = await this.#session.set('horizonLimit', horizonDeg)
    return horizon.ok ? this.#session.set('overheadLimit', overheadDeg) : horizon
  }

  setPark(): Promise<Outcome> {
    if (!this.can().has('park')) return Promise.resolve(failure(this.#cannot('park')))
    return this.#session.do('setPark')
  }

  resetHome(): Promise<Outcome> {
    if (!this.can().has('home')) return Promise.resolve(failure(this.#cannot('find its home')))
    return this.#session.do('resetHome')
  }

  trackKing(): Promise<Outcome> {
    if (this.#session.dialect === 'onstep') return this.#session.do('trackKing')
    return this.#session.set('trackingFrequency', trackingHz.king)
  }

  setSite(site: Lx200Site): Promise<Outcome> {
    return tellSite(this.#session, site, this.#clock)
  }

  site(): Promise<Lx200Belief | Failure> {
    return readSite(this.#session, this.#clock)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#motion.abort('disposed')
    this.#hand.abort('disposed')
    await this.#session[Symbol.asyncDispose]()
  }

  // The wire -----------------------------------------------------------------------------------------------------------------

  async #greet(session: Lx200Session): Promise<Outcome> {
    this.#watch.begin(session)
    const { site } = this.#options
    return site ? tellSite(session, site, this.#clock) : done
  }

  #newMotion(reason: string): AbortSignal {
    this.#motion.abort(reason)
    this.#motion = new AbortController()
    return this.#motion.signal
  }

  #stopAll(): Promise<Outcome> {
    return this.#session.stop({ type: 'stop' })
  }

  async #begin(
    target: { raDeg: number; decDeg: number },
    what: 'goto' | 'sync',
    signal: AbortSignal,
  ): Promise<Outcome> {
    const there = fromIcrs(target, this.#clock.now())
    const ra = await this.#session.set('targetRightAscension', there.raDeg / 15)
    if (!ra.ok) return ra
    const dec = await this.#session.set('targetDeclination', there.decDeg)
    if (!dec.ok) return dec
    // Aborted while the target was on its way: nothing moves yet.
    if (what === 'goto' && signal.aborted) return failure(`aborted: ${String(signal.reason)}`)
    return this.#session.do(what)
  }

  async #setNamedRate(rate: 'sidereal' | 'solar' | 'lunar'): Promise<Outcome> {
    if (rate === 'sidereal') return this.#session.do('trackSidereal')
    if (rate === 'lunar') return this.#session.do('trackLunar')
    if (this.#session.dialect === 'onstep') return this.#session.do('trackSolar')
    return this.#session.set('trackingFrequency', trackingHz.solar)
  }

  /** The drive's frequency follows a target that moves in RA; these mounts have none for Dec. */
  async #setCustomRate(custom: CustomRate | undefined): Promise<Outcome> {
    if (!custom) return failure('a custom rate needs its speeds')
    if (custom.decArcsecPerSecond !== 0) return failure('this mount cannot track in declination')
    const hz = trackingHz.sidereal * (1 - custom.raArcsecPerSecond / siderealArcsecPerSecond)
    if (!(hz >= 30 && hz < 90)) return failure('the rate is outside what the mount takes: 30 to 90 Hz')
    return this.#session.set('trackingFrequency', hz)
  }

  #setSpeed(speed: number): Promise<Outcome> {
    if (this.#session.dialect === 'onstep') {
      return this.#session.send({ type: 'rate', rate: Math.max(1, Math.round(speed * 9)) })
    }
    const rates = ['rateGuide', 'rateCentre', 'rateFind', 'rateFastest'] as const
    return this.#session.do(rates[Math.min(3, Math.floor(speed * 4))] ?? 'rateFastest')
  }

  #cannot(what: string): string {
    return `${this.#session.product || 'this LX200 mount'} cannot ${what} by command`
  }
}

const unknownState = {
  connected: false,
  raDeg: Number.NaN,
  decDeg: Number.NaN,
  tracking: false,
  parked: false,
  slewing: false,
  pierSide: 'unknown',
} as const

const isOnSky = (raDeg: number, decDeg: number): boolean => Number.isFinite(raDeg) && Math.abs(decDeg) <= 90

import { toIcrs } from '@nightjar/firmware-bridge/devices/epoch.ts'
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import type { GateSettings } from '../../../contract/gateSettings.ts'
import { counterweightUpDeg, polarAxisDeg, wrapDeg } from '../../pier.ts'
import type { Command } from '../command.ts'
import type { History } from '../history.ts'
import { createReadings } from '../readings.ts'
import type { GateState, Lease, Sky } from '../state.ts'

/**
 * A small observatory with bodies that move: a mount with two axes of their own speeds, a roof with a motor, a cover, a sky
 * that turns, weather, mains, a clock that jumps, and links that fall silent. Its sensors tell the truth whenever they
 * tell; they may stop telling at any moment, for any time.
 */

const rad = Math.PI / 180
const secondsPerDay = 86_400
/** Degrees of hour angle that the sky turns in a second. */
const skyDegPerSecond = 360.98564736629 / secondsPerDay
const j2000Ms = Date.UTC(2000, 0, 1, 12)
export const roofSeconds = 30

export type Goal = 'none' | 'slew' | 'park' | 'home' | 'hand'
type LinkName = 'mount' | 'roof' | 'camera' | 'weather' | 'rain' | 'safety' | 'ups' | 'clock' | 'cover'
const linkNames: readonly LinkName[] = ['mount', 'roof', 'camera', 'weather', 'rain', 'safety', 'ups', 'clock', 'cover']

/** Chance of falling silent in a step: those that the roof and the mount hang on fail more often. */
const linkFails: Partial<Record<LinkName, number>> = { mount: 0.001, roof: 0.001, safety: 0.0003 }

interface Link {
  up: boolean
  /** Connected, and says so; a link that is down says nothing at all. */
  connected: boolean
  atMs: number
  said: Readonly<Record<string, unknown>> | undefined
}

/** Axis angles in degrees: hour angle and declination west of the pier, over the pole east of it. */
interface AxisPair {
  first: number
  second: number
}

export interface Place {
  readonly hourAngleDeg: number
  readonly decDeg: number
  readonly altitudeDeg: number
}

/** Where the Sun stands among the stars, degrees of date (Astronomical Almanac, low precision, 0.01°). */
export function sunOfDate(ms: number): { raDeg: number; decDeg: number } {
  const days = (ms - j2000Ms) / 86_400_000
  const anomaly = (357.528 + 0.9856003 * days) * rad
  const longitude = (280.46 + 0.9856474 * days + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * rad
  const obliquity = 23.44 * rad
  const raDeg = Math.atan2(Math.cos(obliquity) * Math.sin(longitude), Math.cos(longitude)) / rad
  return { raDeg: (raDeg + 360) % 360, decDeg: Math.asin(Math.sin(obliquity) * Math.sin(longitude)) / rad }
}

export const siderealDeg = (ms: number, longitudeDeg: number): number =>
  (((280.46061837 + (skyDegPerSecond * (ms - j2000Ms)) / 1000 + longitudeDeg) % 360) + 360) % 360

export function altitudeOf(hourAngleDeg: number, decDeg: number, latitudeDeg: number): number {
  const [h, d, l] = [hourAngleDeg * rad, decDeg * rad, latitudeDeg * rad]
  return Math.asin(Math.max(-1, Math.min(1, Math.sin(d) * Math.sin(l) + Math.cos(d) * Math.cos(l) * Math.cos(h)))) / rad
}

export class World {
  readonly random: Random
  readonly limits: GateSettings
  readonly latitudeDeg: number
  readonly longitudeDeg: number
  /** True UTC. */
  trueMs: number
  monotonicMs = 1_000_000
  wallOffsetMs = 0
  // The mount.
  readonly rest: AxisPair
  axes: AxisPair
  goal: Goal = 'none'
  target: AxisPair
  speeds: AxisPair = { first: 4, second: 4 }
  parked = true
  tracking = false
  jammed = false
  readonly tellsPierSide: boolean
  // The others.
  roof = 0
  roofMotor: -1 | 0 | 1 = 0
  roofStuck = false
  cover: 'open' | 'closed' = 'closed'
  exposingMs = 0
  raining = false
  /** When rain began or ended last, monotonic ms. */
  rainTurnedMs = 0
  /** The last rain was long enough for the sensors. */
  rainSeen = false
  /** A slew has just come to its end. */
  arrived = false
  wind = 3
  mains = true
  charge = 100
  readonly links = Object.fromEntries(
    linkNames.map((name) => [name, { up: true, connected: true, atMs: 0, said: undefined }]),
  ) as Record<LinkName, Link>
  readings: ReturnType<typeof createReadings>
  #sun = { raDeg: 0, decDeg: 0, forMs: Number.NaN }

  constructor(random: Random, limits: GateSettings, latitudeDeg: number, startMs: number) {
    this.random = random
    this.limits = limits
    this.latitudeDeg = latitudeDeg
    this.longitudeDeg = 360 * random.next() - 180
    this.trueMs = startMs
    this.rest = { first: -90, second: latitudeDeg < 0 ? -90 : 90 }
    this.axes = { ...this.rest }
    this.target = { ...this.rest }
    this.tellsPierSide = random.next() < 0.7
    this.readings = createReadings({ monotonic: () => this.monotonicMs })
  }

  get wallMs(): number {
    return this.trueMs + this.wallOffsetMs
  }

  get german(): boolean {
    return this.limits.pointing.mount === 'german'
  }

  /** Where the axes point. */
  place(axes: AxisPair = this.axes): Place {
    const over = Math.abs(axes.second) > 90
    const hourAngleDeg = wrapDeg(over ? axes.first + 180 : axes.first)
    const decDeg = over ? Math.sign(axes.second) * 180 - axes.second : axes.second
    return { hourAngleDeg, decDeg, altitudeDeg: altitudeOf(hourAngleDeg, decDeg, this.latitudeDeg) }
  }

  get side(): 'east' | 'west' {
    return Math.abs(this.axes.second) > 90 ? 'east' : 'west'
  }

  sunIcrs(ms: number): { raDeg: number; decDeg: number } {
    if (!(Math.abs(ms - this.#sun.forMs) < 600_000)) this.#sun = { ...toIcrs(sunOfDate(ms), ms), forMs: ms }
    return this.#sun
  }

  /** The Sun's true altitude and its angle from where the telescope points. */
  sunNow(): { altitudeDeg: number; awayDeg: number } {
    const sun = sunOfDate(this.trueMs)
    const sunHour = wrapDeg(siderealDeg(this.trueMs, this.longitudeDeg) - sun.raDeg)
    const { hourAngleDeg, decDeg } = this.place()
    const [a, b, h] = [decDeg * rad, sun.decDeg * rad, (hourAngleDeg - sunHour) * rad]
    const cosine = Math.sin(a) * Math.sin(b) + Math.cos(a) * Math.cos(b) * Math.cos(h)
    return {
      altitudeDeg: altitudeOf(sunHour, sun.decDeg, this.latitudeDeg),
      awayDeg: Math.acos(Math.max(-1, Math.min(1, cosine))) / rad,
    }
  }

  /** The telescope lies where the roof passes over it. */
  get clearOfRoof(): boolean {
    return Math.abs(this.axes.first - this.rest.first) < 0.5 && Math.abs(this.axes.second - this.rest.second) < 0.5
  }

  get moving(): boolean {
    return this.goal !== 'none'
  }

  get roofPosition(): RoofPosition {
    if (this.roofMotor !== 0) return this.roofMotor > 0 ? 'opening' : 'closing'
    return this.roof === 1 ? 'open' : this.roof === 0 ? 'closed' : 'unknown'
  }

  /** Lets time pass; the axes move on with the sky or to their goal. */
  pass(seconds: number): void {
    this.trueMs += seconds * 1000
    this.monotonicMs += seconds * 1000
    this.exposingMs = Math.max(0, this.exposingMs - seconds * 1000)
    this.charge = Math.max(0, Math.min(100, this.charge + (this.mains ? 0.02 : -0.02) * seconds))
    if (this.tracking) {
      this.axes.first += skyDegPerSecond * seconds
      this.target.first += this.goal === 'slew' ? skyDegPerSecond * seconds : 0
    }
    // A mount whose motors stall gives up, and says so.
    if (this.jammed) this.goal = 'none'
    this.arrived = false
    if (this.moving) this.#turn(seconds)
    this.#rollRoof(seconds)
  }

  /** What a person does who comes to see. */
  bringDown(): void {
    this.axes = { ...this.rest }
    this.goal = 'none'
    this.tracking = false
    this.parked = true
  }

  #turn(seconds: number): void {
    const toward = (at: number, goal: number, speed: number): number =>
      Math.abs(goal - at) <= speed * seconds ? goal : at + Math.sign(goal - at) * speed * seconds
    this.axes.first = toward(this.axes.first, this.target.first, this.speeds.first)
    this.axes.second = toward(this.axes.second, this.target.second, this.speeds.second)
    if (this.axes.first !== this.target.first || this.axes.second !== this.target.second) return
    if (this.goal === 'park') this.parked = true
    this.arrived = this.goal === 'slew'
    this.goal = 'none'
  }

  #rollRoof(seconds: number): void {
    if (this.roofMotor === 0) return
    if (!this.roofStuck) this.roof = Math.max(0, Math.min(1, this.roof + (this.roofMotor * seconds) / roofSeconds))
    if (this.roof === 0 || this.roof === 1) this.roofMotor = 0
  }

  /** Axis angles for a place of date, on the side that keeps the counterweight down, or the one it is on near the meridian. */
  axesFor(hourAngleDeg: number, decDeg: number): AxisPair {
    if (!this.german) {
      // The short way round.
      return { first: this.axes.first + wrapDeg(hourAngleDeg - this.axes.first), second: decDeg }
    }
    const stays = !this.parked && counterweightUpDeg(this.side, hourAngleDeg) <= 0
    const side = stays ? this.side : hourAngleDeg < 0 ? 'west' : 'east'
    const up = polarAxisDeg(side, hourAngleDeg)
    if (side === 'west') return { first: up, second: decDeg }
    return { first: -180 - up, second: Math.sign(this.rest.second) * 180 - decDeg }
  }

  /** What the sensors tell now, each as its link allows. */
  sense(history: History, lease: Lease | undefined): GateState {
    const { random } = this
    for (const name of linkNames) {
      const link = this.links[name]
      if (random.next() < (link.up ? (linkFails[name] ?? 0.0001) : 0.05)) link.up = !link.up
      if (random.next() < 0.00005) link.connected = false
      else if (!link.connected && random.next() < 0.1) link.connected = true
      if (link.up && random.next() < 0.7) {
        link.said = { ...this.#truth(name), connected: link.connected }
        link.atMs = this.wallMs
      }
    }
    const hear = (name: LinkName): never => {
      const { said, atMs } = this.links[name]
      return (said === undefined ? undefined : heardAs(this.readings.hear(name, { atMs, said }))) as never
    }
    return {
      nowMs: this.wallMs,
      monotonicMs: this.monotonicMs,
      sky: this.#sky(),
      mount: hear('mount'),
      roof: hear('roof'),
      camera: hear('camera'),
      weather: hear('weather'),
      rain: { rain: hear('rain') },
      safety: hear('safety'),
      ups: hear('ups'),
      clock: hear('clock'),
      cover: hear('cover'),
      disk: { value: { connected: true, freeBytes: 1e12 }, atMs: this.wallMs, heardMs: this.monotonicMs },
      lease,
      history,
    }
  }

  /** As the daemon works it out, from the clock that it has. */
  #sky(): Sky {
    const sun = this.sunIcrs(this.wallMs)
    const sidereal = siderealDeg(this.wallMs, this.longitudeDeg)
    const altitudeDeg = altitudeOf(wrapDeg(sidereal - sun.raDeg), sun.decDeg, this.latitudeDeg)
    return { latitudeDeg: this.latitudeDeg, siderealDeg: sidereal, sun: { ...sun, altitudeDeg } }
  }

  #truth(name: LinkName): Record<string, unknown> {
    switch (name) {
      case 'mount':
        return this.#mountSays()
      case 'roof':
        return { position: this.roofPosition }
      case 'camera':
        return { exposing: this.exposingMs > 0 }
      case 'weather':
        return { verdict: 'good', windMetresPerSecond: this.wind, humidityPercent: 50 }
      case 'rain':
        return { raining: this.raining }
      case 'safety':
        return { safe: true, reasons: [], raining: this.raining, mountParked: this.clearOfRoof }
      case 'ups':
        return { onMains: this.mains, lowBattery: this.charge < 10, chargePercent: this.charge }
      case 'clock':
        return { synchronised: true, offsetSeconds: this.wallOffsetMs / 1000, uncertaintySeconds: 0.05 }
      case 'cover':
        return { position: this.cover }
    }
  }

  /** The mount works out right ascensions by true time: it has a clock of its own. */
  #mountSays(): Record<string, unknown> {
    const { hourAngleDeg, decDeg } = this.place()
    const raDeg = (siderealDeg(this.trueMs, this.longitudeDeg) - hourAngleDeg + 360) % 360
    const pierSide = this.german && this.tellsPierSide ? this.side : 'unknown'
    return {
      ...toIcrs({ raDeg, decDeg }, this.trueMs),
      parked: this.parked,
      slewing: this.moving,
      tracking: this.tracking,
      pierSide,
    }
  }

  /** Does what a command says, if the link lets it through: blindly, as hardware does. */
  obey(
    command: Command,
    hourAngleOf: (raDeg: number, decDeg: number) => { hourAngleDeg: number; decDeg: number },
  ): void {
    const link: LinkName = /Roof|Dome/.test(command.kind) ? 'roof' : /Cover/.test(command.kind) ? 'cover' : 'mount'
    if (!this.links[link].up || this.random.next() < 0.02) return
    this.readings.commanded(link)
    switch (command.kind) {
      case 'unpark':
        this.parked = false
        break
      case 'park':
        this.#go('park', this.rest)
        break
      case 'slew': {
        const { hourAngleDeg, decDeg } = hourAngleOf(command.raDeg, command.decDeg)
        this.tracking = true
        this.#go('slew', this.axesFor(hourAngleDeg, decDeg))
        break
      }
      case 'home':
        this.#go('home', this.rest)
        break
      case 'move': {
        const step = command.speed * (this.random.next() - 0.5)
        this.#go('hand', { first: this.axes.first + step, second: this.axes.second + step / 2 })
        break
      }
      case 'track':
        if (!command.on || !this.parked) this.tracking = command.on
        if (!command.on) this.goal = 'none'
        break
      case 'halt':
      case 'abort':
        this.goal = 'none'
        break
      case 'expose':
        this.exposingMs = command.seconds * 1000
        break
      case 'openRoof':
        this.roofMotor = this.roof < 1 ? 1 : 0
        break
      case 'closeRoof':
        this.roofMotor = this.roof > 0 ? -1 : 0
        break
      case 'abortRoof':
        this.roofMotor = 0
        break
      case 'openCover':
        this.cover = 'open'
        break
      case 'closeCover':
        this.cover = 'closed'
        break
    }
  }

  #go(goal: Goal, target: AxisPair): void {
    if (this.parked) return
    this.goal = goal
    this.target = { ...target }
    this.speeds = { first: 1 + 4 * this.random.next(), second: 1 + 4 * this.random.next() }
    if (goal === 'park') this.tracking = false
  }
}

/** A reading of what a link said. */
function heardAs({ value, atMs, heardMs }: { value: { said: unknown }; atMs: number; heardMs: number }): unknown {
  return { value: value.said, atMs, heardMs }
}

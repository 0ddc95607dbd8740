/** The simulated LX200 mount itself: axes, drives, clock and memory, without its conversation. */
import type { Clock } from '../clock.ts'
import type { Precision } from '../lx200/angles.ts'
import { type Lx200Dialect, type LxDirection, trackingHz } from '../lx200/commands.ts'
import type { OnStepStatus, ParkState } from '../lx200/status.ts'
import { type Axes, advance, altitudeDeg, around, azimuthDeg, type Moved, mod, siderealDeg } from './lx200MountAxes.ts'

export interface BodyOptions {
  readonly clock: Clock
  readonly dialect: Lx200Dialect
  /** East positive. What the mount's own memory holds. */
  readonly site: { readonly latitudeDeg: number; readonly longitudeDeg: number }
  readonly slewDegPerSecond?: number
  readonly precision?: 'low' | 'high'
}

export interface Knowledge {
  /** Its clock minus ours. */
  clockErrorMs: number
  latitudeDeg: number
  /** East positive. */
  longitudeDeg: number
  utcOffsetHours: number
}

/** Degrees per second of OnStep's rates 0 to 9; Meade's four are 2, 5, 6 and 9. */
const handDegPerSecond = [0.25, 0.5, 1, 2, 4, 8, 20, 48, 240, 960].map((times) => (times * 15.041) / 3600)
const guideDegPerSecond = (0.5 * 15.041) / 3600

interface Pulse {
  readonly direction: LxDirection
  readonly untilMs: number
}

export type Purpose = 'goto' | 'park' | 'home'

export class Lx200MountBody {
  readonly knows: Knowledge
  readonly slewDegPerSecond: number
  /** A slew ends where it is. */
  stuck = false
  /** `:GU#`'s last digit. */
  error = 0
  axes: Moved
  purpose: Purpose = 'goto'
  park: ParkState = 'unparked'
  tracking: boolean
  atHome = true
  hz: number = trackingHz.sidereal
  compensation: OnStepStatus['compensation'] = 'none'
  rate = 6
  aim = { raHours: 0, decDeg: 0, altDeg: 0, azDeg: 0 }
  limits = { horizon: 0, overhead: 90 }
  precision: Precision
  clock24 = true
  land = false
  siteNames = ['Site1', 'Site2', 'Site3', 'Site4']
  site = 0
  readonly #clock: Clock
  readonly #dialect: Lx200Dialect
  #parkAt: Axes
  readonly #moves = new Set<LxDirection>()
  #pulses: Pulse[] = []
  #updatedAt: number

  constructor({ clock, dialect, site, slewDegPerSecond = 4, precision }: BodyOptions) {
    this.#clock = clock
    this.#dialect = dialect
    this.#updatedAt = clock.monotonic()
    this.slewDegPerSecond = slewDegPerSecond
    this.precision = precision ?? (dialect === 'onstep' ? 'high' : 'low')
    // Meade's mounts track from the moment that they are switched on.
    this.tracking = dialect === 'classic'
    this.knows = { clockErrorMs: 0, ...site, utcOffsetHours: 0 }
    this.#parkAt = this.#homeAxes()
    this.axes = { ...this.#homeAxes(), target: undefined }
  }

  get slewing(): boolean {
    return this.axes.target !== undefined
  }

  status(): OnStepStatus {
    const rates = Object.entries({ solar: trackingHz.solar, lunar: trackingHz.lunar, king: trackingHz.king } as const)
    return {
      tracking: this.tracking,
      slewing: this.slewing,
      park: this.park,
      atHome: this.atHome,
      homing: this.slewing && this.purpose === 'home',
      waitingAtHome: false,
      pulseGuiding: this.#pulses.length > 0,
      guiding: this.#moves.size > 0,
      ppsSynchronised: false,
      rate: rates.find(([, hz]) => Math.abs(hz - this.hz) < 0.001)?.[0] as 'solar' | 'lunar' | 'king' | undefined,
      compensation: this.compensation,
      mountType: 'equatorial',
      pierSide: this.pierSide(),
      error: this.error,
    }
  }

  // Commands -----------------------------------------------------------------------------------------------------------------

  /** 0, or why not: OnStep's digits for `:MS#`. */
  refusedGoto(): number {
    const haDeg = this.#aimHaDeg()
    const altitude = altitudeDeg(haDeg, this.aim.decDeg, this.knows.latitudeDeg)
    if (altitude < this.limits.horizon) return 1
    if (altitude > this.limits.overhead) return 2
    if (this.#dialect === 'classic') return 0
    if (this.park === 'parked') return 4
    return this.slewing ? 5 : 0
  }

  goto(): void {
    this.#slewTo({ haDeg: this.#aimHaDeg(), decDeg: this.aim.decDeg }, 'goto')
  }

  /** False when it is parked or slewing. */
  sync(): boolean {
    if (this.park === 'parked' || this.slewing) return false
    this.axes = { haDeg: this.#aimHaDeg(), decDeg: this.aim.decDeg, target: undefined }
    this.atHome = false
    return true
  }

  startPark(): void {
    this.park = 'parking'
    this.#slewTo(this.#parkAt, 'park')
  }

  setParkHere(): void {
    this.#parkAt = { haDeg: this.axes.haDeg, decDeg: this.axes.decDeg }
  }

  unpark(): void {
    this.park = 'unparked'
    this.tracking = true
  }

  goHome(): void {
    if (this.park !== 'parked') this.#slewTo(this.#homeAxes(), 'home')
  }

  resetHome(): void {
    this.axes = { ...this.#homeAxes(), target: undefined }
    this.#arriveHome()
  }

  move(direction: LxDirection): void {
    if (this.park === 'parked' || this.slewing) return
    this.atHome = false
    this.#moves.add(direction)
  }

  stop(direction: LxDirection | undefined): void {
    if (direction) {
      this.#moves.delete(direction)
      return
    }
    this.#moves.clear()
    this.#pulses = []
    if (this.park === 'parking') this.park = 'unparked'
    if (this.slewing && this.purpose !== 'goto') this.tracking = false
    this.axes = { ...this.axes, target: undefined }
  }

  /** False when it does not guide now. */
  pulse(direction: LxDirection, milliseconds: number): boolean {
    if (this.park === 'parked' || this.slewing || milliseconds > 16_399) return false
    this.#pulses.push({ direction, untilMs: this.#clock.monotonic() + milliseconds })
    return true
  }

  #slewTo(axes: Axes, purpose: Purpose): void {
    this.purpose = purpose
    this.#moves.clear()
    this.#pulses = []
    this.atHome = false
    if (purpose === 'goto') this.tracking = true
    const there = this.stuck ? { haDeg: this.axes.haDeg, decDeg: this.axes.decDeg } : axes
    this.axes = { ...this.axes, target: { ...there, follows: purpose === 'goto' ? 'sky' : 'ground' } }
  }

  #aimHaDeg(): number {
    return around(this.siderealDeg() - this.aim.raHours * 15)
  }

  #homeAxes(): Axes {
    return { haDeg: -90, decDeg: this.knows.latitudeDeg < 0 ? -90 : 90 }
  }

  #arriveHome(): void {
    this.atHome = true
    this.tracking = false
    this.park = 'unparked'
  }

  // Motion -------------------------------------------------------------------------------------------------------------------

  /** From the last command to now, in parts that end where a pulse does. */
  advance(): void {
    const now = this.#clock.monotonic()
    while (this.#updatedAt < now) {
      const ends = this.#pulses.map((pulse) => pulse.untilMs).filter((at) => at > this.#updatedAt)
      const until = Math.min(now, ...ends)
      this.#advanceTo(until)
      this.#pulses = this.#pulses.filter((pulse) => pulse.untilMs > until)
    }
  }

  #advanceTo(until: number): void {
    const seconds = (until - this.#updatedAt) / 1000
    this.#updatedAt = until
    const target = this.axes.target
    this.axes = advance(this.axes, seconds, {
      slewDegPerSecond: this.slewDegPerSecond,
      trackRate: this.tracking && this.park !== 'parking' ? this.hz / trackingHz.sidereal : 0,
      hand: { east: this.#hand('east', 'west'), north: this.#hand('north', 'south') },
    })
    if (target && !this.axes.target) this.#arrive()
  }

  #hand(plus: LxDirection, minus: LxDirection): number {
    const speed = handDegPerSecond[this.rate] ?? 0
    const moved = (direction: LxDirection): number =>
      (this.#moves.has(direction) ? speed : 0) +
      this.#pulses.filter((pulse) => pulse.direction === direction).length * guideDegPerSecond
    return moved(plus) - moved(minus)
  }

  #arrive(): void {
    if (this.purpose === 'park') {
      this.park = 'parked'
      this.tracking = false
    }
    if (this.purpose === 'home') this.#arriveHome()
  }

  // Where and when -----------------------------------------------------------------------------------------------------------

  raDeg(): number {
    return mod(this.siderealDeg() - this.axes.haDeg, 360)
  }

  altitude(): number {
    return altitudeDeg(this.axes.haDeg, this.axes.decDeg, this.knows.latitudeDeg)
  }

  azimuth(): number {
    return azimuthDeg(this.axes.haDeg, this.axes.decDeg, this.knows.latitudeDeg)
  }

  /** A German mount looks east from the west side of its pier; at the pole it is on neither. */
  pierSide(): 'east' | 'west' | 'unknown' {
    if (Math.abs(this.axes.decDeg) >= 89.99) return 'unknown'
    return this.axes.haDeg < 0 ? 'west' : 'east'
  }

  siderealDeg(): number {
    return siderealDeg(this.#mountMs(), this.knows.longitudeDeg)
  }

  /** Unix ms as if its local time were UTC. */
  localMs(): number {
    return this.#mountMs() - this.knows.utcOffsetHours * 3_600_000
  }

  /** A new date keeps the time of day, a new time the date; both are local. */
  setClock(dateMs: number | undefined, hours: number | undefined): void {
    const local = this.localMs()
    const day = dateMs ?? local - mod(local, 86_400_000)
    const time = hours === undefined ? mod(local, 86_400_000) : hours * 3_600_000
    this.knows.clockErrorMs = day + time + this.knows.utcOffsetHours * 3_600_000 - this.#clock.now()
  }

  #mountMs(): number {
    return this.#clock.now() + this.knows.clockErrorMs
  }
}

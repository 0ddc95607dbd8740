/**
 * An LX200 mount that answers as the real ones do: Meade's classic set, or OnStep's. It needs no timer: what happened since
 * the last command is worked out when the next one comes. Debian's indi_lx200basic, indi_lx200classic and
 * indi_lx200_OnStep take it for a mount.
 */
import type { Clock } from '../clock.ts'
import { formatDate, formatDegrees, formatHours, type Precision } from '../lx200/angles.ts'
import { createCommandReader } from '../lx200/codec.ts'
import {
  type ActionName,
  type Lx200Command,
  type Lx200Dialect,
  type LxDirection,
  type QueryName,
  type SettingName,
  trackingHz,
} from '../lx200/commands.ts'
import { formatStatus, type OnStepStatus, type ParkState } from '../lx200/status.ts'
import type { Random } from '../random.ts'
import { toBytes } from '../wire/line.ts'
import type { Accept } from '../wire/serialServe.ts'
import type { Wire, WireHandlers } from '../wire/wire.ts'
import { type Axes, advance, altitudeDeg, around, azimuthDeg, type Moved, mod, siderealDeg } from './lx200MountAxes.ts'

export interface Lx200SimulatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly dialect: Lx200Dialect
  /** East positive. What the mount's own memory holds. */
  readonly site: { readonly latitudeDeg: number; readonly longitudeDeg: number }
  /** What `:GVP#` answers; `undefined` answers nothing, as the first LX200 does. */
  readonly product?: string | undefined
  readonly slewDegPerSecond?: number
  readonly precision?: 'low' | 'high'
}

/** What goes wrong with it or its cable. */
export interface Lx200Trouble {
  /** Answers nothing. */
  readonly silent?: boolean
  /** Answers so much later. */
  readonly lateMs?: number
  /** This part of the answers is changed in one bit, 0 to 1. */
  readonly garbled?: number
  /** This part of the answers is cut short, 0 to 1. */
  readonly cut?: number
  /** `:GU#`'s last digit. */
  readonly error?: number
  /** A slew ends where it is. */
  readonly stuck?: boolean
}

export interface Lx200Pointing {
  /** Of date, degrees. */
  readonly raDeg: number
  readonly decDeg: number
  readonly haDeg: number
  readonly altitudeDeg: number
  readonly tracking: boolean
  readonly slewing: boolean
  readonly park: ParkState
  readonly trackingHz: number
}

export interface Lx200Simulator {
  readonly accept: Accept
  trouble(what: Lx200Trouble): void
  pointing(): Lx200Pointing
  /** Every command since the start, as text between `:` and `#`. */
  readonly heard: readonly string[]
  /** How far its clock is from ours, ms, and where it thinks it is (east positive). */
  readonly knows: { clockErrorMs: number; latitudeDeg: number; longitudeDeg: number; utcOffsetHours: number }
}

const mostHeard = 10_000
/** Degrees per second of OnStep's rates 0 to 9; Meade's four are 2, 5, 6 and 9. */
const handDegPerSecond = [0.25, 0.5, 1, 2, 4, 8, 20, 48, 240, 960].map((times) => (times * 15.041) / 3600)
const guideDegPerSecond = (0.5 * 15.041) / 3600

interface Pulse {
  readonly direction: LxDirection
  readonly untilMs: number
}

export function createLx200MountSimulator(options: Lx200SimulatorOptions): Lx200Simulator {
  return new Simulator(options)
}

class Simulator implements Lx200Simulator {
  readonly heard: string[] = []
  readonly knows
  readonly #options: Lx200SimulatorOptions
  readonly #clock: Clock
  #trouble: Lx200Trouble = {}
  #axes: Moved = { haDeg: -90, decDeg: 90, target: undefined }
  #purpose: 'goto' | 'park' | 'home' = 'goto'
  #parkAt: Axes = { haDeg: -90, decDeg: 90 }
  #park: ParkState = 'unparked'
  #tracking = true
  #atHome = true
  #hz: number = trackingHz.sidereal
  #compensation: OnStepStatus['compensation'] = 'none'
  #rate = 6
  #moves = new Set<LxDirection>()
  #pulses: Pulse[] = []
  #aim = { raHours: 0, decDeg: 0, altDeg: 0, azDeg: 0 }
  #limits = { horizon: 0, overhead: 90 }
  #precision: Precision
  #clock24 = true
  #land = false
  #siteNames = ['Site1', 'Site2', 'Site3', 'Site4']
  #site = 0
  #lastError = 0
  #values = new Map<string, string>([
    ['E9', '15'],
    ['EA', '15'],
  ])
  #updatedAt: number

  constructor(options: Lx200SimulatorOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#updatedAt = options.clock.monotonic()
    this.#precision = options.precision ?? (options.dialect === 'onstep' ? 'high' : 'low')
    this.#tracking = options.dialect === 'classic'
    this.#park = 'unparked'
    const { latitudeDeg, longitudeDeg } = options.site
    this.knows = { clockErrorMs: 0, latitudeDeg, longitudeDeg, utcOffsetHours: 0 }
    this.#axes = { haDeg: -90, decDeg: latitudeDeg < 0 ? -90 : 90, target: undefined }
    this.#parkAt = { haDeg: -90, decDeg: this.#axes.decDeg }
  }

  accept: Accept = (open) => {
    const reader = createCommandReader((command) => this.#hear(command, wire))
    const handlers: WireHandlers = { onBytes: (bytes) => reader.push(bytes), onClose: () => undefined }
    const wire = open(handlers)
  }

  trouble(what: Lx200Trouble): void {
    this.#trouble = what
  }

  pointing(): Lx200Pointing {
    this.#advance()
    return {
      raDeg: this.#raDeg(),
      decDeg: this.#axes.decDeg,
      haDeg: this.#axes.haDeg,
      altitudeDeg: this.#altitude(),
      tracking: this.#tracking,
      slewing: this.#axes.target !== undefined,
      park: this.#park,
      trackingHz: this.#hz,
    }
  }

  // Conversation -------------------------------------------------------------------------------------------------------------

  #hear(command: Lx200Command, wire: Wire): void {
    this.#advance()
    if (this.heard.length < mostHeard) this.heard.push(describe(command))
    const reply = this.#answer(command)
    if (reply === '' || this.#trouble.silent) return
    const { random } = this.#options
    const { garbled = 0, cut = 0, lateMs = 0 } = this.#trouble
    let text = reply
    if (garbled > 0 && random.next() < garbled) {
      const at = random.integer(text.length)
      text =
        text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.integer(8))) + text.slice(at + 1)
    }
    if (cut > 0 && random.next() < cut) text = text.slice(0, random.integer(text.length))
    const send = (): void => void wire.write(toBytes(text)).catch(() => undefined)
    if (lateMs > 0) void this.#clock.sleep(lateMs).then(send)
    else send()
  }

  #answer(command: Lx200Command): string {
    switch (command.type) {
      case 'alignmentQuery':
        return this.#land ? 'L' : this.#onStep ? 'P' : 'P'
      case 'query':
        return this.#query(command.what)
      case 'queryValue':
        return this.#queryValue(command.code)
      case 'set':
        return this.#set(command.what, command.value)
      case 'setValue':
        this.#values.set(command.code, command.value)
        return this.#accept()
      case 'setDate':
        this.#setClock(Date.UTC(command.year, command.month - 1, command.day), undefined)
        return this.#onStep ? this.#accept() : `1Updating Planetary Data#${' '.repeat(30)}#`
      case 'setSiteName':
        this.#siteNames[command.site - 1] = command.name
        return this.#accept()
      case 'selectSite':
        this.#site = command.site
        return ''
      case 'do':
        return this.#do(command.what)
      case 'move':
        return this.#move(command.direction)
      case 'stop':
        return this.#stop(command.direction)
      case 'pulse':
        return this.#pulse(command.direction, command.milliseconds)
      case 'rate':
        this.#rate = command.rate
        return ''
      case 'unknown':
        return this.#onStep ? this.#refuse(2) : ''
    }
  }

  get #onStep(): boolean {
    return this.#options.dialect === 'onstep'
  }

  #accept(): string {
    this.#lastError = 0
    return '1'
  }

  /** OnStep's `CommandErrors`. */
  #refuse(error: number): string {
    this.#lastError = error
    return '0'
  }

  // Questions ----------------------------------------------------------------------------------------------------------------

  #query(what: QueryName): string {
    const text = this.#told(what)
    if (text === undefined) return this.#onStep ? this.#refuse(2) : ''
    return `${text}#`
  }

  #told(what: QueryName): string | undefined {
    return this.#toldCoordinates(what) ?? this.#toldSite(what) ?? this.#toldOnStep(what)
  }

  #toldCoordinates(what: QueryName): string | undefined {
    const hours = (value: number, precision = this.#precision): string => formatHours(value, precision)
    const degrees = (value: number, precision = this.#precision): string =>
      formatDegrees(value, { precision, digits: 2, signed: true, separator: this.#onStep ? ':' : "'" })
    const highest = (text: string): string | undefined => (this.#onStep ? text : undefined)
    const { haDeg, decDeg } = this.#axes
    switch (what) {
      case 'rightAscension':
        return hours(this.#raDeg() / 15)
      case 'rightAscensionHigh':
        return highest(hours(this.#raDeg() / 15, 'highest'))
      case 'declination':
        return degrees(decDeg)
      case 'declinationHigh':
        return highest(degrees(decDeg, 'highest'))
      case 'targetRightAscension':
        return hours(this.#aim.raHours)
      case 'targetRightAscensionHigh':
        return highest(hours(this.#aim.raHours, 'highest'))
      case 'targetDeclination':
        return degrees(this.#aim.decDeg)
      case 'targetDeclinationHigh':
        return highest(degrees(this.#aim.decDeg, 'highest'))
      case 'altitude':
        return degrees(this.#altitude())
      case 'azimuth':
        return formatDegrees(azimuthDeg(haDeg, decDeg, this.knows.latitudeDeg), {
          precision: this.#precision,
          digits: 3,
          signed: false,
          separator: "'",
        })
      default:
        return undefined
    }
  }

  #toldSite(what: QueryName): string | undefined {
    const { latitudeDeg, longitudeDeg, utcOffsetHours } = this.knows
    const style = { precision: 'low', signed: true } as const
    const local = this.#mountMs() - utcOffsetHours * 3_600_000
    const localHours = mod(local, 86_400_000) / 3_600_000
    switch (what) {
      case 'localTime':
        return formatHours(localHours, 'high')
      case 'localTimeHigh':
        return this.#onStep ? formatHours(localHours, 'highest') : undefined
      case 'localTime12':
        return formatHours(mod(localHours, 12), 'high')
      case 'date':
        return formatDate(local)
      case 'clockFormat':
        return this.#clock24 ? '24' : '12'
      case 'utcOffset':
        return `${utcOffsetHours < 0 ? '-' : '+'}${String(Math.abs(utcOffsetHours)).padStart(2, '0')}`
      case 'siderealTime':
        return formatHours(this.#siderealDeg() / 15, 'high')
      case 'latitude':
        return formatDegrees(latitudeDeg, { ...style, digits: 2 })
      case 'latitudeHigh':
        return this.#onStep ? formatDegrees(latitudeDeg, { ...style, precision: 'highest', digits: 2 }) : undefined
      case 'longitude':
        return formatDegrees(-longitudeDeg, { ...style, digits: 3 })
      case 'longitudeHigh':
        return this.#onStep ? formatDegrees(-longitudeDeg, { ...style, precision: 'highest', digits: 3 }) : undefined
      case 'siteName1':
      case 'siteName2':
      case 'siteName3':
      case 'siteName4':
        return this.#siteNames[Number(what.slice(-1)) - 1]
      case 'site':
        return String(this.#site)
      default:
        return undefined
    }
  }

  #toldOnStep(what: QueryName): string | undefined {
    const { product } = this.#options
    switch (what) {
      case 'horizonLimit':
        return `${this.#limits.horizon < 0 ? '-' : '+'}${String(Math.abs(this.#limits.horizon)).padStart(2, '0')}*`
      case 'overheadLimit':
        return `${String(this.#limits.overhead).padStart(2, '0')}*`
      case 'trackingFrequency':
        return this.#onStep ? (this.#tracking ? this.#hz : 0).toFixed(5) : this.#hz.toFixed(1)
      case 'distanceBars':
        return this.#axes.target ? '\x7f' : ''
      case 'alignment':
        return `${this.#onStep ? 'G' : 'P'}${this.#tracking ? 'T' : 'N'}1`
      case 'productName':
        return product ?? (this.#onStep && !('product' in this.#options) ? 'On-Step' : undefined)
      case 'firmwareNumber':
        return this.#onStep ? '4.24i' : product && '4.2g'
      case 'firmwareDate':
        return this.#onStep || product ? 'Nov 06 2023' : undefined
      case 'firmwareTime':
        return this.#onStep || product ? '05:08:39' : undefined
      default:
        return this.#onStep ? this.#toldStatus(what) : undefined
    }
  }

  #toldStatus(what: QueryName): string | undefined {
    switch (what) {
      case 'status':
        return formatStatus(this.#status(), 2, this.#rate)
      case 'pierSide':
        return { east: 'E', west: 'W', unknown: 'N' }[this.#pierSide()]
      case 'lastError':
        return String(this.#lastError).padStart(2, '0')
      case 'firmwareMessage':
        return 'On-Step 4.24i'
      case 'backlashDec':
      case 'backlashRa':
        return '0'
      case 'alignmentStars':
        return '900'
      case 'pecStatus':
        return 'I'
      default:
        return undefined
    }
  }

  #status(): OnStepStatus {
    const rates = Object.entries({ solar: trackingHz.solar, lunar: trackingHz.lunar, king: trackingHz.king } as const)
    return {
      tracking: this.#tracking,
      slewing: this.#axes.target !== undefined,
      park: this.#park,
      atHome: this.#atHome,
      homing: this.#axes.target !== undefined && this.#purpose === 'home',
      waitingAtHome: false,
      pulseGuiding: this.#pulses.length > 0,
      guiding: this.#moves.size > 0,
      ppsSynchronised: false,
      rate: rates.find(([, hz]) => Math.abs(hz - this.#hz) < 0.001)?.[0] as 'solar' | 'lunar' | 'king' | undefined,
      compensation: this.#compensation,
      mountType: 'equatorial',
      pierSide: this.#pierSide(),
      error: this.#trouble.error ?? 0,
    }
  }

  #queryValue(code: string): string {
    const computed: Readonly<Record<string, string>> = {
      '90': '0.50',
      '92': '1.000',
      '93': '1.000',
      '94': { east: '1', west: '2', unknown: '0' }[this.#pierSide()],
      '95': '0',
      '96': 'B',
      '97': (this.#options.slewDegPerSecond ?? 4).toFixed(1),
      '98': 'N',
      '99': '1.000',
      '9A': '10.0',
      '9B': '1010.0',
      '9C': '70.0',
      '9D': '150.0',
      '9E': '4.7',
      '9F': '20',
    }
    // The model of the pointing: nothing to correct.
    const model = /^0[0-9]$/.test(code) ? '0' : undefined
    const text = this.#values.get(code) ?? computed[code] ?? model
    return this.#onStep ? (text === undefined ? this.#refuse(2) : `${text}#`) : ''
  }

  // Commands -----------------------------------------------------------------------------------------------------------------

  #set(what: SettingName, value: number): string {
    switch (what) {
      case 'targetRightAscension':
        return this.#within(value, 0, 24, () => (this.#aim.raHours = value))
      case 'targetDeclination':
        return this.#within(value, -90, 90, () => (this.#aim.decDeg = value))
      case 'targetAltitude':
        return this.#within(value, -90, 90, () => (this.#aim.altDeg = value))
      case 'targetAzimuth':
        return this.#within(value, 0, 360, () => (this.#aim.azDeg = value))
      case 'latitude':
        return this.#within(value, -90, 90, () => (this.knows.latitudeDeg = value))
      case 'longitudeWest':
        return this.#within(value, -180, 360, () => (this.knows.longitudeDeg = around(-value)))
      case 'utcOffset':
        return this.#within(value, -24, 24, () => (this.knows.utcOffsetHours = value))
      case 'localTime':
        return this.#within(value, 0, 24, () => this.#setClock(undefined, value))
      case 'siderealTime':
        return this.#accept()
      case 'horizonLimit':
        return this.#within(value, -30, 30, () => (this.#limits.horizon = value))
      case 'overheadLimit':
        return this.#within(value, 60, 90, () => (this.#limits.overhead = value))
      case 'trackingFrequency':
        return this.#setFrequency(value)
      case 'mostSlewRate':
        return this.#within(value, 2, 8, () => undefined)
    }
  }

  #within(value: number, least: number, most: number, take: () => unknown): string {
    if (!(value >= least && value <= most)) return this.#refuse(4)
    take()
    return this.#accept()
  }

  #setFrequency(hz: number): string {
    if (this.#axes.target) return this.#refuse(22)
    if (Math.abs(hz) < 0.1) {
      this.#tracking = false
      return this.#accept()
    }
    return this.#within(hz, 30, 90, () => {
      this.#hz = hz
      this.#tracking = true
    })
  }

  #do(what: ActionName): string {
    switch (what) {
      case 'goto':
        return this.#goto()
      case 'sync':
      case 'syncQuietly':
        return this.#sync(what === 'sync')
      case 'park':
      case 'setPark':
      case 'unpark':
      case 'home':
      case 'resetHome':
        return this.#parkOrHome(what)
      case 'togglePrecision':
        this.#precision = this.#precision === 'low' ? 'high' : 'low'
        return ''
      case 'toggleClockFormat':
        this.#clock24 = !this.#clock24
        return ''
      case 'toggleHighPrecisionPointing':
        return 'LOW PRECISION'
      case 'homeStatus':
        return this.#onStep ? this.#refuse(2) : '1'
      case 'focuserPresent':
      case 'secondFocuserPresent':
        return this.#onStep ? this.#refuse(1) : ''
      case 'rateGuide':
      case 'rateCentre':
      case 'rateFind':
      case 'rateFastest':
        this.#rate = { rateGuide: 2, rateCentre: 5, rateFind: 6, rateFastest: 9 }[what]
        return ''
      case 'alignLand':
      case 'alignPolar':
      case 'alignAltAz':
        this.#land = what === 'alignLand'
        this.#tracking = !this.#land
        return ''
      default:
        return this.#track(what)
    }
  }

  #track(what: ActionName): string {
    switch (what) {
      case 'trackOn':
      case 'trackOff':
        if (this.#axes.target) return this.#refuse(22)
        if (what === 'trackOn' && this.#park === 'parked') return this.#refuse(9)
        this.#tracking = what === 'trackOn'
        if (this.#tracking) this.#atHome = false
        return this.#onStep ? this.#accept() : ''
      case 'trackSidereal':
        return this.#follow(trackingHz.sidereal)
      case 'trackSolar':
        return this.#follow(trackingHz.solar)
      case 'trackLunar':
        return this.#follow(trackingHz.lunar)
      case 'trackKing':
        return this.#follow(trackingHz.king)
      case 'trackReset':
        return this.#follow(trackingHz.sidereal)
      case 'trackFaster':
      case 'trackSlower':
        return this.#follow(this.#hz + (what === 'trackFaster' ? 0.02 : -0.02))
      case 'compensateFully':
      case 'compensateRefraction':
      case 'compensateNothing':
        this.#compensation = what === 'compensateFully' ? 'full' : what === 'compensateNothing' ? 'none' : 'refraction'
        return this.#accept()
      case 'compensateOneAxis':
      case 'compensateBothAxes':
        return this.#accept()
      default:
        return this.#onStep ? this.#refuse(2) : ''
    }
  }

  #follow(hz: number): string {
    this.#hz = hz
    this.#lastError = 0
    return ''
  }

  /** OnStep's digits; Meade's `1…#` and `2…#`. */
  #goto(): string {
    const code = this.#refusedGoto()
    if (code !== 0) {
      this.#lastError = 14 + code
      const words = ['', 'Object Below Horizon', 'Object Below Higher'][code] ?? 'Refused'
      return this.#onStep ? String(code) : `${Math.min(code, 2)}${words}#`
    }
    const haDeg = around(this.#siderealDeg() - this.#aim.raHours * 15)
    this.#slewTo({ haDeg, decDeg: this.#aim.decDeg }, 'goto')
    return '0'
  }

  #refusedGoto(): number {
    const haDeg = around(this.#siderealDeg() - this.#aim.raHours * 15)
    const altitude = altitudeDeg(haDeg, this.#aim.decDeg, this.knows.latitudeDeg)
    if (altitude < this.#limits.horizon) return 1
    if (altitude > this.#limits.overhead) return 2
    if (!this.#onStep) return 0
    if (this.#park === 'parked') return 4
    if (this.#axes.target) return 5
    return 0
  }

  #slewTo(axes: Axes, purpose: 'goto' | 'park' | 'home'): void {
    this.#purpose = purpose
    this.#moves.clear()
    this.#pulses = []
    this.#atHome = false
    if (purpose === 'goto') this.#tracking = true
    const there = this.#trouble.stuck ? { haDeg: this.#axes.haDeg, decDeg: this.#axes.decDeg } : axes
    this.#axes = { ...this.#axes, target: { ...there, follows: purpose === 'goto' ? 'sky' : 'ground' } }
  }

  #sync(answered: boolean): string {
    if (this.#park === 'parked' || this.#axes.target) return this.#onStep && answered ? '1' : ''
    const haDeg = around(this.#siderealDeg() - this.#aim.raHours * 15)
    this.#axes = { haDeg, decDeg: this.#aim.decDeg, target: undefined }
    this.#atHome = false
    if (!answered) return ''
    return this.#onStep ? 'N/A#' : " M31 EX GAL MAG 3.5 SZ178.0'#"
  }

  #parkOrHome(what: 'park' | 'setPark' | 'unpark' | 'home' | 'resetHome'): string {
    switch (what) {
      case 'park':
        if (this.#park === 'parked') return this.#onStep ? this.#refuse(9) : ''
        this.#park = 'parking'
        this.#slewTo(this.#parkAt, 'park')
        return this.#onStep ? this.#accept() : ''
      case 'setPark':
        if (this.#park !== 'unparked') return this.#refuse(9)
        this.#parkAt = { haDeg: this.#axes.haDeg, decDeg: this.#axes.decDeg }
        return this.#accept()
      case 'unpark':
        if (this.#park !== 'parked') return this.#refuse(11)
        this.#park = 'unparked'
        this.#tracking = true
        return this.#accept()
      case 'home':
        if (this.#park !== 'parked') this.#slewTo(this.#homeAxes(), 'home')
        return ''
      case 'resetHome':
        this.#axes = { ...this.#homeAxes(), target: undefined }
        this.#arriveHome()
        return ''
    }
  }

  #homeAxes(): Axes {
    return { haDeg: -90, decDeg: this.knows.latitudeDeg < 0 ? -90 : 90 }
  }

  #arriveHome(): void {
    this.#atHome = true
    this.#tracking = false
    this.#park = 'unparked'
  }

  #move(direction: LxDirection): string {
    if (this.#park === 'parked' || this.#axes.target) return ''
    this.#atHome = false
    this.#moves.add(direction)
    return ''
  }

  #stop(direction: LxDirection | undefined): string {
    if (direction) {
      this.#moves.delete(direction)
      return ''
    }
    this.#moves.clear()
    this.#pulses = []
    if (this.#park === 'parking') this.#park = 'unparked'
    if (this.#axes.target && this.#purpose !== 'goto') this.#tracking = false
    this.#axes = { ...this.#axes, target: undefined }
    return ''
  }

  #pulse(direction: LxDirection, milliseconds: number): string {
    if (this.#park === 'parked' || this.#axes.target || milliseconds > 16_399)
      return this.#onStep ? this.#refuse(22) : ''
    this.#pulses.push({ direction, untilMs: this.#clock.monotonic() + milliseconds })
    return ''
  }

  // Motion -------------------------------------------------------------------------------------------------------------------

  /** From the last command to now, in parts that end where a pulse does. */
  #advance(): void {
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
    const target = this.#axes.target
    this.#axes = advance(this.#axes, seconds, {
      slewDegPerSecond: this.#options.slewDegPerSecond ?? 4,
      trackRate: this.#tracking && this.#park !== 'parking' ? this.#hz / trackingHz.sidereal : 0,
      hand: { east: this.#hand('east', 'west'), north: this.#hand('north', 'south') },
    })
    if (target && !this.#axes.target) this.#arrive()
  }

  #hand(plus: LxDirection, minus: LxDirection): number {
    const speed = handDegPerSecond[this.#rate] ?? 0
    const moved = (direction: LxDirection): number =>
      (this.#moves.has(direction) ? speed : 0) +
      this.#pulses.filter((pulse) => pulse.direction === direction).length * guideDegPerSecond
    return moved(plus) - moved(minus)
  }

  #arrive(): void {
    if (this.#purpose === 'park') {
      this.#park = 'parked'
      this.#tracking = false
    }
    if (this.#purpose === 'home') this.#arriveHome()
  }

  #raDeg(): number {
    return mod(this.#siderealDeg() - this.#axes.haDeg, 360)
  }

  #altitude(): number {
    return altitudeDeg(this.#axes.haDeg, this.#axes.decDeg, this.knows.latitudeDeg)
  }

  /** A German mount looks east from the west side of its pier; at the pole it is on neither. */
  #pierSide(): 'east' | 'west' | 'unknown' {
    if (Math.abs(this.#axes.decDeg) >= 89.99) return 'unknown'
    return this.#axes.haDeg < 0 ? 'west' : 'east'
  }

  #mountMs(): number {
    return this.#clock.now() + this.knows.clockErrorMs
  }

  #siderealDeg(): number {
    return siderealDeg(this.#mountMs(), this.knows.longitudeDeg)
  }

  /** A new date keeps the time of day, a new time the date; both are local. */
  #setClock(dateMs: number | undefined, hours: number | undefined): void {
    const offsetMs = this.knows.utcOffsetHours * 3_600_000
    const local = this.#mountMs() - offsetMs
    const day = dateMs ?? local - mod(local, 86_400_000)
    const time = hours === undefined ? mod(local, 86_400_000) : hours * 3_600_000
    this.knows.clockErrorMs = day + time + offsetMs - this.#clock.now()
  }
}

function describe(command: Lx200Command): string {
  if (command.type === 'unknown') return `unknown ${command.text}`
  if (command.type === 'pulse') return `pulse ${command.direction} ${command.milliseconds}`
  if ('what' in command) return 'value' in command ? `${command.what} ${command.value}` : command.what
  return 'direction' in command && command.direction ? `${command.type} ${command.direction}` : command.type
}

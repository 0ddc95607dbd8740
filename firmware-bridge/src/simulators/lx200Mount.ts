/**
 * An LX200 mount that answers as the real ones do: Meade's classic set, or OnStep's. It needs no timer: what happened since
 * the last command is worked out when the next one comes. Debian's indi_lx200basic, indi_lx200classic and
 * indi_lx200_OnStep take it for a mount.
 */
import { createCommandReader } from '../lx200/codec.ts'
import { type ActionName, type Lx200Command, type QueryName, type SettingName, trackingHz } from '../lx200/commands.ts'
import type { ParkState } from '../lx200/status.ts'
import type { Random } from '../random.ts'
import { toBytes } from '../wire/line.ts'
import type { Accept } from '../wire/serialServe.ts'
import type { Wire, WireHandlers } from '../wire/wire.ts'
import { tell, tellValue } from './lx200MountAnswers.ts'
import { around } from './lx200MountAxes.ts'
import { type BodyOptions, type Knowledge, Lx200MountBody } from './lx200MountBody.ts'

export interface Lx200SimulatorOptions extends BodyOptions {
  readonly random: Random
  /** What `:GVP#` answers; undefined answers nothing, as the first LX200 does. OnStep's own name when left out. */
  readonly product?: string | undefined
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
  /** Every command since the start, by the names of `commands.ts`. */
  readonly heard: readonly string[]
  /** What it believes of place and time. */
  readonly knows: Knowledge
}

const mostHeard = 10_000
/** OnStep's `CommandErrors`. */
const errors = { no: 1, unknown: 2, range: 4, parked: 9, notParked: 11, belowHorizon: 15, inMotion: 22 } as const

export function createLx200MountSimulator(options: Lx200SimulatorOptions): Lx200Simulator {
  return new Simulator(options)
}

class Simulator implements Lx200Simulator {
  readonly heard: string[] = []
  readonly #options: Lx200SimulatorOptions
  readonly #body: Lx200MountBody
  readonly #onStep: boolean
  readonly #product: string | undefined
  #trouble: Lx200Trouble = {}
  #lastError = 0
  readonly #values = new Map<string, string>([
    ['E9', '15'],
    ['EA', '15'],
  ])

  constructor(options: Lx200SimulatorOptions) {
    this.#options = options
    this.#body = new Lx200MountBody(options)
    this.#onStep = options.dialect === 'onstep'
    this.#product = 'product' in options ? options.product : this.#onStep ? 'On-Step' : undefined
  }

  get knows(): Knowledge {
    return this.#body.knows
  }

  accept: Accept = (open) => {
    const reader = createCommandReader((command) => this.#hear(command, wire))
    const handlers: WireHandlers = { onBytes: (bytes) => reader.push(bytes), onClose: () => undefined }
    const wire = open(handlers)
  }

  trouble(what: Lx200Trouble): void {
    this.#trouble = what
    this.#body.stuck = what.stuck ?? false
    this.#body.error = what.error ?? 0
  }

  pointing(): Lx200Pointing {
    const body = this.#body
    body.advance()
    return {
      raDeg: body.raDeg(),
      decDeg: body.axes.decDeg,
      haDeg: body.axes.haDeg,
      altitudeDeg: body.altitude(),
      tracking: body.tracking,
      slewing: body.slewing,
      park: body.park,
      trackingHz: body.hz,
    }
  }

  // Conversation -------------------------------------------------------------------------------------------------------------

  #hear(command: Lx200Command, wire: Wire): void {
    this.#body.advance()
    if (this.heard.length < mostHeard) this.heard.push(describe(command))
    const text = this.#answer(command)
    if (text === '' || this.#trouble.silent) return
    const { lateMs = 0 } = this.#trouble
    const send = (): void => void wire.write(toBytes(this.#spoil(text))).catch(() => undefined)
    if (lateMs > 0) void this.#options.clock.sleep(lateMs).then(send)
    else send()
  }

  #spoil(text: string): string {
    const { random } = this.#options
    const { garbled = 0, cut = 0 } = this.#trouble
    let result = text
    if (garbled > 0 && random.next() < garbled) {
      const at = random.integer(text.length)
      const other = String.fromCharCode(text.charCodeAt(at) ^ (1 << random.integer(8)))
      result = text.slice(0, at) + other + text.slice(at + 1)
    }
    return cut > 0 && random.next() < cut ? result.slice(0, random.integer(result.length)) : result
  }

  #answer(command: Lx200Command): string {
    switch (command.type) {
      case 'alignmentQuery':
        return this.#body.land ? 'L' : 'P'
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
        this.#body.setClock(Date.UTC(command.year, command.month - 1, command.day), undefined)
        return this.#onStep ? this.#accept() : `1Updating Planetary Data#${' '.repeat(30)}#`
      case 'setSiteName':
        this.#body.siteNames[command.site - 1] = command.name
        return this.#accept()
      case 'selectSite':
        this.#body.site = command.site
        return ''
      case 'do':
        return this.#do(command.what)
      case 'move':
        return this.#quietly(() => this.#body.move(command.direction))
      case 'stop':
        return this.#quietly(() => this.#body.stop(command.direction))
      case 'pulse':
        return this.#body.pulse(command.direction, command.milliseconds) ? '' : this.#refuse(errors.inMotion)
      case 'rate':
        this.#body.rate = command.rate
        return ''
      case 'unknown':
        return this.#refuse(errors.unknown)
    }
  }

  #quietly(work: () => void): '' {
    work()
    this.#lastError = 0
    return ''
  }

  /** Meade's mounts say nothing where OnStep says yes. */
  #acceptOnStep(): string {
    const yes = this.#accept()
    return this.#onStep ? yes : ''
  }

  #accept(): string {
    this.#lastError = 0
    return '1'
  }

  /** OnStep's no, with what `:GE#` then tells; Meade's mounts say nothing. */
  #refuse(error: number): string {
    this.#lastError = error
    return this.#onStep ? '0' : ''
  }

  #query(what: QueryName): string {
    const voice = { body: this.#body, onStep: this.#onStep, product: this.#product, lastError: this.#lastError }
    const text = tell(voice, what)
    return text === undefined ? this.#refuse(errors.unknown) : `${text}#`
  }

  #queryValue(code: string): string {
    const text = this.#onStep ? (this.#values.get(code) ?? tellValue(this.#body, code)) : undefined
    return text === undefined ? this.#refuse(errors.unknown) : `${text}#`
  }

  // Settings -----------------------------------------------------------------------------------------------------------------

  #set(what: SettingName, value: number): string {
    const { aim, knows, limits } = this.#body
    switch (what) {
      case 'targetRightAscension':
        return this.#within(value, 0, 24, () => (aim.raHours = value))
      case 'targetDeclination':
        return this.#within(value, -90, 90, () => (aim.decDeg = value))
      case 'targetAltitude':
        return this.#within(value, -90, 90, () => (aim.altDeg = value))
      case 'targetAzimuth':
        return this.#within(value, 0, 360, () => (aim.azDeg = value))
      case 'latitude':
        return this.#within(value, -90, 90, () => (knows.latitudeDeg = value))
      case 'longitudeWest':
        return this.#within(value, -180, 360, () => (knows.longitudeDeg = around(-value)))
      case 'utcOffset':
        return this.#within(value, -24, 24, () => (knows.utcOffsetHours = value))
      case 'localTime':
        return this.#within(value, 0, 24, () => this.#body.setClock(undefined, value))
      case 'siderealTime':
        return this.#accept()
      case 'horizonLimit':
        return this.#within(value, -30, 30, () => (limits.horizon = value))
      case 'overheadLimit':
        return this.#within(value, 60, 90, () => (limits.overhead = value))
      case 'trackingFrequency':
        return this.#setFrequency(value)
      case 'mostSlewRate':
        return this.#within(value, 2, 8, () => undefined)
    }
  }

  #within(value: number, least: number, most: number, take: () => unknown): string {
    if (!(value >= least && value <= most)) {
      this.#lastError = errors.range
      return '0'
    }
    take()
    return this.#accept()
  }

  #setFrequency(hz: number): string {
    if (this.#body.slewing) return this.#refuse(errors.inMotion)
    if (Math.abs(hz) < 0.1) {
      this.#body.tracking = false
      return this.#accept()
    }
    return this.#within(hz, 30, 90, () => {
      this.#body.hz = hz
      this.#body.tracking = true
    })
  }

  // Actions ------------------------------------------------------------------------------------------------------------------

  #do(what: ActionName): string {
    const body = this.#body
    switch (what) {
      case 'goto':
        return this.#goto()
      case 'sync':
      case 'syncQuietly':
        return this.#sync(what === 'sync')
      case 'togglePrecision':
        body.precision = body.precision === 'low' ? 'high' : 'low'
        return ''
      case 'toggleClockFormat':
        body.clock24 = !body.clock24
        return ''
      case 'toggleHighPrecisionPointing':
        return 'LOW PRECISION'
      case 'homeStatus':
        return this.#onStep ? this.#refuse(errors.unknown) : '1'
      case 'focuserPresent':
      case 'secondFocuserPresent':
        return this.#refuse(errors.no)
      case 'rateGuide':
      case 'rateCentre':
      case 'rateFind':
      case 'rateFastest':
        body.rate = { rateGuide: 2, rateCentre: 5, rateFind: 6, rateFastest: 9 }[what]
        return ''
      case 'alignLand':
      case 'alignPolar':
      case 'alignAltAz':
        body.land = what === 'alignLand'
        body.tracking = !body.land
        return ''
      default:
        return this.#parkOrHome(what) ?? this.#track(what) ?? this.#refuse(errors.unknown)
    }
  }

  /** OnStep's digits; Meade's `1…#` and `2…#`. */
  #goto(): string {
    const code = this.#body.refusedGoto()
    if (code === 0) {
      this.#body.goto()
      return '0'
    }
    this.#lastError = errors.belowHorizon - 1 + code
    const words = ['', 'Object Below Horizon', 'Object Below Higher'][code] ?? 'Refused'
    return this.#onStep ? String(code) : `${Math.min(code, 2)}${words}#`
  }

  #sync(answered: boolean): string {
    const done = this.#body.sync()
    if (!answered) return ''
    if (!this.#onStep) return " M31 EX GAL MAG 3.5 SZ178.0'#"
    return done ? 'N/A#' : '1'
  }

  #parkOrHome(what: ActionName): string | undefined {
    const body = this.#body
    switch (what) {
      case 'park':
        if (body.park === 'parked') return this.#refuse(errors.parked)
        body.startPark()
        return this.#acceptOnStep()
      case 'setPark':
        if (body.park !== 'unparked') return this.#refuse(errors.parked)
        body.setParkHere()
        return this.#acceptOnStep()
      case 'unpark':
        if (body.park !== 'parked') return this.#refuse(errors.notParked)
        body.unpark()
        return this.#acceptOnStep()
      case 'home':
        return this.#quietly(() => body.goHome())
      case 'resetHome':
        return this.#quietly(() => body.resetHome())
      default:
        return undefined
    }
  }

  #track(what: ActionName): string | undefined {
    const body = this.#body
    switch (what) {
      case 'trackOn':
      case 'trackOff':
        if (body.slewing) return this.#refuse(errors.inMotion)
        if (what === 'trackOn' && body.park === 'parked') return this.#refuse(errors.parked)
        body.tracking = what === 'trackOn'
        if (body.tracking) body.atHome = false
        return this.#acceptOnStep()
      case 'trackSidereal':
      case 'trackReset':
        return this.#follow(trackingHz.sidereal)
      case 'trackSolar':
        return this.#follow(trackingHz.solar)
      case 'trackLunar':
        return this.#follow(trackingHz.lunar)
      case 'trackKing':
        return this.#follow(trackingHz.king)
      case 'trackFaster':
      case 'trackSlower':
        return this.#follow(body.hz + (what === 'trackFaster' ? 0.02 : -0.02))
      case 'compensateFully':
      case 'compensateRefraction':
      case 'compensateNothing':
        body.compensation = what === 'compensateFully' ? 'full' : what === 'compensateNothing' ? 'none' : 'refraction'
        return this.#acceptOnStep()
      case 'compensateOneAxis':
      case 'compensateBothAxes':
        return this.#acceptOnStep()
      default:
        return undefined
    }
  }

  #follow(hz: number): string {
    return this.#quietly(() => (this.#body.hz = hz))
  }
}

function describe(command: Lx200Command): string {
  if (command.type === 'unknown') return `unknown ${command.text}`
  if (command.type === 'pulse') return `pulse ${command.direction} ${command.milliseconds}`
  if ('what' in command) return 'value' in command ? `${command.what} ${command.value}` : command.what
  return 'direction' in command && command.direction ? `${command.type} ${command.direction}` : command.type
}

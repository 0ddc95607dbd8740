/** LX200 commands to text and back, and the answers that each may have. Pure. */
import { exactly, oneOf, type ReplyShape, upTo } from '../wire/line.ts'
import { formatDegrees, formatHours, type Precision, parseDate, parseSexagesimal } from './angles.ts'
import {
  type ActionName,
  actions,
  type Lx200Command,
  type Lx200Dialect,
  type LxDirection,
  longestPulseMs,
  type QueryName,
  queries,
  type SettingName,
  settings,
} from './commands.ts'

/** OnStep takes 40 characters with the frame; the longest of ours are site names. */
export const longestCommandBytes = 64
export const alignmentQueryByte = 0x06

const letters: Readonly<Record<LxDirection, string>> = { north: 'n', south: 's', east: 'e', west: 'w' }
const directions: Readonly<Record<string, LxDirection>> = { n: 'north', s: 'south', e: 'east', w: 'west' }

/** How finely a mount takes its settings: a number too fine is refused by some. */
export interface Fineness {
  readonly coordinates: Precision
  readonly site: Precision
}

const plain: Fineness = { coordinates: 'high', site: 'low' }

/** The bytes of a command, as Latin-1 text. */
export function encodeCommand(command: Lx200Command, fineness: Fineness = plain): string {
  return command.type === 'alignmentQuery' ? '\x06' : `:${commandText(command, fineness)}#`
}

function commandText(command: Exclude<Lx200Command, { type: 'alignmentQuery' }>, fineness: Fineness): string {
  switch (command.type) {
    case 'query':
      return queries[command.what]
    case 'do':
      return actions[command.what]
    case 'queryValue':
      return `GX${command.code}`
    case 'setValue':
      return `SX${command.code},${command.value}`
    case 'set':
      return settings[command.what] + settingText(command.what, command.value, fineness)
    case 'setDate':
      return `SC${pad(command.month)}/${pad(command.day)}/${pad(command.year % 100)}`
    case 'setSiteName':
      return `S${'MNOP'.charAt(command.site - 1)}${command.name}`
    case 'selectSite':
      return `W${command.site}`
    case 'move':
      return `M${letters[command.direction]}`
    case 'stop':
      return `Q${command.direction ? letters[command.direction] : ''}`
    case 'pulse':
      return `Mg${letters[command.direction]}${pad(Math.min(longestPulseMs, Math.round(command.milliseconds)), 4)}`
    case 'rate':
      return `R${command.rate}`
    case 'unknown':
      return command.text
  }
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0')

function settingText(what: SettingName, value: number, { coordinates, site }: Fineness): string {
  switch (what) {
    case 'targetRightAscension':
      return formatHours(value, coordinates)
    case 'targetDeclination':
    case 'targetAltitude':
      return formatDegrees(value, { precision: coordinates, digits: 2, signed: true })
    case 'targetAzimuth':
      return formatDegrees(value, { precision: coordinates, digits: 3, signed: false })
    case 'latitude':
      return formatDegrees(value, { precision: site, digits: 2, signed: true })
    case 'longitudeWest':
      return formatDegrees(((value % 360) + 360) % 360, { precision: site, digits: 3, signed: false })
    case 'utcOffset':
      return formatOffset(value)
    case 'localTime':
    case 'siderealTime':
      return formatHours(value, 'high')
    case 'horizonLimit':
      return `${value < 0 ? '-' : '+'}${pad(Math.abs(Math.round(value)))}`
    case 'overheadLimit':
      return pad(Math.round(value))
    case 'trackingFrequency':
      return coordinates === 'highest' ? value.toFixed(5) : value.toFixed(1)
    case 'mostSlewRate':
      return String(Math.round(value))
  }
}

/** Whole hours as `sHH`, which every mount takes; others as Meade's `sHH.H`. */
function formatOffset(hours: number): string {
  const sign = hours < 0 ? '-' : '+'
  const size = Math.abs(hours)
  return Number.isInteger(size) ? sign + pad(size) : sign + size.toFixed(1).padStart(4, '0')
}

const queryOf = new Map(Object.entries(queries).map(([what, text]) => [text as string, what as QueryName]))
const actionOf = new Map(Object.entries(actions).map(([what, text]) => [text as string, what as ActionName]))
const settingOf = new Map(Object.entries(settings).map(([what, text]) => [text as string, what as SettingName]))

/** A command from the text between `:` and `#`; anything else than a whole command is `unknown`. */
export function decodeCommand(text: string): Lx200Command {
  return decodeNamed(text) ?? decodeMotion(text) ?? decodeSetting(text) ?? { type: 'unknown', text }
}

function decodeNamed(text: string): Lx200Command | undefined {
  // OnStep's older letter for the same question.
  const query = queryOf.get(/^G[RDrd]a$|^G[rd]e$|^G[RD]e$/.test(text) ? `${text.slice(0, 2)}H` : text)
  if (query) return { type: 'query', what: query }
  const action = actionOf.get(text)
  if (action) return { type: 'do', what: action }
  const value = /^GX([0-9A-Z]{2})$/.exec(text)?.[1]
  return value === undefined ? undefined : { type: 'queryValue', code: value }
}

function decodeMotion(text: string): Lx200Command | undefined {
  const pulse = /^M[gG]([nsew])(\d{1,5})$/.exec(text)
  if (pulse) return { type: 'pulse', direction: directions[pulse[1]!]!, milliseconds: Number(pulse[2]) }
  const motion = /^([MQ])([nsew])$/.exec(text)
  if (motion) return { type: motion[1] === 'M' ? 'move' : 'stop', direction: directions[motion[2]!]! }
  if (text === 'Q') return { type: 'stop' }
  const rate = /^R([0-9])$/.exec(text)?.[1]
  return rate === undefined ? undefined : { type: 'rate', rate: Number(rate) }
}

function decodeSetting(text: string): Lx200Command | undefined {
  const [head, rest] = [text.slice(0, 2), text.slice(2)]
  const site = /^W([0-3])$/.exec(text)?.[1]
  if (site !== undefined) return { type: 'selectSite', site: Number(site) as 0 | 1 | 2 | 3 }
  const value = /^SX([0-9A-Z]{2}),(.*)$/.exec(text)
  if (value) return { type: 'setValue', code: value[1]!, value: value[2]! }
  if (head === 'SC') {
    const date = parseDate(rest)
    return date && { type: 'setDate', ...date }
  }
  const name = /^S([MNOP])(.{0,15})$/.exec(text)
  if (name) return { type: 'setSiteName', site: ('MNOP'.indexOf(name[1]!) + 1) as 1 | 2 | 3 | 4, name: name[2]! }
  const what = settingOf.get(head)
  const number = what && settingNumber(what, rest)
  return what && number !== undefined ? { type: 'set', what, value: number } : undefined
}

const plainNumbers: ReadonlySet<SettingName> = new Set([
  'horizonLimit',
  'overheadLimit',
  'trackingFrequency',
  'mostSlewRate',
])

function settingNumber(what: SettingName, text: string): number | undefined {
  if (what === 'utcOffset') return parseOffset(text)
  if (plainNumbers.has(what)) return parsePlain(text)
  return parseSexagesimal(text)
}

/** `+60.1`, `45*`, `-05`. */
export function parsePlain(text: string): number | undefined {
  const match = /^([+-]?\d{1,5}(?:\.\d{1,8})?)[*\xdf]?$/.exec(text.trim())
  return match ? Number(match[1]) : undefined
}

/** `-01`, `+05.5`, `+05:30`: hours. */
export function parseOffset(text: string): number | undefined {
  return parsePlain(text) ?? parseSexagesimal(text)
}

/** Cuts what a client sends into commands; noise outside `:` … `#` is dropped, and so is a command that is too long. */
export function createCommandReader(onCommand: (command: Lx200Command) => void): {
  push(bytes: Uint8Array): void
} {
  let held: string | undefined
  const take = (byte: number): void => {
    if (held === undefined) {
      if (byte === alignmentQueryByte) onCommand({ type: 'alignmentQuery' })
      if (byte === 0x3a) held = ''
      return
    }
    if (byte === 0x23) {
      const text = held
      held = undefined
      if (text !== '') onCommand(decodeCommand(text))
      return
    }
    held += String.fromCharCode(byte)
    if (held.length > longestCommandBytes) held = undefined
  }
  return {
    push(bytes) {
      for (const byte of bytes) take(byte)
    },
  }
}

const yesOrNo = oneOf('01')
const terminated = upTo('#')

/** Actions that answer 0 or 1 on OnStep and nothing on Meade's mounts. */
const answeredByOnStep: ReadonlySet<ActionName> = new Set([
  'park',
  'setPark',
  'unpark',
  'trackOn',
  'trackOff',
  'compensateFully',
  'compensateRefraction',
  'compensateNothing',
  'compensateOneAxis',
  'compensateBothAxes',
])

/** The answer to a command; undefined when the protocol has none. */
export function replyShape(command: Lx200Command, dialect: Lx200Dialect): ReplyShape | undefined {
  switch (command.type) {
    case 'alignmentQuery':
      return oneOf('ALPGD')
    case 'query':
    case 'queryValue':
      return terminated
    case 'set':
    case 'setValue':
    case 'setSiteName':
      return yesOrNo
    case 'setDate':
      return dialect === 'onstep' ? yesOrNo : acceptedDate
    case 'do':
      return actionShape(command.what, dialect)
    default:
      return undefined
  }
}

function actionShape(what: ActionName, dialect: Lx200Dialect): ReplyShape | undefined {
  if (what === 'goto' || what === 'gotoHorizontal' || what === 'gotoOtherSide' || what === 'polarAlign') {
    return dialect === 'onstep' ? oneOf('0123456789') : gotoAnswer
  }
  if (what === 'sync') return dialect === 'onstep' ? syncAnswer : terminated
  if (what === 'homeStatus') return oneOf('012')
  if (what === 'focuserPresent' || what === 'secondFocuserPresent') return yesOrNo
  if (what === 'toggleHighPrecisionPointing') {
    return (heard) =>
      (heard.startsWith('L') ? exactly('LOW PRECISION'.length) : exactly('HIGH PRECISION'.length))(heard)
  }
  return dialect === 'onstep' && answeredByOnStep.has(what) ? yesOrNo : undefined
}

/** `0`, or a code and a text that ends in `#`. */
const gotoAnswer: ReplyShape = (heard) => {
  if (heard === '') return 'more'
  if (heard.startsWith('0')) return 1
  return /^[1-9]/.test(heard) ? terminated(heard) : 'garbled'
}

/** OnStep answers `N/A#` or `En#`, and a bare digit when it is parked or slewing. */
const syncAnswer: ReplyShape = (heard) => (/^[01]/.test(heard) ? 1 : terminated(heard))

/** `0`, or `1` and two texts: `Updating Planetary Data#` and blanks up to another `#`. */
const acceptedDate: ReplyShape = (heard) => {
  if (heard === '') return 'more'
  if (heard.startsWith('0')) return 1
  if (!heard.startsWith('1')) return 'garbled'
  const first = heard.indexOf('#')
  const second = first < 0 ? -1 : heard.indexOf('#', first + 1)
  if (second >= 0) return second + 1
  return heard.length > 120 ? 'garbled' : 'more'
}

/** An answer without its terminator. */
export const withoutFrame = (text: string): string => (text.endsWith('#') ? text.slice(0, -1) : text)

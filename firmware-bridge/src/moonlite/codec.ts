/**
 * Moonlite's focuser protocol ("Stepper Motor Controller Serial Commands", Moonlite Telescope Accessories): a command is
 * `:` + text + `#`; an answer hexadecimal digits and `#`. Pure, both ways.
 */
import { type ReplyShape, upTo } from '../wire/line.ts'

/** Positions are 16 bits. */
export const mostMoonliteSteps = 0xffff

export const moonliteQueries = {
  position: 'GP',
  target: 'GN',
  moving: 'GI',
  temperature: 'GT',
  halfStep: 'GH',
  speed: 'GD',
  firmware: 'GV',
  coefficient: 'GC',
  backlight: 'GB',
} as const
export type MoonliteQuery = keyof typeof moonliteQueries

/** Motor delays that the controller knows, slowest last: full steps per second are 500 divided by them. */
export const moonliteSpeeds = [0x02, 0x04, 0x08, 0x10, 0x20] as const
export type MoonliteSpeed = (typeof moonliteSpeeds)[number]

export type MoonliteCommand =
  | { readonly type: 'query'; readonly what: MoonliteQuery }
  | { readonly type: 'setTarget' | 'setPosition'; readonly steps: number }
  | { readonly type: 'go' | 'halt' | 'measureTemperature' }
  | { readonly type: 'setHalfStep' | 'compensate'; readonly on: boolean }
  | { readonly type: 'setSpeed'; readonly speed: number }
  /** Half steps per degree, -128 to 127. */
  | { readonly type: 'setCoefficient'; readonly halfSteps: number }
  /** Half degrees, added to what the sensor reads. */
  | { readonly type: 'setTemperatureOffset'; readonly halfDegrees: number }
  | { readonly type: 'unknown'; readonly text: string }

const hex = (value: number, digits: number): string =>
  (value & (digits === 2 ? 0xff : 0xffff)).toString(16).toUpperCase().padStart(digits, '0')

const plain = { go: 'FG', halt: 'FQ', measureTemperature: 'C' } as const

export function encodeMoonlite(command: MoonliteCommand): string {
  return `:${commandText(command)}#`
}

function commandText(command: MoonliteCommand): string {
  switch (command.type) {
    case 'query':
      return moonliteQueries[command.what]
    case 'setTarget':
      return `SN${hex(command.steps, 4)}`
    case 'setPosition':
      return `SP${hex(command.steps, 4)}`
    case 'setHalfStep':
      return command.on ? 'SH' : 'SF'
    case 'compensate':
      return command.on ? '+' : '-'
    case 'setSpeed':
      return `SD${hex(command.speed, 2)}`
    case 'setCoefficient':
      return `SC${hex(command.halfSteps, 2)}`
    case 'setTemperatureOffset':
      return `PO${hex(command.halfDegrees, 2)}`
    case 'unknown':
      return command.text
    default:
      return plain[command.type]
  }
}

const queryOf = new Map(Object.entries(moonliteQueries).map(([what, text]) => [text as string, what as MoonliteQuery]))

const fixed: Readonly<Record<string, MoonliteCommand>> = {
  FG: { type: 'go' },
  FQ: { type: 'halt' },
  C: { type: 'measureTemperature' },
  SH: { type: 'setHalfStep', on: true },
  SF: { type: 'setHalfStep', on: false },
  '+': { type: 'compensate', on: true },
  '-': { type: 'compensate', on: false },
}

/** The text between `:` and `#`. */
export function decodeMoonlite(text: string): MoonliteCommand {
  const query = queryOf.get(text)
  if (query) return { type: 'query', what: query }
  const known = fixed[text]
  if (known) return known
  const match = /^(SN|SP|SD|SC|PO)([0-9A-Fa-f]{2,4})$/.exec(text)
  const value = Number.parseInt(match?.[2] ?? '', 16)
  const signed = value > 0x7f ? value - 0x100 : value
  switch (match?.[1]) {
    case 'SN':
      return { type: 'setTarget', steps: value }
    case 'SP':
      return { type: 'setPosition', steps: value }
    case 'SD':
      return { type: 'setSpeed', speed: value }
    case 'SC':
      return { type: 'setCoefficient', halfSteps: signed }
    case 'PO':
      return { type: 'setTemperatureOffset', halfDegrees: signed }
    default:
      return { type: 'unknown', text }
  }
}

/** Only questions are answered. */
export function moonliteReply(command: MoonliteCommand): ReplyShape | undefined {
  return command.type === 'query' ? upTo('#', 8) : undefined
}

const digitsOf: Readonly<Record<MoonliteQuery, number>> = {
  position: 4,
  target: 4,
  moving: 2,
  temperature: 4,
  halfStep: 2,
  speed: 2,
  firmware: 2,
  coefficient: 2,
  backlight: 2,
}

/** The number of an answer: steps, a code, or °C; undefined when it is not one of that question. */
export function parseMoonlite(what: MoonliteQuery, text: string): number | undefined {
  const digits = digitsOf[what]
  const plainText = text.endsWith('#') ? text.slice(0, -1) : text
  if (plainText.length !== digits || !/^[0-9A-Fa-f]+$/.test(plainText)) return undefined
  const value = Number.parseInt(plainText, 16)
  if (what === 'temperature') return (value > 0x7fff ? value - 0x10000 : value) / 2
  if (what === 'coefficient') return (value > 0x7f ? value - 0x100 : value) / 2
  return value
}

/** The answer with its `#`, as a controller writes it. */
export function formatMoonlite(what: MoonliteQuery, value: number): string {
  const raw = what === 'temperature' || what === 'coefficient' ? Math.round(value * 2) : value
  return `${hex(raw, digitsOf[what])}#`
}

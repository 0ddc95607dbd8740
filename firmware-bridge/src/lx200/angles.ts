/**
 * Angles and times as LX200 mounts write them (Meade Telescope Serial Command Protocol, revision L, 2002; OnStep's
 * Command.ino): `HH:MM.T`, `HH:MM:SS`, `HH:MM:SS.SSSS`, `sDD*MM`, `sDD*MM'SS`, `sDDD*MM:SS.SSS`. The degree sign is `*`,
 * 0xDF in Meade's own character set, or ':'.
 */

/** `low`: a tenth of a minute of RA, one arcminute. `high`: one second. `highest`: OnStep's 0.0001 s and 0.001″. */
export type Precision = 'low' | 'high' | 'highest'

const sexagesimal = /^([+-]?)(\d{1,3})[*:\xdf\xb0](\d{1,2})(?:(\.\d+)|[:'](\d{1,2}(?:\.\d+)?)"?)?$/

/** Hours or degrees from any of the formats; undefined when the text is none of them or its minutes or seconds pass 60. */
export function parseSexagesimal(text: string): number | undefined {
  const match = sexagesimal.exec(text.trim())
  if (!match) return undefined
  const [, sign, whole = '0', minutes = '0', tenths = '', seconds = '0'] = match
  const minute = Number(minutes + tenths)
  const second = Number(seconds)
  if (minute >= 60 || second >= 60) return undefined
  const value = Number(whole) + minute / 60 + second / 3600
  return sign === '-' ? -value : value
}

/** How finely a text of these formats tells, in units of its whole part; undefined when it is none. */
export function precisionOf(text: string): Precision | undefined {
  const match = sexagesimal.exec(text.trim())
  if (!match) return undefined
  const seconds = match[5]
  if (seconds === undefined) return 'low'
  return seconds.includes('.') ? 'highest' : 'high'
}

const two = (n: number): string => String(n).padStart(2, '0')

/** Hours in [0, 24), rounded (23:59:60 becomes 00:00:00). */
export function formatHours(hours: number, precision: Precision): string {
  const perHour = { low: 600, high: 3600, highest: 36_000_000 }[precision]
  const ticks = Math.round((((hours % 24) + 24) % 24) * perHour) % (24 * perHour)
  const hour = Math.floor(ticks / perHour)
  const rest = ticks - hour * perHour
  if (precision === 'low') return `${two(hour)}:${two(Math.floor(rest / 10))}.${rest % 10}`
  const [minute, second] = divide(rest, perHour / 60)
  if (precision === 'high') return `${two(hour)}:${two(minute)}:${two(second)}`
  return `${two(hour)}:${two(minute)}:${(second / 10_000).toFixed(4).padStart(7, '0')}`
}

export interface DegreesStyle {
  readonly precision: Precision
  /** Digits of the whole degrees: 2, or 3 for longitude and azimuth. */
  readonly digits: 2 | 3
  readonly signed: boolean
  /** Between minutes and seconds: `:` in commands, `'` in Meade's answers. */
  readonly separator?: ':' | "'"
}

/** Degrees, rounded; a value just below zero keeps its sign (`-00*30`). */
export function formatDegrees(degrees: number, { precision, digits, signed, separator = ':' }: DegreesStyle): string {
  const perDegree = { low: 60, high: 3600, highest: 3_600_000 }[precision]
  const ticks = Math.round(Math.abs(degrees) * perDegree)
  const sign = signed ? (degrees < 0 && ticks > 0 ? '-' : '+') : ''
  const [whole, rest] = divide(ticks, perDegree)
  const head = `${sign}${String(whole).padStart(digits, '0')}*`
  if (precision === 'low') return head + two(rest)
  const [minute, second] = divide(rest, perDegree / 60)
  if (precision === 'high') return `${head}${two(minute)}${separator}${two(second)}`
  return `${head}${two(minute)}${separator}${(second / 1000).toFixed(3).padStart(6, '0')}`
}

const divide = (value: number, by: number): [number, number] => [Math.floor(value / by), value % by]

/** `MM/DD/YY` to a date; years are of this century. */
export function parseDate(text: string): { year: number; month: number; day: number } | undefined {
  const match = /^(\d{1,2})\/(\d{1,2})\/(\d{2})$/.exec(text.trim())
  if (!match) return undefined
  const [month, day, year] = [Number(match[1]), Number(match[2]), 2000 + Number(match[3])]
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined
  return { year, month, day }
}

export function formatDate(atMs: number): string {
  const date = new Date(atMs)
  return `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(date.getUTCFullYear() % 100)}`
}

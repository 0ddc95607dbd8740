/**
 * INDI numbers: sexagesimal text in, printf and `%m` text out, as libindi's `f_scansexa` and `numberFormat` do it
 * (indicom.c), so that our text and a real driver's are interchangeable.
 */

const firstPart = /^([+-]?)(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)/i
const nextPart = /^\D+(\d+\.?\d*)/

/**
 * Reads `3.5`, `1e-3`, `3:47:24.5`, `+24 06 30`, `-0:30`. Any run of non-digits separates the parts and a leading minus
 * applies to all of them; what follows the third part is ignored, as in libindi. Blanks separate too, as the white paper
 * says (libindi removes them first and reads `3 47` as 347). `nan` and anything that is not a number give NaN.
 */
export function parseNumber(text: string): number {
  const plain = text.trim().slice(0, 128)
  const first = firstPart.exec(plain)
  if (!first) return parseInfinity(plain)
  const [head, sign, whole = ''] = first
  let value = Number(whole)
  let rest = plain.slice(head.length)
  for (const scale of [60, 3600]) {
    const part = nextPart.exec(rest)
    if (!part) break
    value += Number(part[1]) / scale
    rest = rest.slice(part[0].length)
  }
  return sign === '-' ? -value : value
}

function parseInfinity(text: string): number {
  const match = /^([+-]?)inf(?:inity)?$/i.exec(text)
  if (!match) return Number.NaN
  return match[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** Parts per degree for the fraction digit of `%w.fm` (libindi `numberFormat`). */
const fractionBase: Readonly<Record<number, number>> = { 9: 360000, 8: 36000, 6: 3600, 5: 600 }

/**
 * Writes a number in its property's format: printf's `%[flags][width][.precision]` with d, i, f, F, e, E, g, G, or
 * libindi's `%w.fm`, where f = 9 gives `:mm:ss.ss`, 8 `:mm:ss.s`, 6 `:mm:ss`, 5 `:mm.m` and anything else `:mm`.
 * Text around the conversion is kept; a format without one gives the shortest exact decimal.
 */
export function formatNumber(format: string, value: number): string {
  const match = /^([^%]*)%([-+ 0#]*)(\d{0,3})(?:\.(\d{0,3}))?(?:l|h|ll)?([difFeEgGm])(.*)$/s.exec(format)
  if (!match) return String(value)
  const [, before = '', flags = '', width = '', precision, conversion = 'f', after = ''] = match
  const body =
    conversion === 'm'
      ? formatSexagesimal(value, Number(width), Number(precision ?? 0))
      : pad(formatPrintf(conversion, precision, value), flags, Number(width))
  return before + body + after
}

/** libindi's `fs_sexa`: degrees or hours right-aligned in `width - digits`, negative zero kept as `-0`. */
function formatSexagesimal(value: number, width: number, digits: number): string {
  if (!Number.isFinite(value)) return String(value).toLowerCase()
  const base = fractionBase[digits] ?? 60
  const parts = Math.floor(Math.abs(value) * base + 0.5)
  const negative = value < 0
  const whole = Math.floor(parts / base)
  const rest = parts % base
  const head = (negative ? `-${whole}` : `${whole}`).padStart(width - digits)
  const two = (n: number): string => String(n).padStart(2, '0')
  if (base === 60) return `${head}:${two(rest)}`
  if (base === 600) return `${head}:${two(Math.floor(rest / 10))}.${rest % 10}`
  const minutes = two(Math.floor(rest / (base / 60)))
  const seconds = rest % (base / 60)
  if (base === 3600) return `${head}:${minutes}:${two(seconds)}`
  const scale = base === 36000 ? 10 : 100
  const fraction = String(seconds % scale).padStart(base === 36000 ? 1 : 2, '0')
  return `${head}:${minutes}:${two(Math.floor(seconds / scale))}.${fraction}`
}

function formatPrintf(conversion: string, precision: string | undefined, value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf'
  const digits = precision === undefined ? 6 : Math.min(Number(precision || 0), 100)
  switch (conversion) {
    case 'd':
    case 'i':
      return String(Math.trunc(value))
    case 'e':
      return exponent(value.toExponential(digits))
    case 'E':
      return exponent(value.toExponential(digits)).toUpperCase()
    case 'g':
      return general(value, digits)
    case 'G':
      return general(value, digits).toUpperCase()
    default:
      return fixed(value, digits)
  }
}

/** `toFixed` rounds ties up and switches to exponents at 1e21; C rounds ties to even and does not. */
function fixed(value: number, digits: number): string {
  if (Math.abs(value) >= 1e21) return BigInt(value).toString() + (digits ? `.${'0'.repeat(digits)}` : '')
  const scaled = Math.abs(value) * 10 ** digits
  const isTie = Number.isInteger(value * 2 ** (digits + 1)) && scaled % 1 === 0.5
  if (!isTie || Math.ceil(scaled) % 2 === 0) return signOf(value) + Math.abs(value).toFixed(digits)
  return signOf(value) + (Math.floor(scaled) / 10 ** digits).toFixed(digits)
}

const signOf = (value: number): string => (value < 0 || Object.is(value, -0) ? '-' : '')

/** C writes at least two exponent digits. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

function general(value: number, digits: number): string {
  const significant = Math.max(1, digits)
  if (value === 0) return '0'
  const power = Number(value.toExponential(significant - 1).split('e')[1])
  if (power < -4 || power >= significant) {
    const [mantissa = '', tail = ''] = value.toExponential(significant - 1).split('e')
    return exponent(`${trimZeros(mantissa)}e${tail}`)
  }
  return trimZeros(value.toFixed(Math.max(0, significant - 1 - power)))
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

function pad(text: string, flags: string, width: number): string {
  const signed = flags.includes('+') && !text.startsWith('-') ? `+${text}` : text
  if (flags.includes('-')) return signed.padEnd(width)
  if (!flags.includes('0') || signed.length >= width) return signed.padStart(width)
  const sign = /^[+-]/.exec(signed)?.[0] ?? ''
  return sign + signed.slice(sign.length).padStart(width - sign.length, '0')
}

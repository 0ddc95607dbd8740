import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/** What a keyword can say. FITS Standard 4.0, section 4.2. */
export type HeaderValue = string | number | boolean

/** A whole number that is written as a real one: `real(60)` → `60.0`. */
export interface Real {
  readonly real: number
}

/** Marks a value as real, so that 60 is written `60.0`. */
export function real(value: number): Real {
  return { real: value }
}

/**
 * One keyword: the 80 bytes as they were or will be on disk (160, 240 … with CONTINUE), and what they say. Commentary
 * cards (COMMENT, HISTORY, blank) have their text in `comment` and no value.
 */
export interface Card {
  readonly key: string
  readonly value: HeaderValue | undefined
  readonly comment: string
  readonly raw: string
}

export const cardLength = 80
const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d+)?$/
const commentary = new Set(['COMMENT', 'HISTORY', ''])

/** A FITS number, also with a D exponent; undefined when the text is not one. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim()
  if (!numberPattern.test(trimmed)) return undefined
  return Number(trimmed.replace(/[Dd]/, 'E'))
}

interface ParsedValue {
  readonly value: HeaderValue | undefined
  readonly comment: string
}

/** The text between quotes that starts at `from`, quotes undoubled, trailing blanks dropped (they do not count). */
function parseQuoted(field: string, from: number): ParsedValue {
  let text = ''
  let at = from + 1
  for (;;) {
    const quote = field.indexOf("'", at)
    if (quote < 0) return { value: (text + field.slice(at)).trimEnd(), comment: '' }
    text += field.slice(at, quote)
    if (field[quote + 1] !== "'") return { value: text.trimEnd(), comment: commentAfter(field, quote + 1) }
    text += "'"
    at = quote + 2
  }
}

function commentAfter(field: string, from: number): string {
  const slash = field.indexOf('/', from)
  return slash < 0 ? '' : field.slice(slash + 1).trim()
}

function parseValue(field: string): ParsedValue {
  const start = field.search(/[^ ]/)
  if (start < 0) return { value: undefined, comment: '' }
  if (field[start] === "'") return parseQuoted(field, start)
  const slash = field.indexOf('/')
  const text = (slash < 0 ? field : field.slice(0, slash)).trim()
  const comment = commentAfter(field, 0)
  if (text === '') return { value: undefined, comment }
  if (text === 'T' || text === 'F') return { value: text === 'T', comment }
  return { value: parseNumber(text) ?? text, comment }
}

/** Reads one 80-character card. Never throws: what cannot be understood is kept as text. */
export function parseCard(raw: string): Card {
  const name = raw.slice(0, 8).trimEnd()
  if (name === 'HIERARCH') {
    const equals = raw.indexOf('=')
    if (equals > 9) return { key: raw.slice(9, equals).trim(), ...parseValue(raw.slice(equals + 1)), raw }
  }
  if (raw[8] !== '=' || commentary.has(name)) {
    return { key: name, value: undefined, comment: raw.slice(8).trimEnd(), raw }
  }
  return { key: name, ...parseValue(raw.slice(9)), raw }
}

/** Joins a string card that ends in `&` with the CONTINUE card after it. Section 4.2.1.2. */
export function continueCard(card: Card, next: Card): Card {
  const more = parseValue(next.raw.slice(8))
  const text = `${String(card.value).slice(0, -1)}${typeof more.value === 'string' ? more.value : ''}`
  const comment = [card.comment, more.comment].filter((part) => part !== '').join(' ')
  return { key: card.key, value: text, comment, raw: card.raw + next.raw }
}

/** True when `next` belongs to `card`. */
export function continues(card: Card, next: Card): boolean {
  return next.key === 'CONTINUE' && typeof card.value === 'string' && card.value.endsWith('&')
}

/** Printable ASCII only: accents are dropped, the rest becomes `?`. */
function ascii(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/µ|μ/g, 'u')
    .replace(/[^ -~]/g, '?')
}

function numberText(value: number, isReal: boolean): string {
  const text = String(value).toUpperCase().replace('E+', 'E')
  if (!isReal && Number.isInteger(value) && !text.includes('E')) return text
  if (text.includes('.')) return text
  return text.includes('E') ? text.replace('E', '.0E') : `${text}.0`
}

function valueText(key: string, value: HeaderValue | Real): string {
  if (typeof value === 'boolean') return (value ? 'T' : 'F').padStart(20)
  const number = typeof value === 'object' ? value.real : value
  if (typeof number === 'string') return `'${ascii(number).replaceAll("'", "''").padEnd(8)}'`.padEnd(20)
  if (!Number.isFinite(number)) {
    throw new NightjarError(
      'fits/value',
      `${key} cannot be ${number}: FITS headers have no NaN or infinity; leave it out`,
    )
  }
  return numberText(number, typeof value === 'object').padStart(20)
}

/** Cuts quoted text so that no doubled quote is split. */
function pieces(text: string, size: number): string[] {
  const result: string[] = []
  let rest = ascii(text).replaceAll("'", "''")
  while (rest.length > size) {
    let cut = size
    const quotes = /'*$/.exec(rest.slice(0, cut))?.[0].length ?? 0
    if (quotes % 2 === 1) cut--
    result.push(rest.slice(0, cut))
    rest = rest.slice(cut)
  }
  result.push(rest)
  return result
}

/** A string too long for one card, by the CONTINUE convention. */
function longString(key: string, text: string, comment: string): string {
  const parts = pieces(text, 67)
  const cards = parts.map((part, index) => {
    const last = index === parts.length - 1
    const start = index === 0 ? `${key.padEnd(8)}= ` : 'CONTINUE  '
    const body = `${start}'${part}${last ? '' : '&'}'`
    return (last && comment !== '' ? `${body} / ${ascii(comment)}` : body).slice(0, cardLength).padEnd(cardLength)
  })
  return cards.join('')
}

/** Makes a card. Throws `fits/keyword` or `fits/value` for what FITS cannot hold; a comment that does not fit is cut. */
export function formatCard(key: string, value: HeaderValue | Real | undefined, comment = ''): Card {
  if (!/^[A-Z0-9_-]{1,8}$/.test(key)) {
    throw new NightjarError('fits/keyword', `"${key}" is not a FITS keyword: use up to 8 of A-Z, 0-9, _ and -`)
  }
  const plain = typeof value === 'object' ? value.real : value
  const field = value === undefined ? '' : valueText(key, value)
  if (typeof plain === 'string' && field.length > 70) {
    return { key, value: plain, comment, raw: longString(key, plain, comment) }
  }
  const body = `${key.padEnd(8)}= ${field}`
  const raw = (comment === '' ? body : `${body} / ${ascii(comment)}`).slice(0, cardLength).padEnd(cardLength)
  return { key, value: plain, comment, raw }
}

/** COMMENT or HISTORY lines; long text takes several cards. */
export function formatCommentary(key: 'COMMENT' | 'HISTORY', text: string): Card[] {
  const lines = ascii(text).match(/.{1,71}(?: |$)|.{1,72}/g) ?? ['']
  return lines.map((line) => {
    const comment = line.trimEnd()
    return { key, value: undefined, comment, raw: `${key.padEnd(8)}${comment}`.padEnd(cardLength) }
  })
}

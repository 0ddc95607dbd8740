import {
  type Card,
  cardLength,
  continueCard,
  continues,
  formatCard,
  formatCommentary,
  type HeaderValue,
  parseCard,
  parseNumber,
  type Real,
} from './card.ts'

export type { Card, HeaderValue, Real } from './card.ts'
export { real } from './card.ts'

export const blockBytes = 2880
const commentaryKeys = new Set(['COMMENT', 'HISTORY', ''])

/** keyword → value, or [value, comment]. `undefined` values are left out. */
export type HeaderEntries = Readonly<
  Record<string, HeaderValue | Real | undefined | readonly [HeaderValue | Real | undefined, string]>
>

/**
 * The ordered keywords of one HDU. Never changed: `with` and its like return a new header. A card that nobody touched
 * keeps its bytes, so foreign headers survive. When a keyword occurs twice the first counts, as in cfitsio.
 */
export class FitsHeader {
  static readonly empty = new FitsHeader([])
  readonly cards: readonly Card[]
  readonly #index: ReadonlyMap<string, Card>

  constructor(cards: readonly Card[]) {
    this.cards = cards
    const index = new Map<string, Card>()
    for (const card of cards) if (!index.has(card.key)) index.set(card.key, card)
    this.#index = index
  }

  /** From keyword → value pairs. */
  static from(entries: HeaderEntries): FitsHeader {
    return FitsHeader.empty.withAll(entries)
  }

  /** From the header's text: 80-character cards without END. */
  static parse(text: string): FitsHeader {
    const cards: Card[] = []
    for (let at = 0; at < text.length; at += cardLength) {
      const card = parseCard(text.slice(at, at + cardLength).padEnd(cardLength))
      const previous = cards.at(-1)
      if (previous && continues(previous, card)) cards[cards.length - 1] = continueCard(previous, card)
      else cards.push(card)
    }
    return new FitsHeader(cards)
  }

  has(key: string): boolean {
    return this.#index.has(key)
  }

  /** The value as it is typed in the file; undefined when absent or blank. */
  get(key: string): HeaderValue | undefined {
    return this.#index.get(key)?.value
  }

  /** A finite number; also one that the camera wrote in quotes. Undefined when absent or something else. */
  number(key: string): number | undefined {
    const value = this.get(key)
    const number = typeof value === 'string' ? parseNumber(value) : value
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined
  }

  /** Text; a number or logical as it would be printed. Undefined when absent. */
  text(key: string): string | undefined {
    const value = this.get(key)
    if (typeof value === 'boolean') return value ? 'T' : 'F'
    return value === undefined ? undefined : String(value)
  }

  /** A logical; undefined when absent or something else. */
  flag(key: string): boolean | undefined {
    const value = this.get(key)
    return typeof value === 'boolean' ? value : undefined
  }

  /** The comment of a keyword. */
  comment(key: string): string | undefined {
    return this.#index.get(key)?.comment
  }

  /** The lines of COMMENT or HISTORY. */
  lines(key: 'COMMENT' | 'HISTORY'): string[] {
    return this.cards.filter((card) => card.key === key).map((card) => card.comment.trim())
  }

  /**
   * A header where `key` has this value: in its old place (and with its old comment when none is given), or at the end.
   * Nothing changes when the value is already that. Throws `fits/keyword`, `fits/value`.
   */
  with(key: string, value: HeaderValue | Real, comment?: string): FitsHeader {
    const old = this.#index.get(key)
    const plain = typeof value === 'object' ? value.real : value
    if (old && old.value === plain && (comment === undefined || comment === old.comment)) return this
    return this.withCard(formatCard(key, value, comment ?? old?.comment ?? ''))
  }

  /** With this card in the place of the first one of its keyword, or at the end. */
  withCard(card: Card): FitsHeader {
    const old = this.#index.get(card.key)
    if (!old) return new FitsHeader([...this.cards, card])
    return new FitsHeader(this.cards.map((other) => (other === old ? card : other)))
  }

  /** `with` for many keywords. */
  withAll(entries: HeaderEntries): FitsHeader {
    let header: FitsHeader = this
    for (const [key, entry] of Object.entries(entries)) {
      const [value, comment] = (Array.isArray(entry) ? entry : [entry, undefined]) as [HeaderValue | Real, string]
      if (value !== undefined) header = header.with(key, value, comment)
    }
    return header
  }

  /** Without any card of these keywords. */
  without(...keys: readonly string[]): FitsHeader {
    const drop = new Set(keys)
    return new FitsHeader(this.cards.filter((card) => !drop.has(card.key)))
  }

  /** This header and `other`'s cards after it; where both have a keyword, `other`'s card takes its place. */
  withCardsOf(other: FitsHeader): FitsHeader {
    const replaced = new Set<string>()
    const cards = this.cards.map((card) => {
      const theirs = other.#index.get(card.key)
      if (!theirs || commentaryKeys.has(card.key)) return card
      replaced.add(card.key)
      return theirs
    })
    return new FitsHeader([...cards, ...other.cards.filter((card) => !replaced.has(card.key))])
  }

  /** Adds HISTORY. */
  withHistory(text: string): FitsHeader {
    return new FitsHeader([...this.cards, ...formatCommentary('HISTORY', text)])
  }

  /** Adds COMMENT. */
  withComment(text: string): FitsHeader {
    return new FitsHeader([...this.cards, ...formatCommentary('COMMENT', text)])
  }

  /** The bytes on disk: cards, END, blanks to a whole number of 2880-byte blocks. */
  encode(): Uint8Array {
    const text = `${this.cards.map((card) => card.raw).join('')}${'END'.padEnd(cardLength)}`
    return Buffer.from(text.padEnd(Math.ceil(text.length / blockBytes) * blockBytes), 'latin1')
  }
}

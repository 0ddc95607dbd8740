/** Framing of line protocols: bytes into lines, and how long the answer to a question is. Text is Latin-1, byte for byte. */

export interface LineReaderOptions {
  /** A line ends at any of these characters; empty lines are dropped, so `\r\n` ends one line. */
  readonly terminators: string
  /** A longer line is dropped up to its end, and told as a fault. */
  readonly mostBytes: number
  readonly onLine: (line: string) => void
  readonly onFault?: (reason: string) => void
}

export interface LineReader {
  push(bytes: Uint8Array): void
  /** Forgets the part of a line that has come: the wire was closed. */
  reset(): void
}

/** Cuts a stream into lines, in any pieces that it comes in. Holds at most `mostBytes`. */
export function createLineReader({ terminators, mostBytes, onLine, onFault }: LineReaderOptions): LineReader {
  let held = ''
  let dropping = false

  const end = (): void => {
    const line = held
    held = ''
    if (dropping) dropping = false
    else if (line !== '') onLine(line)
  }
  const take = (character: string): void => {
    if (terminators.includes(character)) return end()
    if (dropping) return
    held += character
    if (held.length <= mostBytes) return
    held = ''
    dropping = true
    onFault?.(`a line is longer than ${mostBytes} bytes`)
  }
  return {
    push(bytes) {
      for (const byte of bytes) take(String.fromCharCode(byte))
    },
    reset() {
      held = ''
      dropping = false
    },
  }
}

/**
 * Looks at what has come after a question: the length of the answer when it is whole, `more` while it may still become
 * one, `garbled` when it cannot.
 */
export type ReplyShape = (heard: string) => number | 'more' | 'garbled'

/** One character of a set: LX200's `0` and `1`. */
export function oneOf(characters: string): ReplyShape {
  return (heard) => {
    if (heard === '') return 'more'
    return characters.includes(heard.charAt(0)) ? 1 : 'garbled'
  }
}

/** Text up to and with the terminator, at most `mostBytes` long. */
export function upTo(terminator: string, mostBytes = 80): ReplyShape {
  return (heard) => {
    const at = heard.indexOf(terminator)
    if (at >= 0 && at < mostBytes) return at + terminator.length
    return heard.length > mostBytes ? 'garbled' : 'more'
  }
}

/** Exactly so many characters. */
export function exactly(count: number): ReplyShape {
  return (heard) => (heard.length >= count ? count : 'more')
}

export const toBytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
export const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

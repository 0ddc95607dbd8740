/**
 * Bytes ⇄ lines of the safety controller: `body*CRC\n`, where CRC is the CRC-16/CCITT-FALSE of the body as four upper-case
 * hexadecimal digits. The same as firmware/line.c and firmware/crc.c.
 */

/** Longest request that the firmware takes, its CRC included. */
export const mostRequestBytes = 48
/** The firmware's longest line is 117 bytes; a longer one is noise. */
export const mostReplyBytes = 160

const tailBytes = 5
const newline = 0x0a
const carriageReturn = 0x0d

/**
 * CRC-16/CCITT-FALSE (CRC-16/IBM-3740 in Williams' and Cook's catalogue of parametrised CRC algorithms): polynomial
 * 0x1021, start 0xFFFF, not reflected, no final XOR; `123456789` gives 0x29B1.
 */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1
  }
  return crc
}

/** A body of ASCII text as the bytes of its line. */
export function encodeLine(body: string): Uint8Array {
  const crc = crc16(Buffer.from(body, 'latin1')).toString(16).toUpperCase().padStart(4, '0')
  return Buffer.from(`${body}*${crc}\n`, 'latin1')
}

export interface LineReader {
  /** Bodies of the whole and right lines that end in these bytes. */
  push(bytes: Uint8Array): string[]
  /** Lines dropped for their length, form or CRC. */
  readonly bad: number
}

/** Reads lines of at most `most` bytes. What is longer is dropped up to its line break; it never throws. */
export function createLineReader(most = mostReplyBytes): LineReader {
  const line = new Uint8Array(most)
  let length = 0
  let overflow = false
  let bad = 0

  function end(): string | undefined {
    const body = overflow ? undefined : checkedBody(line.subarray(0, length))
    if (body === undefined && (length > 0 || overflow)) bad++
    length = 0
    overflow = false
    return body
  }

  return {
    get bad() {
      return bad
    },
    push(bytes) {
      const bodies: string[] = []
      for (const byte of bytes) {
        if (byte === carriageReturn) continue
        if (byte === newline) {
          const body = end()
          if (body !== undefined) bodies.push(body)
        } else if (length < most) line[length++] = byte
        else overflow = true
      }
      return bodies
    },
  }
}

function checkedBody(line: Uint8Array): string | undefined {
  const text = Buffer.from(line).toString('latin1')
  const told = /^\*([0-9A-F]{4})$/.exec(text.slice(-tailBytes))?.[1]
  if (told === undefined || text.length === tailBytes) return undefined
  return crc16(line.subarray(0, line.length - tailBytes)) === Number.parseInt(told, 16)
    ? text.slice(0, -tailBytes)
    : undefined
}

/**
 * Streaming base64 (RFC 4648 §4), bytes to bytes: a BLOB of 122 MB never becomes a JavaScript string. A table indexed by
 * two characters at once yields 12 bits per look-up.
 */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const invalid = 0xffff
const padding = 61

/** Six bits per character code; 255 = not in the alphabet. */
const sextets = new Uint8Array(256).fill(255)
for (let i = 0; i < 64; i++) sextets[alphabet.charCodeAt(i)] = i

/** Twelve bits per pair of character codes (first | second << 8). */
const pairs = new Uint16Array(65536).fill(invalid)
for (const first of Buffer.from(alphabet)) {
  for (const second of Buffer.from(alphabet)) {
    pairs[first | (second << 8)] = (sextets[first]! << 6) | sextets[second]!
  }
}

const isBlank = (code: number): boolean => code === 10 || code === 13 || code === 32 || code === 9

export interface Base64Decoder {
  /** Decodes `bytes[start..end)`; false when a character outside the alphabet was met (the decoder is then spent). */
  push(bytes: Uint8Array, start: number, end: number): boolean
  /** Bytes that the text held so far, those that did not fit included. */
  readonly decodedBytes: number
}

/**
 * Decodes into `target` from its start. Blanks and line breaks are skipped, bytes that do not fit are counted and dropped
 * (indiserver 1.9.9 pads BLOBs with zeros to the next MiB), padding ends the content.
 */
export function createBase64Decoder(target: Uint8Array): Base64Decoder {
  let at = 0
  let dropped = 0
  let carry = 0
  let carryBits = 0
  let ended = false

  const put = (byte: number): void => {
    if (at < target.length) target[at++] = byte
    else dropped++
  }

  /** One character through the bit carry: line breaks, padding, chunk borders and the last few characters. */
  const single = (code: number): boolean => {
    const sextet = sextets[code]!
    if (sextet === 255) {
      if (code === padding) ended = true
      return code === padding || isBlank(code)
    }
    if (ended) return false
    carry = ((carry << 6) | sextet) & 0x3fff
    carryBits += 6
    if (carryBits < 8) return true
    carryBits -= 8
    put((carry >> carryBits) & 255)
    return true
  }

  /** Whole groups of four; returns where it stopped: a blank, padding, an invalid character, the end, or a full target. */
  const groups = (bytes: Uint8Array, start: number, end: number): number => {
    const last = Math.min(end - 3, start + Math.floor((target.length - at) / 3) * 4)
    let out = at
    let i = start
    for (; i < last; i += 4) {
      const high = pairs[bytes[i]! | (bytes[i + 1]! << 8)]!
      const low = pairs[bytes[i + 2]! | (bytes[i + 3]! << 8)]!
      if ((high | low) > 0xfff) break
      target[out] = high >> 4
      target[out + 1] = (high << 4) | (low >> 8)
      target[out + 2] = low
      out += 3
    }
    at = out
    return i
  }

  return {
    push(bytes, start, end) {
      let i = start
      while (i < end) {
        if (carryBits === 0 && !ended) i = groups(bytes, i, end)
        if (i < end && !single(bytes[i++]!)) return false
      }
      return true
    },
    get decodedBytes() {
      return at + dropped
    },
  }
}

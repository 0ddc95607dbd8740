import { formatCard } from './card.ts'
import type { FitsHeader } from './header.ts'
import type { FitsFile } from './read.ts'
import { endOf, type FitsHdu } from './structure.ts'

const chunkBytes = 65536
const chunk = Buffer.alloc(chunkBytes)
const chunkWords = new Uint32Array(chunk.buffer, chunk.byteOffset, chunkBytes / 4)

/** Exact: few enough words for a float64. */
function sumOfWords(words: Uint32Array, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += words[i] as number
  return sum
}

/**
 * 32-bit ones' complement sum of big-endian words over whole 4-byte groups. FITS Standard 4.0, Appendix J.
 * `start` is a sum to go on from.
 */
export function onesComplementSum(bytes: Uint8Array, start = 0): number {
  const end = bytes.length - (bytes.length % 4)
  let sum = start
  for (let from = 0; from < end; from += chunkBytes) {
    const length = Math.min(chunkBytes, end - from)
    chunk.set(bytes.subarray(from, from + length))
    // Turned round by native code: twice as quick as in the loop.
    chunk.subarray(0, length).swap32()
    sum += sumOfWords(chunkWords, length >>> 2)
    while (sum > 0xffffffff) sum = Math.floor(sum / 4294967296) + (sum % 4294967296)
  }
  return sum
}

/** 16 characters that make the sum of an HDU all ones. Appendix J.1, steps 3 and 4. */
export function encodeChecksum(sum: number): string {
  const complement = ~sum >>> 0
  const characters = new Uint8Array(16)
  for (let byte = 0; byte < 4; byte++) {
    const value = (complement >>> (24 - 8 * byte)) & 0xff
    const quotient = (value >>> 2) + 48
    const parts = [quotient + (value & 3), quotient, quotient, quotient]
    avoidPunctuation(parts)
    parts.forEach((part, index) => {
      characters[4 * index + byte] = part
    })
  }
  const text = Buffer.from(characters).toString('latin1')
  return text.slice(15) + text.slice(0, 15)
}

/** Moves pairs of characters apart, keeping their sum, until all are letters or digits. */
function avoidPunctuation(parts: number[]): void {
  const isPunctuation = (code: number): boolean => (code > 57 && code < 65) || (code > 90 && code < 97)
  while (parts.some(isPunctuation)) {
    for (let i = 0; i < 4; i += 2) {
      const [a = 0, b = 0] = [parts[i], parts[i + 1]]
      if (isPunctuation(a) || isPunctuation(b)) {
        parts[i] = a + 1
        parts[i + 1] = b - 1
      }
    }
  }
}

const zeroChecksum = '0'.repeat(16)

/** `header` with room for both sums: as long as it will be with them. */
export function withEmptyChecksums(header: FitsHeader): FitsHeader {
  return header
    .withCard(formatCard('DATASUM', '0', 'data unit checksum'))
    .withCard(formatCard('CHECKSUM', zeroChecksum, 'HDU checksum'))
}

/** `header` with DATASUM and CHECKSUM for these data (padded to whole blocks). */
export function withChecksums(header: FitsHeader, data: Uint8Array): FitsHeader {
  const dataSum = onesComplementSum(data)
  const summed = withEmptyChecksums(header).withCard(formatCard('DATASUM', String(dataSum), 'data unit checksum'))
  const sum = onesComplementSum(summed.encode(), dataSum)
  return summed.withCard(formatCard('CHECKSUM', encodeChecksum(sum), 'HDU checksum'))
}

/** What the checksums of one HDU say; undefined = the keyword is not there. */
export interface ChecksumReport {
  readonly hdu: number
  readonly data: boolean | undefined
  readonly header: boolean | undefined
}

function checkHdu(file: FitsFile, hdu: FitsHdu): ChecksumReport {
  const dataSum = hdu.header.number('DATASUM')
  const checksum = hdu.header.text('CHECKSUM')
  if (dataSum === undefined && checksum === undefined) return { hdu: hdu.index, data: undefined, header: undefined }
  const bytes = new Uint8Array(endOf(hdu) - hdu.headerOffset)
  file.readInto(hdu.headerOffset, bytes.subarray(0, Math.min(bytes.length, file.sizeBytes - hdu.headerOffset)))
  const data = onesComplementSum(bytes.subarray(hdu.dataOffset - hdu.headerOffset))
  const whole = onesComplementSum(bytes.subarray(0, hdu.dataOffset - hdu.headerOffset), data)
  return {
    hdu: hdu.index,
    data: dataSum === undefined ? undefined : data % 0xffffffff === dataSum % 0xffffffff,
    header: checksum === undefined || checksum.trim() === '' ? undefined : whole % 0xffffffff === 0,
  }
}

/** Checks DATASUM and CHECKSUM of every HDU that has them. */
export function verifyChecksums(file: FitsFile): ChecksumReport[] {
  return file.hdus.map((hdu) => checkHdu(file, hdu))
}

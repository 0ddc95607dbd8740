/** A minimal FITS file of one image: FITS standard 4.0, sections 3 and 4. */
export type FitsValue = string | number | boolean

export interface FitsCard {
  readonly keyword: string
  readonly value: FitsValue
  readonly comment?: string
}

export interface FitsImage {
  /** First axis, fastest. */
  readonly widthPixels: number
  readonly heightPixels: number
  /** 1, or 3 for a colour image: the slowest axis. */
  readonly planes: number
  /** `planes` × `heightPixels` rows of `widthPixels`. Uint16 is written as 16 bits with BZERO 32768 (section 4.4.2.5). */
  readonly pixels: Uint16Array | Int32Array | Float32Array
}

const blockBytes = 2880
const cardBytes = 80

function formatCard({ keyword, value, comment }: FitsCard): string {
  const shown = typeof value === 'boolean' ? (value ? 'T' : 'F').padStart(20) : formatValue(value)
  return `${keyword.padEnd(8)}= ${shown}${comment === undefined ? '' : ` / ${comment}`}`
    .slice(0, cardBytes)
    .padEnd(cardBytes)
}

/** Text in quotes, ASCII only, quotes doubled, at least eight characters (section 4.2.1). */
function formatValue(value: string | number): string {
  if (typeof value === 'number') {
    return (
      Number.isInteger(value)
        ? String(value)
        : value
            .toPrecision(15)
            .replace(/0+(e|$)/, '$1')
            .replace('e', 'E')
    ).padStart(20)
  }
  const safe = value
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replaceAll("'", "''")
    .slice(0, 67)
  return `'${safe.padEnd(8)}'`.padEnd(20)
}

/** The whole file. `cards` come after the structure's own. Throws RangeError when the pixels do not fill the axes. */
export function writeFits(image: FitsImage, cards: readonly FitsCard[]): Uint8Array {
  const { widthPixels, heightPixels, planes, pixels } = image
  if (pixels.length !== widthPixels * heightPixels * planes) throw new RangeError('pixels do not fill the axes')
  const bits = pixels instanceof Uint16Array ? 16 : pixels instanceof Int32Array ? 32 : -32
  const structure: FitsCard[] = [
    { keyword: 'SIMPLE', value: true },
    { keyword: 'BITPIX', value: bits },
    { keyword: 'NAXIS', value: planes > 1 ? 3 : 2 },
    { keyword: 'NAXIS1', value: widthPixels },
    { keyword: 'NAXIS2', value: heightPixels },
    ...(planes > 1 ? [{ keyword: 'NAXIS3', value: planes }] : []),
    ...(bits === 16
      ? [
          { keyword: 'BZERO', value: 32768 },
          { keyword: 'BSCALE', value: 1 },
        ]
      : []),
  ]
  const header = `${[...structure, ...cards].map(formatCard).join('')}${'END'.padEnd(cardBytes)}`
  const headerBytes = Math.ceil(header.length / blockBytes) * blockBytes
  const dataBytes = Math.ceil((pixels.length * (Math.abs(bits) / 8)) / blockBytes) * blockBytes
  const file = Buffer.alloc(headerBytes + dataBytes)
  file.write(header.padEnd(headerBytes), 0, 'latin1')
  writePixels(file, headerBytes, pixels)
  return new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
}

/** Big-endian, as the standard asks; the machine's own order is turned in place. */
function writePixels(file: Buffer, at: number, pixels: FitsImage['pixels']): void {
  const wide = pixels.BYTES_PER_ELEMENT
  const body = file.subarray(at, at + pixels.length * wide)
  if (pixels instanceof Uint16Array) {
    const signed = new Uint16Array(pixels.length)
    for (let index = 0; index < pixels.length; index++) signed[index] = pixels[index]! ^ 0x8000
    body.set(new Uint8Array(signed.buffer))
    body.swap16()
  } else {
    body.set(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength))
    body.swap32()
  }
}

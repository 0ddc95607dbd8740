import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { cardLength } from './card.ts'
import { blockBytes, FitsHeader } from './header.ts'

/** One header and data unit. `shape` is NAXIS1, NAXIS2 …: the fastest axis first. */
export interface FitsHdu {
  readonly index: number
  readonly header: FitsHeader
  readonly kind: 'image' | 'table' | 'compressed' | 'other'
  /** EXTNAME, or EXTTYPE where a telescope names its planes by that; '' when neither is there. */
  readonly name: string
  readonly bitpix: number
  readonly shape: readonly number[]
  readonly headerOffset: number
  readonly dataOffset: number
  /** Without the padding. */
  readonly dataBytes: number
}

/** Where bytes come from. `read` gives fewer bytes only at the end of the file. */
export interface ByteSource {
  readonly name: string
  readonly sizeBytes: number
  read(offset: number, length: number): Uint8Array
}

const maximumCards = 36_000
const maximumHdus = 2_000
const bitpixValues = new Set([8, 16, 32, 64, -32, -64])

/** One character a byte, so that foreign bytes survive (TextDecoder's latin1 is windows-1252). */
function characters(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

export function fitsError(code: string, source: { readonly name: string }, text: string): NightjarError {
  return new NightjarError(`fits/${code}`, `${source.name}: ${text}`)
}

interface HeaderText {
  readonly text: string
  readonly bytes: number
}

/** The cards up to END. Throws when END does not come. */
function readHeaderText(source: ByteSource, offset: number): HeaderText {
  let text = ''
  for (let at = offset; at < source.sizeBytes; at += blockBytes) {
    const block = characters(source.read(at, blockBytes))
    for (let card = 0; card < block.length; card += cardLength) {
      if (block.startsWith('END', card) && block.slice(card + 3, card + cardLength).trim() === '') {
        return { text: text + block.slice(0, card), bytes: at + blockBytes - offset }
      }
    }
    if (block.length < blockBytes) break
    text += block
    if (text.length > maximumCards * cardLength) {
      throw fitsError('header', source, `a header has more than ${maximumCards} cards: it is damaged or not FITS`)
    }
  }
  throw fitsError('truncated', source, 'the file ends within a header (no END): copy it again')
}

function wholeNumber(source: ByteSource, header: FitsHeader, key: string, fallback?: number): number {
  const value = header.get(key)
  if (value === undefined && fallback !== undefined) return fallback
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  const what = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`
  throw fitsError('header', source, `${key} ${what} and should be a whole number of 0 or more: the header is damaged`)
}

function readBitpix(source: ByteSource, header: FitsHeader): number {
  const bitpix = header.get('BITPIX')
  if (typeof bitpix === 'number' && bitpixValues.has(bitpix)) return bitpix
  throw fitsError(
    'header',
    source,
    `BITPIX is ${bitpix} and should be 8, 16, 32, 64, -32 or -64: the header is damaged`,
  )
}

function readShape(source: ByteSource, header: FitsHeader): number[] {
  const axes = wholeNumber(source, header, 'NAXIS')
  if (axes > 999) throw fitsError('header', source, `NAXIS is ${axes}, more than the 999 that FITS allows`)
  return Array.from({ length: axes }, (_, axis) => wholeNumber(source, header, `NAXIS${axis + 1}`))
}

/** Bytes of data that the header promises. FITS Standard 4.0, equation 2; random groups leave NAXIS1 = 0 out. */
function dataSize(source: ByteSource, header: FitsHeader, bitpix: number, shape: readonly number[]): number {
  if (shape.length === 0) return 0
  const axes = header.flag('GROUPS') === true && shape[0] === 0 ? shape.slice(1) : shape
  const elements = axes.reduce((product, length) => product * length, 1)
  const groups = wholeNumber(source, header, 'GCOUNT', 1)
  const parameters = wholeNumber(source, header, 'PCOUNT', 0)
  const bytes = (Math.abs(bitpix) / 8) * groups * (parameters + elements)
  if (Number.isSafeInteger(bytes)) return bytes
  throw fitsError('lying', source, `the header promises ${shape.join(' × ')} values, more than any file holds`)
}

function kindOf(header: FitsHeader, index: number): FitsHdu['kind'] {
  if (index === 0) return header.flag('GROUPS') === true ? 'other' : 'image'
  const extension = header.text('XTENSION')?.trim()
  if (extension === 'IMAGE' || extension === 'IUEIMAGE') return 'image'
  if (extension === 'BINTABLE') return header.flag('ZIMAGE') === true ? 'compressed' : 'table'
  return extension === 'TABLE' ? 'table' : 'other'
}

function readHdu(source: ByteSource, index: number, headerOffset: number): FitsHdu {
  const { text, bytes } = readHeaderText(source, headerOffset)
  const header = FitsHeader.parse(text)
  const bitpix = readBitpix(source, header)
  const shape = readShape(source, header)
  const dataBytes = dataSize(source, header, bitpix, shape)
  const dataOffset = headerOffset + bytes
  const present = source.sizeBytes - dataOffset
  if (dataBytes > present) {
    const promise = `HDU ${index} promises ${dataBytes} bytes of data (${shape.join(' × ')}, BITPIX ${bitpix})`
    throw fitsError('truncated', source, `${promise} but the file has ${Math.max(0, present)}: copy it again`)
  }
  const name = (header.text('EXTNAME') ?? header.text('EXTTYPE') ?? '').trim()
  return { index, header, kind: kindOf(header, index), name, bitpix, shape, headerOffset, dataOffset, dataBytes }
}

/** Offset of whatever follows an HDU. */
export function endOf(hdu: FitsHdu): number {
  return hdu.dataOffset + Math.ceil(hdu.dataBytes / blockBytes) * blockBytes
}

/** Walks all headers, checking sizes against the file; reads no data. Anything after the last HDU is left alone. */
export function readStructure(source: ByteSource): FitsHdu[] {
  if (!characters(source.read(0, 30)).startsWith('SIMPLE  =')) {
    throw fitsError('not-fits', source, 'this is not a FITS file (it does not start with SIMPLE =)')
  }
  const hdus: FitsHdu[] = []
  let offset = 0
  while (offset < source.sizeBytes) {
    const start = characters(source.read(offset, 9))
    if (hdus.length > 0 && start !== 'XTENSION=') break
    if (hdus.length === maximumHdus) throw fitsError('header', source, `more than ${maximumHdus} HDUs`)
    const hdu = readHdu(source, hdus.length, offset)
    hdus.push(hdu)
    offset = endOf(hdu)
  }
  return hdus
}

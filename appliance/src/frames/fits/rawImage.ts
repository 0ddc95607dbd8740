import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Compute } from '../compute.ts'
import type { Frame } from '../frame.ts'
import type { MaskPlane } from '../plane.ts'
import type { FitsHeader } from './header.ts'
import {
  blankOf,
  checkLimit,
  companion,
  type FitsFile,
  type FitsHdu,
  firstImage,
  frameHeaderOf,
  imageSize,
  openFits,
  readFrame,
  readImage,
  saturationLevel,
} from './read.ts'
import { fitsError } from './structure.ts'

/**
 * Pixels in the pixel memory as a file has them, for kernels that decode while they calculate: big-endian int16 plus a
 * whole `zero`, or float32 of this machine.
 */
export interface RawPixels {
  readonly kind: 'int16' | 'float32'
  readonly pointer: number
  readonly width: number
  readonly height: number
  /** BZERO; 0 for float32. */
  readonly zero: number
  /** The stored value that means "none"; float32 has NaN. */
  readonly blank: number | undefined
}

/** An exposure as the camera gave it, not yet decoded. */
export interface RawFrame {
  readonly header: FitsHeader
  readonly width: number
  readonly height: number
  readonly pixels: RawPixels
  /** Of the file's MASK extension; undefined when there is none. */
  readonly mask: MaskPlane | undefined
  /** A full pixel reads this much, as the file says; infinite when it does not. */
  readonly saturationAdu: number
}

/** A frame in memory as a raw one; shares its planes. */
export function rawOf(frame: Frame): RawFrame {
  const { header, width, height, mask, science } = frame
  const pixels = { kind: 'float32', pointer: science.pointer, width, height, zero: 0, blank: undefined } as const
  return { header, width, height, pixels, mask, saturationAdu: Number.POSITIVE_INFINITY }
}

/** Plain 16-bit values of scale 1 and a whole zero below 2^23: their float32 sums are exact. */
function isPlainInt16(hdu: FitsHdu): boolean {
  const zero = hdu.header.number('BZERO') ?? 0
  const scale = hdu.header.number('BSCALE') ?? 1
  return hdu.kind === 'image' && hdu.bitpix === 16 && scale === 1 && Number.isInteger(zero) && Math.abs(zero) < 8388608
}

/** Header and size of the image that `readRaw` would read. */
export function rawSize(file: FitsFile): Pick<RawFrame, 'header' | 'width' | 'height'> {
  const image = firstImage(file)
  return { header: frameHeaderOf(file, image), ...imageSize(file, image) }
}

/**
 * The first image of a file, undecoded where it is plain 16-bit (half the memory and one pass less than `readFrame`), else
 * as `readFrame` gives it. Throws as `readFrame`.
 */
export function readRaw(compute: Compute, from: string | Uint8Array | FitsFile): RawFrame {
  const file = typeof from === 'string' || from instanceof Uint8Array ? openFits(from) : from
  const image = firstImage(file)
  if (!isPlainInt16(image) || companion(file, image, ['MASK'])) return rawOf(readFrame(compute, file))
  const { width, height } = imageSize(file, image)
  checkLimit(file, image, image.dataBytes)
  const pointer = compute.allocate(image.dataBytes)
  file.readInto(image.dataOffset, new Uint8Array(compute.memory.buffer, pointer, image.dataBytes))
  const pixels = { ...int16Of(image), pointer, width, height }
  const header = frameHeaderOf(file, image)
  return { header, width, height, pixels, mask: undefined, saturationAdu: saturationLevel(image) }
}

function int16Of(image: FitsHdu): Pick<RawPixels, 'kind' | 'zero' | 'blank'> {
  return { kind: 'int16', zero: image.header.number('BZERO') ?? 0, blank: blankOf(image) }
}

/** A frame that is read a few rows at a time. */
export interface RowFile extends Disposable {
  readonly name: string
  readonly header: FitsHeader
  readonly width: number
  readonly height: number
  /** Rows [rowFrom, rowTo), in pixel memory allocated by this call where they are not there yet. */
  rows(compute: Compute, rowFrom: number, rowTo: number): RawPixels
}

/** A frame in memory, row by row. */
export function rowsOf(frame: Frame, name: string): RowFile {
  const { header, width, height, science } = frame
  return {
    name,
    header,
    width,
    height,
    rows: (_, from, to) => ({ ...rawOf(frame).pixels, pointer: science.pointer + from * width * 4, height: to - from }),
    [Symbol.dispose]: () => {},
  }
}

/**
 * Opens an image for reading by rows: its data are opened once and stay open until disposed. What is not plain 16-bit
 * (packed, or of another type) is unpacked as float32 into a nameless file in `scratchFolder`, so that memory does not grow
 * with the number of open frames. Throws as `readImage`.
 */
export function openRowFile(compute: Compute, path: string, scratchFolder: string): RowFile {
  const file = openFits(path)
  const image = firstImage(file)
  const header = frameHeaderOf(file, image)
  const { width, height } = imageSize(file, image)
  const plain = isPlainInt16(image) && file.sizeBytes >= image.dataOffset + image.dataBytes && !isPacked(path)
  const stored = plain
    ? ({ ...int16Of(image), descriptor: openSync(path, 'r'), offset: image.dataOffset, bytes: 2 } as const)
    : ({
        kind: 'float32',
        zero: 0,
        blank: undefined,
        descriptor: spill(compute, file, scratchFolder),
        offset: 0,
        bytes: 4,
      } as const)
  const { kind, zero, blank, descriptor, offset, bytes } = stored
  return {
    name: file.name,
    header,
    width,
    height,
    rows: (into, from, to) => {
      const length = (to - from) * width * bytes
      const pointer = into.allocate(length)
      const target = new Uint8Array(into.memory.buffer, pointer, length)
      if (readAt(descriptor, offset + from * width * bytes, target) < length) {
        throw fitsError('truncated', file, 'the file became shorter while it was read: copy it again')
      }
      return { kind, pointer, width, height: to - from, zero, blank }
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}

function isPacked(path: string): boolean {
  const descriptor = openSync(path, 'r')
  try {
    const magic = new Uint8Array(2)
    return readAt(descriptor, 0, magic) === 2 && magic[0] === 0x1f && magic[1] === 0x8b
  } finally {
    closeSync(descriptor)
  }
}

function readAt(descriptor: number, offset: number, target: Uint8Array): number {
  let done = 0
  while (done < target.length) {
    const count = readSync(descriptor, target, done, target.length - done, offset + done)
    if (count === 0) break
    done += count
  }
  return done
}

/** The pixels as float32 in a file without a name: it is gone when it is closed, also by a crash. */
function spill(compute: Compute, file: FitsFile, folder: string): number {
  using _scratch = compute.scope()
  const { data } = readImage(compute, file)
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const own = mkdtempSync(join(folder, '.rows-'))
  const descriptor = openSync(join(own, 'rows'), 'wx+', 0o600)
  rmSync(own, { recursive: true })
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, Math.min(1 << 24, bytes.length - done))
  return descriptor
}

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { Compute } from './compute.ts'
import type { Plane } from './plane.ts'

/** Reference values for the tests of this room, made with astropy, numpy and scipy by scripts/reference/fits.py. */
export interface Reference {
  readonly files: Readonly<
    Record<string, { base64: string; values: (number | null)[]; checksum: string; datasum: string }>
  >
  readonly header: { readonly base64: string; readonly note: string }
  readonly fourier: readonly {
    width: number
    height: number
    rms: number
    elements: [number, number, number, number][]
  }[]
  readonly statistics: {
    mean: number
    std: number
    median: number
    mad: number
    quantiles: number[]
    clipped: { mean: number; median: number; std: number }
  }
  readonly largeStatistics: { fractions: number[]; quantiles: number[]; mad: number }
  readonly convolutions: {
    tapsX: number[]
    tapsY: number[]
    kernel: number[][]
    separable: [number, number, number][]
    full: [number, number, number][]
  }
  readonly wcs: readonly {
    name: string
    cards: Record<string, string | number>
    places: [number, number, number, number][]
  }[]
}

export interface RealFile {
  readonly name: string
  readonly hdu: number
  readonly hdus: number
  readonly width: number
  readonly height: number
  readonly bad: number
  readonly mean: number
  readonly median: number
  readonly min: number
  readonly max: number
}

function load(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
}

export const reference = load('./reference.json') as Reference
export const realFiles = (load('./realFiles.reference.json') as { files: RealFile[] }).files

/** Tile-compressed files and the sha256 of their pixels, made by scripts/reference/fits_compressed.py. */
export interface CompressedCorpus {
  readonly files: readonly { name: string; width: number; height: number; sha256: string; base64: string }[]
}

/** Unpacked when it is asked for: 5 MB. */
export function compressedCorpus(): CompressedCorpus {
  const packed = readFileSync(new URL('./compressed.reference.json.gz', import.meta.url))
  return JSON.parse(gunzipSync(packed).toString()) as CompressedCorpus
}

/** Of scripts/reference/fits_dense.py: HCOMPRESS_1, PLIO_1, cubes (`plane` is meant) and null pixel masks. */
export interface DenseFile {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly sha256: string
  readonly plane: number | null
  readonly base64: string
}

export function denseCorpus(): readonly DenseFile[] {
  const packed = readFileSync(new URL('./dense.reference.json.gz', import.meta.url))
  return (JSON.parse(gunzipSync(packed).toString()) as { files: DenseFile[] }).files
}

/** Folder of real files beside the repository; undefined on a machine without them. */
export function realDataFolder(): string | undefined {
  const folder = fileURLToPath(new URL('../../../../shared/data/', import.meta.url))
  return existsSync(folder) ? folder : undefined
}

/** The plane that the reference script calls `pattern`. */
export function pattern(compute: Compute, width: number, height: number): Plane {
  const plane = compute.float32(width, height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      plane.data[y * width + x] = ((x * 7919 + y * 104729 + x * y * 31) % 1009) / 8 + 100
    }
  }
  return plane
}

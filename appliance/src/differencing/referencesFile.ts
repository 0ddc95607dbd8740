import type { Compute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { type FitsFile, openFits, readFrame, readImage } from '../frames/fits/read.ts'
import type { HduToWrite, Pixels } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { createMesh, createSplineMesh } from '../frames/mesh.ts'
import { type Background, measureBackground } from '../preprocessing/background.ts'
import { measureStars, type Star } from '../preprocessing/stars.ts'
import { meshFor } from './prepare.ts'
import { stellarFwhm } from './starWidth.ts'

/**
 * A reference's file: the frame, and in three image extensions what every difference with it would measure again: STARS (one
 * row a star, the columns named by TTYPEn), SKY and SKYRMS (the background's meshes, MESHSIZE pixels a cell).
 */
export interface ReferenceFacts {
  readonly background: Background
  readonly stars: readonly Star[]
  /** Of the stars, not the galaxies; NaN without any. */
  readonly fwhmPixels: number
}

export interface Reference extends ReferenceFacts {
  readonly frame: Frame
}

const columns = [
  'x',
  'y',
  'fluxAdu',
  'fluxErrorAdu',
  'peakAdu',
  'fwhmPixels',
  'hfrPixels',
  'ellipticity',
  'positionAngleDeg',
  'snr',
  'areaPixels',
  'flags',
  'kronFluxAdu',
] as const satisfies readonly (keyof Star)[]

/** Measures sky and stars of a frame as `prepare` does. Meshes are allocated from `compute`. */
export function measureReference(compute: Compute, { science, mask, width, height }: Frame): ReferenceFacts {
  const background = measureBackground(compute, science, mask, { meshPixels: meshFor({ width, height }) })
  const stars = measureStars(compute, science, mask, background, { thresholdSigma: 5 })
  return { background, stars, fwhmPixels: widthOf(stars) }
}

function widthOf(stars: readonly Star[]): number {
  return stellarFwhm(stars.filter((star) => star.flags === 0 && star.snr > 15))
}

/** The extensions that hold the facts. */
export function factExtensions({ background, stars }: ReferenceFacts): HduToWrite[] {
  const { level, rms, globalLevelAdu, globalRmsAdu } = background
  const mesh = (data: Float32Array): Pixels => ({ width: level.columns, height: level.rows, data })
  const size = FitsHeader.from({
    MESHSIZE: [level.cellPixels, 'pixels, side of a cell'],
    SKYLEVEL: [globalLevelAdu, 'ADU, median of the mesh'],
    SKYRMS: [globalRmsAdu, 'ADU, median of the mesh of the noise'],
  })
  return [
    { header: size, data: mesh(level.data), extname: 'SKY' },
    { header: size, data: mesh(rms.data), extname: 'SKYRMS' },
    ...(stars.length > 0 ? [starTable(stars)] : []),
  ]
}

function starTable(stars: readonly Star[]): HduToWrite {
  const data = new Float64Array(stars.length * columns.length)
  stars.forEach((star, row) => {
    columns.forEach((column, k) => {
      data[row * columns.length + k] = star[column] ?? Number.NaN
    })
  })
  const names = Object.fromEntries(columns.map((column, k) => [`TTYPE${k + 1}`, column]))
  return {
    header: FitsHeader.from(names),
    data: { width: columns.length, height: stars.length, data },
    extname: 'STARS',
  }
}

/**
 * Reads a reference with its sky and stars. What the file does not hold (a frame from elsewhere) is measured. Planes are
 * allocated from `compute`. Throws as `readFrame`.
 */
export function readReference(compute: Compute, path: string): Reference {
  const file = openFits(path)
  const frame = readFrame(compute, file)
  const background = readBackground(compute, file, frame)
  if (!background) return { frame, ...measureReference(compute, frame) }
  const stars = readStars(file)
  return { frame, background, stars, fwhmPixels: widthOf(stars) }
}

function named(file: FitsFile, name: string): FitsFile['hdus'][number] | undefined {
  return file.hdus.find((hdu) => hdu.kind === 'image' && hdu.header.text('EXTNAME')?.trim() === name)
}

function readBackground(compute: Compute, file: FitsFile, { width, height }: Frame): Background | undefined {
  const [sky, noise] = [named(file, 'SKY'), named(file, 'SKYRMS')]
  const cellPixels = sky?.header.number('MESHSIZE')
  const globalLevelAdu = sky?.header.number('SKYLEVEL')
  const globalRmsAdu = sky?.header.number('SKYRMS')
  if (!(sky && noise && cellPixels && globalLevelAdu !== undefined && globalRmsAdu !== undefined)) return undefined
  const size = { cellPixels, columns: Math.ceil(width / cellPixels), rows: Math.ceil(height / cellPixels) }
  const level = valuesOf(compute, file, sky.index)
  const rms = valuesOf(compute, file, noise.index)
  if (level.length !== size.columns * size.rows || rms.length !== level.length) return undefined
  return {
    level: createSplineMesh(compute, size, level),
    rms: createMesh(compute, size, rms),
    globalLevelAdu,
    globalRmsAdu,
  }
}

function valuesOf(compute: Compute, file: FitsFile, hdu: number): Float64Array {
  using _scratch = compute.scope()
  return Float64Array.from(readImage(compute, file, hdu).data)
}

/** As float64, without a detour through pixels: a position needs more than the seven digits of float32. */
function readStars(file: FitsFile): Star[] {
  const hdu = named(file, 'STARS')
  if (!hdu || hdu.bitpix !== -64 || hdu.shape[0] !== columns.length) return []
  const bytes = new Uint8Array(hdu.dataBytes)
  file.readInto(hdu.dataOffset, bytes)
  const view = new DataView(bytes.buffer)
  return Array.from({ length: hdu.shape[1] ?? 0 }, (_, row) => {
    const star = columns.map((column, k) => [column, view.getFloat64((row * columns.length + k) * 8)] as const)
    // The Kron flux of fainter stars is not measured.
    return Object.fromEntries(star.filter(([, value]) => !Number.isNaN(value))) as unknown as Star
  })
}

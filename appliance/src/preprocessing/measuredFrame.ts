import type { Compute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { type FitsFile, openFits, readFrame, readImage } from '../frames/fits/read.ts'
import { readTable, tableHdu } from '../frames/fits/table.ts'
import type { HduToWrite, Pixels } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { createMesh, createSplineMesh } from '../frames/mesh.ts'
import { type Background, measureBackground } from './background.ts'
import { withoutMosaic } from './mosaic.ts'
import { measureStars, type Star } from './stars.ts'

/**
 * A calibrated frame's or a reference's file: the frame, and in three extensions what everyone who reads it would measure
 * again: STARS (one row a star), SKY and SKYRMS (the background's meshes, MESHSIZE pixels a cell).
 */
export interface Measured {
  readonly background: Background
  readonly stars: readonly Star[]
}

export interface MeasuredFrame extends Measured {
  readonly frame: Frame
}

/** Side of a background cell: 64 px, less where the frame is too small for three of them. */
export function meshFor({ width, height }: { readonly width: number; readonly height: number }): number {
  return Math.max(16, Math.min(64, Math.floor(Math.min(width, height) / 3)))
}

/** Columns of STARS and their units as FITS writes them. */
const columns = {
  x: 'pix',
  y: 'pix',
  fluxAdu: 'adu',
  fluxErrorAdu: 'adu',
  peakAdu: 'adu',
  fwhmPixels: 'pix',
  hfrPixels: 'pix',
  ellipticity: undefined,
  positionAngleDeg: 'deg',
  snr: undefined,
  areaPixels: 'pix',
  flags: undefined,
  kronFluxAdu: 'adu',
} as const satisfies Partial<Record<keyof Star, string | undefined>>
const whole: readonly string[] = ['areaPixels', 'flags']

/** Measures sky and stars of a frame. Meshes are allocated from `compute`. */
export function measureFrame(compute: Compute, { science, mask, width, height }: Frame): Measured {
  const background = measureBackground(compute, science, mask, { meshPixels: meshFor({ width, height }) })
  return { background, stars: measureStars(compute, science, mask, background, { thresholdSigma: 5 }) }
}

/** The extensions that hold it. */
export function measuredExtensions({ background, stars }: Measured): HduToWrite[] {
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
  const names = Object.keys(columns) as (keyof typeof columns)[]
  const table = names.map((name) => ({
    name,
    kind: whole.includes(name) ? ('J' as const) : ('D' as const),
    values: stars.map((star) => star[name] ?? Number.NaN),
    ...(columns[name] === undefined ? {} : { unit: columns[name] }),
  }))
  return { table: tableHdu('STARS', table) }
}

/**
 * Reads a frame with its sky and stars; a raw one of a colour camera as super-pixels. What the file does not hold (a frame from elsewhere) is measured. Planes are
 * allocated from `compute`. Throws as `readFrame`.
 */
export function readMeasured(compute: Compute, path: string): MeasuredFrame {
  const file = openFits(path)
  const frame = withoutMosaic(compute, readFrame(compute, file))
  const background = readBackground(compute, file, frame)
  return background ? { frame, background, stars: readStars(file) } : { frame, ...measureFrame(compute, frame) }
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

function readStars(file: FitsFile): Star[] {
  const hdu = file.hdus.find(({ kind, name }) => kind === 'table' && name === 'STARS')
  if (!hdu) return []
  const table = readTable(file, hdu.index).filter(({ name }) => Object.hasOwn(columns, name))
  return Array.from({ length: hdu.shape[1] ?? 0 }, (_, row) => {
    const star: Record<string, unknown> = {}
    for (const { name, values } of table) {
      // The Kron flux of fainter stars is not measured.
      if (!Number.isNaN(values[row])) star[name] = values[row]
    }
    return star as unknown as Star
  })
}

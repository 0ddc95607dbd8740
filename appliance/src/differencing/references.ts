import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { createMesh, type Mesh, paintMesh } from '../frames/mesh.ts'
import { wcsFromHeader } from '../frames/wcs.ts'
import { measureBackground } from '../preprocessing/background.ts'
import { type MeasuredFrame, measureFrame, meshFor, readMeasured } from '../preprocessing/measuredFrame.ts'
import type { Star } from '../preprocessing/stars.ts'
import { hintFromWcs } from './align.ts'
import { gainFromHeader } from './gain.ts'
import { frameFwhm, photometricStars, prepare, readPrepared, registrationStars } from './prepare.ts'
import { type Registration, registerStars } from './register.ts'
import { median } from './robust.ts'
import { warp } from './warp.ts'

/**
 * A reference: calibrated frames of one field aligned to the best of them and averaged with outliers left out, so that
 * nothing that passed through one frame stays in it. One frame at a time is in memory: aligned layers wait on the disk and
 * come back band by band.
 */
interface Survey {
  readonly path: string
  readonly frame: Pick<Frame, 'header' | 'width' | 'height'>
  readonly stars: readonly Star[]
  readonly fwhmPixels: number
  readonly rmsAdu: number
  readonly levelAdu: number
}

/** An aligned frame on the disk: its science plane as float32, then its mask as uint16. */
interface Layer {
  readonly survey: Survey
  readonly path: string
  /** Counts of the best frame for one of this. */
  readonly scale: number
  /** 1/σ² of the scaled plane; σ is measured on the resampled pixels, which are quieter than the frame's own. */
  readonly weight: number
}

export interface BuildOptions {
  /** Where aligned layers wait, six bytes a pixel and frame; default: the system's temporary folder. */
  readonly spillFolder?: string
}

const unusable = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay | MaskFlag.streak
const full = MaskFlag.saturated | MaskFlag.bloom
/** Of all layers together that are in memory at once. */
const bandBytes = 48 * 1024 * 1024

/**
 * Averages the frames at `paths` on the grid of the best one, with the sky and the stars of the result. It has the best
 * frame's header and sky level, a mask, a variance plane (sky as measured after resampling, and source noise), EGAIN of the
 * average, NCOMBINE, REFnnn (the inputs), REFFWHM, REFRMS and REFCOVER. Frames that cannot be aligned are left out and named
 * in HISTORY. Throws `differencing/reference` without any path; what `readFrame` throws for a broken file.
 */
export function buildReference(compute: Compute, paths: readonly string[], options: BuildOptions = {}): MeasuredFrame {
  if (paths.length === 0) throw new NightjarError('differencing/reference', 'a reference needs at least one frame')
  const folder = options.spillFolder ?? tmpdir()
  mkdirSync(folder, { recursive: true })
  const spill = mkdtempSync(join(folder, 'nightjar-stack-'))
  try {
    const surveys = paths.map((path) => survey(compute, path))
    const best = surveys.reduce((a, b) => (merit(b) > merit(a) ? b : a))
    const left: string[] = []
    const layers: Layer[] = []
    for (const one of surveys) {
      const layer = align(compute, one, best, join(spill, `layer-${layers.length}.part`))
      if (typeof layer === 'string') left.push(`${basename(one.path)}: ${layer}`)
      else layers.push(layer)
    }
    return average(compute, layers, left, best)
  } finally {
    rmSync(spill, { recursive: true, force: true })
  }
}

/** Sharp, deep frames with many stars are best. */
function merit({ fwhmPixels, rmsAdu, stars }: Survey): number {
  if (!(fwhmPixels > 0) || stars.length === 0) return 0
  return Math.sqrt(stars.length) / (fwhmPixels * rmsAdu)
}

function survey(compute: Compute, path: string): Survey {
  using _scratch = compute.scope()
  const { frame, ...measured } = readMeasured(compute, path)
  const { header, width, height } = frame
  const { stars, fwhmPixels, rmsAdu, levelAdu } = prepare(compute, frame, { measured, inPlace: true })
  return { path, frame: { header, width, height }, stars, fwhmPixels, rmsAdu, levelAdu }
}

/** Puts the frame on the best one's grid and to the disk, or says why not. */
function align(compute: Compute, one: Survey, best: Survey, path: string): Layer | string {
  const [from, to] = [wcsFromHeader(best.frame.header), wcsFromHeader(one.frame.header)]
  const hint = from && to && hintFromWcs(from, to, best.frame)
  const result = registerStars({
    science: registrationStars(best.stars),
    reference: registrationStars(one.stars),
    scienceSize: best.frame,
    referenceSize: one.frame,
    ...(hint && { hint }),
  })
  if (!result.ok) return result.reason
  const scale = one === best ? 1 : fluxScale(best, one, result.registration)
  using _scratch = compute.scope()
  const { plane, mask } = readPrepared(compute, one.path)
  const source = { science: plane, mask, variance: undefined }
  const warped = warp(compute, source, result.registration.transform, best.frame)
  // Measured on the resampled pixels: they are correlated, and quieter than the frame's.
  const noise = measureBackground(compute, warped.science, warped.mask, { meshPixels: meshFor(best.frame) })
  writeLayer(path, warped.science.data, warped.mask.data)
  return { survey: one, path, scale, weight: 1 / (scale * noise.globalRmsAdu) ** 2 }
}

function writeLayer(path: string, science: Float32Array, mask: Uint16Array): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    for (const { buffer, byteOffset, byteLength } of [science, mask]) {
      for (let done = 0; done < byteLength; )
        done += writeSync(file, new Uint8Array(buffer, byteOffset, byteLength), done)
    }
  } finally {
    closeSync(file)
  }
}

/** Reads part of a layer into the pixel memory. */
function readLayer(file: number, compute: Compute, pointer: number, bytes: number, position: number): void {
  const target = new Uint8Array(compute.memory.buffer, pointer, bytes)
  for (let done = 0; done < bytes; ) {
    const read = readSync(file, target, done, bytes - done, position + done)
    if (read === 0) throw new NightjarError('differencing/reference', 'an aligned layer became shorter while stacking')
    done += read
  }
}

/** Flux in the best frame ÷ flux in this one, from the stars that matched; 1 when there are none. */
export function fluxScale(
  best: Pick<Survey, 'stars'>,
  one: Pick<Survey, 'stars'>,
  { pairs }: Pick<Registration, 'pairs'>,
): number {
  const [from, to] = [registrationStars(best.stars), registrationStars(one.stars)]
  const clean = new Set<unknown>([...photometricStars(best.stars), ...photometricStars(one.stars)])
  const ratios = pairs
    .map(([i, j]) => [from[i]!, to[j]!] as const)
    .filter(([a, b]) => clean.has(a) && clean.has(b) && a.snr > 20 && b.snr > 20)
    .map(([a, b]) => a.fluxAdu / b.fluxAdu)
  const ratio = median(ratios)
  return ratio > 0 ? ratio : 1
}

/** Mean of the layers with outliers left out, band by band; its sky and stars measured. */
function average(compute: Compute, layers: readonly Layer[], left: readonly string[], best: Survey): MeasuredFrame {
  const { width, height } = best.frame
  const plane = <T extends Float32Array | Uint16Array>(
    type: new (b: ArrayBufferLike, o: number, n: number) => T,
    bytes: number,
  ) => compute.view(type, compute.allocate(bytes * width * height), width, height)
  const science = plane(Float32Array, 4)
  const mask = plane(Uint16Array, 2)
  const variance = plane(Float32Array, 4)
  const gain = gainFromHeader(best.frame.header)
  {
    using _scratch = compute.scope()
    paintMesh(compute, noiseShape(compute, best), variance)
    stackBands(compute, layers, { science, mask, variance }, { levelAdu: best.levelAdu, gain })
  }
  const bare = { header: best.frame.header, width, height, science, mask, variance }
  const facts = measureFrame(compute, bare)
  const fwhmPixels = frameFwhm(facts.stars)
  const header = headerOf(best, left, layers, gain)
    .with('REFFWHM', fwhmPixels > 0 ? fwhmPixels : 0, 'pixels, of the stars of the average')
    .with('REFRMS', facts.background.globalRmsAdu, 'ADU, noise of the sky of the average')
    .with('REFCOVER', coverage(mask.data), 'share of pixels with a value')
  return { frame: { ...bare, header }, ...facts }
}

/** How the sky's noise varies over the frame, 1 on the whole. */
function noiseShape(compute: Compute, best: Survey): Mesh {
  const values = ((): { size: Mesh; shape: Float32Array } => {
    using _scratch = compute.scope()
    const { science, mask } = readFrame(compute, best.path)
    const { rms, globalRmsAdu } = measureBackground(compute, science, mask, { meshPixels: meshFor(best.frame) })
    return { size: rms, shape: rms.data.map((value) => value / globalRmsAdu) }
  })()
  return createMesh(compute, values.size, values.shape)
}

function coverage(mask: Uint16Array): number {
  let covered = 0
  for (let i = 0; i < mask.length; i++) if ((mask[i]! & MaskFlag.noData) === 0) covered++
  return covered / mask.length
}

function stackBands(
  compute: Compute,
  layers: readonly Layer[],
  out: Pick<Frame, 'science' | 'mask'> & { readonly variance: Frame['science'] },
  { levelAdu, gain }: { readonly levelAdu: number; readonly gain: number | undefined },
): void {
  const { width, height } = out.science
  const count = layers.length
  const table = compute.allocate(count * 8)
  new Float32Array(compute.memory.buffer, table, count * 2).set(layers.flatMap(({ scale, weight }) => [scale, weight]))
  const rowsAtOnce = Math.max(1, Math.min(height, Math.floor(bandBytes / (6 * width * count))))
  const pixels = rowsAtOnce * width
  const planes = compute.allocate(4 * pixels * count)
  const masks = compute.allocate(2 * pixels * count)
  const scratch = compute.allocate(16 * count * compute.threads)
  const files: number[] = []
  try {
    for (const layer of layers) files.push(openSync(layer.path, 'r'))
    for (let row = 0; row < height; row += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, height - row)
      files.forEach((file, k) => {
        readLayer(file, compute, planes + 4 * pixels * k, 4 * rows * width, 4 * row * width)
        const position = 4 * height * width + 2 * row * width
        readLayer(file, compute, masks + 2 * pixels * k, 2 * rows * width, position)
      })
      compute.rows('stackLayers', rows, [
        ...[table, count, planes, masks, pixels],
        out.science.pointer + 4 * row * width,
        out.mask.pointer + 2 * row * width,
        out.variance.pointer + 4 * row * width,
        ...[width, levelAdu, gain ? 1 / gain : 0, unusable, full, MaskFlag.noData, scratch],
      ])
    }
  } finally {
    files.forEach(closeSync)
  }
}

function headerOf(
  best: Survey,
  left: readonly string[],
  layers: readonly Layer[],
  gain: number | undefined,
): FitsHeader {
  const total = layers.reduce((sum, { weight }) => sum + weight, 0)
  // Variance of a source of s ADU: s/gain · Σ w² scale ÷ (Σ w)².
  const squares = layers.reduce((sum, { weight, scale }) => sum + weight * weight * scale, 0)
  const effective = (total * total) / squares
  let header = best.frame.header.with('NCOMBINE', layers.length, 'frames averaged')
  if (gain) header = header.with('EGAIN', gain * effective, 'electrons per ADU of the average')
  layers.forEach(({ survey }, index) => {
    header = header.with(`REF${String(index + 1).padStart(3, '0')}`, basename(survey.path).slice(0, 60), 'input')
  })
  header = header.withHistory(
    `reference: ${layers.length} frames aligned to ${basename(best.path)}, weighted mean, 4 sigma clip`,
  )
  for (const reason of left) header = header.withHistory(`reference: left out ${reason}`)
  return header
}

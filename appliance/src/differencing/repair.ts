import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import type { PsfModel } from './psf.ts'
import { solveLinear } from './robust.ts'

/**
 * Saturated stars before the Fourier transform: pixels that are saturated in either frame are replaced in both by the PSF
 * fitted to the unsaturated rings around them, so that no hole rings through the filters. One flux and one place are fitted
 * to both frames together, or to the one in which the star is not saturated: what was painted in one frame then cancels what
 * was painted in the other.
 */
export interface Blob {
  readonly x: number
  readonly y: number
  readonly radius: number
  readonly pixels: readonly number[]
}

const full = MaskFlag.saturated | MaskFlag.bloom
/** Below this width a PSF may be wrong between the pixels. */
const sampledFwhm = 2.3
/** Runs listed for a row; more are taken as one. */
const mostRuns = 64

interface Run {
  readonly y: number
  readonly from: number
  readonly to: number
  blob: number
}

/** Connected pixels that are saturated in either mask, grown by one pixel. */
export function saturatedBlobs(compute: Compute, one: MaskPlane, other: MaskPlane): Blob[] {
  const { width, height } = one
  const runs = saturatedRuns(compute, one, other)
  const groups = new Map<number, Set<number>>()
  const root = joinRuns(runs)
  runs.forEach(({ y, from, to }, k) => {
    const own = root(k)
    const pixels = groups.get(own) ?? new Set<number>()
    groups.set(own, pixels)
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++)
      for (let u = Math.max(0, from - 1); u <= Math.min(width - 1, to); u++) pixels.add(v * width + u)
  })
  return [...groups.values()].map((pixels) => blobOf([...pixels], width))
}

function saturatedRuns(compute: Compute, one: MaskPlane, other: MaskPlane): Run[] {
  const { width, height } = one
  using _scratch = compute.scope()
  const length = 1 + 2 * mostRuns
  const table = compute.view(Int32Array, compute.allocate(4 * length * height), length, height)
  compute.rows('maskRuns', height, [one.pointer, other.pointer, width, full, table.pointer, mostRuns])
  const runs: Run[] = []
  for (let y = 0; y < height; y++) {
    const at = y * length
    for (let k = 0; k < table.data[at]!; k++) {
      runs.push({ y, from: table.data[at + 1 + 2 * k]!, to: table.data[at + 2 + 2 * k]!, blob: runs.length })
    }
  }
  return runs
}

/** Joins runs that touch, corners included; tells the first run of the group that a run is in. */
function joinRuns(runs: readonly Run[]): (index: number) => number {
  const root = (index: number): number => {
    let at = index
    while (runs[at]!.blob !== at) {
      runs[at]!.blob = runs[runs[at]!.blob]!.blob
      at = runs[at]!.blob
    }
    return at
  }
  let above = 0
  for (let k = 0; k < runs.length; k++) {
    const run = runs[k]!
    while (runs[above]!.y < run.y - 1 || (runs[above]!.y === run.y - 1 && runs[above]!.to < run.from)) above++
    for (let i = above; runs[i]!.y === run.y - 1 && runs[i]!.from <= run.to; i++) runs[root(k)]!.blob = root(i)
  }
  return root
}

function blobOf(pixels: readonly number[], width: number): Blob {
  const x = pixels.reduce((sum, i) => sum + (i % width), 0) / pixels.length
  const y = pixels.reduce((sum, i) => sum + Math.floor(i / width), 0) / pixels.length
  const radius = pixels.reduce((most, i) => Math.max(most, Math.hypot((i % width) - x, Math.floor(i / width) - y)), 0)
  return { x, y, radius, pixels }
}

/** One of the two frames, as its star is to be seen. */
export interface RepairSide {
  /** Background-subtracted; changed in place. */
  readonly plane: Plane
  readonly mask: MaskPlane
  readonly psf: PsfModel
  readonly rmsAdu: number
  readonly gainElectronsPerAdu: number
  /** Counts for one count of the first frame. */
  readonly fluxRatio: number
  /** Of its stars from those of the first frame, pixels. */
  readonly shift: readonly [number, number]
}

/** Replaces the blobs' pixels in both planes; returns how many blobs a PSF could be fitted to. The rest become 0. */
export function replaceSaturated(sides: readonly RepairSide[], blobs: readonly Blob[]): number {
  let fitted = 0
  for (const blob of blobs) {
    const clear = sides.filter((side) => side.psf.fwhmPixels > sampledFwhm && !isSaturated(side, blob))
    const fit = clear.length > 0 ? fitBlob(clear, blob, new Set()) : fitBlob(sides, blob, new Set(blob.pixels))
    if (fit) fitted++
    for (const side of sides) paint(side, blob, fit)
  }
  return fitted
}

function isSaturated({ mask }: RepairSide, { pixels }: Blob): boolean {
  return pixels.some((at) => (mask.data[at]! & full) !== 0)
}

interface Fit {
  readonly x: number
  readonly y: number
  readonly flux: number
}

const mostSteps = 30
/** Until the place is roughly known, every pixel counts in full. */
const robustAfter = 3

/** Gauss-Newton for one flux and one place, on the pixels around `without` that are good in the frame they are of. */
function fitBlob(sides: readonly RepairSide[], blob: Blob, without: ReadonlySet<number>): Fit | undefined {
  let fit: Fit = { x: blob.x, y: blob.y, flux: 0 }
  for (let step = 0; step < mostSteps; step++) {
    const matrix = new Float64Array(9)
    const right = new Float64Array(3)
    let pixels = 0
    for (const side of sides) pixels += accumulate(side, blob, without, fit, matrix, right, step > robustAfter)
    if (pixels < 12) return undefined
    const first = right[0]! / matrix[0]!
    const change = step === 0 ? undefined : solveLinear(matrix, right)
    if (step > 0 && !change) return undefined
    const flux = change ? change[0]! : first
    if (!(flux > 0)) return undefined
    const [moveX, moveY] = change ? [limit(change[1]! / flux), limit(change[2]! / flux)] : [0, 0]
    fit = { x: fit.x + moveX, y: fit.y + moveY, flux }
    if (Math.hypot(fit.x - blob.x, fit.y - blob.y) > Math.max(2, blob.radius)) return undefined
    if (step > robustAfter && Math.abs(moveX) + Math.abs(moveY) < 1e-3) return fit
  }
  return undefined
}

function limit(move: number): number {
  return Math.max(-0.5, Math.min(0.5, move))
}

/** The unknowns are flux, flux · dx and flux · dy; returns how many pixels were used. */
function accumulate(
  { plane, mask, psf, rmsAdu, gainElectronsPerAdu, fluxRatio, shift }: RepairSide,
  blob: Blob,
  without: ReadonlySet<number>,
  fit: Fit,
  matrix: Float64Array,
  right: Float64Array,
  robust: boolean,
): number {
  const { width, height } = plane
  const half = (psf.size - 1) / 2
  const radius = Math.min(half - 1, blob.radius + 1.5 * psf.fwhmPixels)
  if (blob.radius > half - 2) return 0
  const [x, y] = [fit.x + shift[0], fit.y + shift[1]]
  const [cx, cy] = [Math.round(x), Math.round(y)]
  const { value, byX, byY } = psf.splineAt(x, y).window(x - cx, y - cy, half)
  let pixels = 0
  for (let v = Math.max(0, cy - half); v <= Math.min(height - 1, cy + half); v++) {
    for (let u = Math.max(0, cx - half); u <= Math.min(width - 1, cx + half); u++) {
      const at = v * width + u
      if ((u - x) ** 2 + (v - y) ** 2 > radius * radius || mask.data[at] !== 0 || without.has(at)) continue
      const k = (v - cy + half) * psf.size + u - cx + half
      const [p, gx, gy] = [fluxRatio * value[k]!, fluxRatio * byX[k]!, fluxRatio * byY[k]!]
      const signal = Math.max(0, fit.flux * p)
      const data = plane.data[at]!
      const variance = rmsAdu * rmsAdu + signal / gainElectronsPerAdu + (modelError * signal) ** 2
      const w = weightOf(data - fit.flux * p, variance, robust)
      matrix[0]! += w * p * p
      matrix[1]! += w * p * gx
      matrix[2]! += w * p * gy
      matrix[4]! += w * gx * gx
      matrix[5]! += w * gx * gy
      matrix[8]! += w * gy * gy
      right[0]! += w * p * data
      right[1]! += w * gx * data
      right[2]! += w * gy * data
      pixels++
    }
  }
  matrix[3] = matrix[1]!
  matrix[6] = matrix[2]!
  matrix[7] = matrix[5]!
  return pixels
}

/** Pixels that a neighbour lights count little (Cauchy's weight): the painted core is to be this star's alone. */
function weightOf(rest: number, variance: number, robust: boolean): number {
  return robust ? 1 / (variance + (rest * rest) / 9) : 1 / variance
}

/** Of the PSF's wings, as a share. */
const modelError = 0.02

function paint({ plane, psf, fluxRatio, shift }: RepairSide, blob: Blob, fit: Fit | undefined): void {
  const spline = psf.splineAt(blob.x, blob.y)
  const half = (psf.size - 1) / 2
  for (const index of blob.pixels) {
    const [x, y] = [index % plane.width, Math.floor(index / plane.width)]
    plane.data[index] = fit
      ? fluxRatio * fit.flux * spline.at(x - fit.x - shift[0] + half, y - fit.y - shift[1] + half)
      : 0
  }
}

import type { Plane } from '../frames/plane.ts'
import { solveLinear } from './robust.ts'
import type { StampSpline } from './spline.ts'

/** A PSF fitted to pixels: position and flux free, background fixed at zero. */
export interface StarFit {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  /** Per degree of freedom, within the fit radius. */
  readonly chi2: number
  readonly pixels: number
}

export interface StarFitOptions {
  /** Pixels further than this from the start are not used. */
  readonly radiusPixels: number
  /** Variance of a pixel with model value `signal`, at (x, y); a value that is not above 0 leaves the pixel out. */
  readonly variance: (x: number, y: number, signal: number) => number
  readonly maximumMovePixels?: number
  /** Keep the position. */
  readonly fixed?: boolean
}

/**
 * Fits a PSF to `plane` near (x, y) by Gauss-Newton: linear in the flux, linearised in the position. Undefined when the fit
 * leaves `maximumMovePixels` (1.5), has too few pixels or does not settle.
 */
export function fitStar(
  plane: Plane,
  psf: StampSpline,
  x: number,
  y: number,
  options: StarFitOptions,
): StarFit | undefined {
  const [centreX, centreY] = [Math.round(x), Math.round(y)]
  const most = options.maximumMovePixels ?? 1.5
  let [dx, dy, flux] = [x - centreX, y - centreY, 0]
  for (let step = 0; step < 12; step++) {
    const sums = normalEquations(plane, psf, centreX, centreY, dx, dy, flux, options)
    if (!sums) return undefined
    if (options.fixed) {
      flux = sums.right[0]! / sums.matrix[0]!
      if (step < 2) continue
      return finish(sums, centreX + dx, centreY + dy, flux)
    }
    if (step === 0) {
      flux = sums.right[0]! / sums.matrix[0]!
      continue
    }
    const change = solveLinear(sums.matrix.slice(), sums.right.slice())
    if (!change || !(Math.abs(change[0]!) > 0)) return undefined
    // The unknowns are flux, flux·dx and flux·dy.
    const safe = Math.abs(flux) > 0 ? flux : change[0]!
    const [moveX, moveY] = [limit(change[1]! / safe, 0.5), limit(change[2]! / safe, 0.5)]
    flux = change[0]!
    dx += moveX
    dy += moveY
    if (Math.hypot(centreX + dx - x, centreY + dy - y) > most) return undefined
    if (Math.abs(moveX) + Math.abs(moveY) < 1e-3) return finish(sums, centreX + dx, centreY + dy, flux)
  }
  return undefined
}

function limit(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value))
}

interface Sums {
  readonly matrix: Float64Array
  readonly right: Float64Array
  readonly square: number
  readonly pixels: number
}

function normalEquations(
  plane: Plane,
  psf: StampSpline,
  centreX: number,
  centreY: number,
  dx: number,
  dy: number,
  flux: number,
  { radiusPixels, variance }: StarFitOptions,
): Sums | undefined {
  const half = (psf.size - 1) / 2
  const reach = Math.min(half, Math.ceil(radiusPixels))
  const model = psf.shifted(dx, dy, reach)
  const matrix = new Float64Array(9)
  const right = new Float64Array(3)
  let square = 0
  let pixels = 0
  for (let j = -reach; j <= reach; j++) {
    const py = centreY + j
    if (py < 0 || py >= plane.height) continue
    for (let i = -reach; i <= reach; i++) {
      const px = centreX + i
      if (px < 0 || px >= plane.width || i * i + j * j > radiusPixels * radiusPixels) continue
      const at = (j + half) * psf.size + i + half
      const value = model.value[at]!
      const noise = variance(px, py, Math.max(0, flux * value))
      const data = plane.data[py * plane.width + px]!
      if (!(noise > 0) || !Number.isFinite(data)) continue
      const w = 1 / noise
      const [gx, gy] = [model.byX[at]!, model.byY[at]!]
      matrix[0]! += w * value * value
      matrix[1]! += w * value * gx
      matrix[2]! += w * value * gy
      matrix[4]! += w * gx * gx
      matrix[5]! += w * gx * gy
      matrix[8]! += w * gy * gy
      right[0]! += w * value * data
      right[1]! += w * gx * data
      right[2]! += w * gy * data
      square += w * (data - flux * value) ** 2
      pixels++
    }
  }
  matrix[3] = matrix[1]!
  matrix[6] = matrix[2]!
  matrix[7] = matrix[5]!
  return pixels >= 8 && matrix[0]! > 0 ? { matrix, right, square, pixels } : undefined
}

function finish(sums: Sums, x: number, y: number, fluxAdu: number): StarFit {
  const chi2 = sums.square / Math.max(1, sums.pixels - 3)
  return { x, y, fluxAdu, fluxErrorAdu: 1 / Math.sqrt(sums.matrix[0]!), chi2, pixels: sums.pixels }
}

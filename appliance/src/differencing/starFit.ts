import type { Plane } from '../frames/plane.ts'
import type { StampSpline } from './spline.ts'

/** A PSF fitted to pixels: position and flux free, background fixed at zero. */
export interface StarFit {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  /** Standard deviations of the position that the noise alone gives, pixels. */
  readonly errorPixels: readonly [number, number]
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
    if (!normalEquations(plane, psf, centreX, centreY, dx, dy, flux, options)) return undefined
    if (options.fixed) {
      flux = sums.data / sums.value
      if (step < 2) continue
      return finish(centreX + dx, centreY + dy, flux)
    }
    if (step === 0) {
      flux = sums.data / sums.value
      continue
    }
    if (!solve() || !(Math.abs(change.flux) > 0)) return undefined
    // The unknowns are flux, flux·dx and flux·dy.
    const safe = Math.abs(flux) > 0 ? flux : change.flux
    const [moveX, moveY] = [limit(change.x / safe, 0.5), limit(change.y / safe, 0.5)]
    flux = change.flux
    dx += moveX
    dy += moveY
    if (Math.hypot(centreX + dx - x, centreY + dy - y) > most) return undefined
    if (Math.abs(moveX) + Math.abs(moveY) < 1e-3) return finish(centreX + dx, centreY + dy, flux)
  }
  return undefined
}

function limit(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value))
}

/** The normal equations of the fit in progress: hundreds of stars are fitted one after another, none leaves garbage. */
const sums = {
  value: 0,
  valueX: 0,
  valueY: 0,
  x: 0,
  xy: 0,
  y: 0,
  data: 0,
  dataX: 0,
  dataY: 0,
  square: 0,
  pixels: 0,
}

const change = { flux: 0, x: 0, y: 0 }

/** False with fewer than eight pixels or no light in the model. */
function normalEquations(
  plane: Plane,
  psf: StampSpline,
  centreX: number,
  centreY: number,
  dx: number,
  dy: number,
  flux: number,
  { radiusPixels, variance }: StarFitOptions,
): boolean {
  const reach = Math.min((psf.size - 1) / 2, Math.ceil(radiusPixels))
  const side = 2 * reach + 1
  const model = psf.window(dx, dy, reach)
  const [values, byX, byY] = [model.value, model.byX, model.byY]
  const { data, width, height } = plane
  let [value2, valueX, valueY, x2, xy, y2] = [0, 0, 0, 0, 0, 0]
  let [dataV, dataX, dataY, square, pixels] = [0, 0, 0, 0, 0]
  for (let j = -reach; j <= reach; j++) {
    const py = centreY + j
    if (py < 0 || py >= height) continue
    for (let i = -reach; i <= reach; i++) {
      const px = centreX + i
      if (px < 0 || px >= width || i * i + j * j > radiusPixels * radiusPixels) continue
      const at = (j + reach) * side + i + reach
      const value = values[at]!
      const noise = variance(px, py, Math.max(0, flux * value))
      const seen = data[py * width + px]!
      if (!(noise > 0) || !Number.isFinite(seen)) continue
      const w = 1 / noise
      const gx = byX[at]!
      const gy = byY[at]!
      value2 += w * value * value
      valueX += w * value * gx
      valueY += w * value * gy
      x2 += w * gx * gx
      xy += w * gx * gy
      y2 += w * gy * gy
      dataV += w * value * seen
      dataX += w * gx * seen
      dataY += w * gy * seen
      square += w * (seen - flux * value) ** 2
      pixels++
    }
  }
  sums.value = value2
  sums.valueX = valueX
  sums.valueY = valueY
  sums.x = x2
  sums.xy = xy
  sums.y = y2
  sums.data = dataV
  sums.dataX = dataX
  sums.dataY = dataY
  sums.square = square
  sums.pixels = pixels
  return pixels >= 8 && value2 > 0
}

/** The three unknowns by cofactors of the symmetric matrix; false when it is singular. */
function solve(): boolean {
  const { value: a, valueX: b, valueY: c, x: d, xy: e, y: f, data, dataX, dataY } = sums
  const [aa, ab, ac] = [d * f - e * e, c * e - b * f, b * e - c * d]
  const determinant = a * aa + b * ab + c * ac
  if (!(determinant > 1e-12 * a * d * f)) return false
  change.flux = (aa * data + ab * dataX + ac * dataY) / determinant
  change.x = (ab * data + (a * f - c * c) * dataX + (b * c - a * e) * dataY) / determinant
  change.y = (ac * data + (b * c - a * e) * dataX + (a * d - b * b) * dataY) / determinant
  return true
}

function finish(x: number, y: number, fluxAdu: number): StarFit {
  const { value, x: byX, y: byY, square, pixels } = sums
  const perFlux = 1 / Math.max(1e-300, Math.abs(fluxAdu))
  return {
    x,
    y,
    fluxAdu,
    fluxErrorAdu: 1 / Math.sqrt(value),
    errorPixels: [perFlux / Math.sqrt(byX), perFlux / Math.sqrt(byY)],
    chi2: square / Math.max(1, pixels - 3),
    pixels,
  }
}

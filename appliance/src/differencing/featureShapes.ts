import type { MaskPlane, Plane } from '../frames/plane.ts'
import { floorSigma, Moments, type Region, type Shape, shapeOf } from './regions.ts'

type Place = { readonly x: number; readonly y: number }

/** S_corr of a point source falls as a Gaussian of √2 × FWHM or so: the area above 2.5 sigma for a peak of this height. */
export function expectedArea(peak: number, fwhmPixels: number): number {
  const sigma = (1.3 * fwhmPixels) / 2.3548
  return Math.max(4, 2 * Math.PI * sigma * sigma * Math.log(Math.max(1.5, Math.abs(peak) / floorSigma)))
}

/**
 * Axes of what changed in N − R/F_r, from moments under a round Gaussian window of 1.3 times the width of a star, whose own
 * narrowing is undone (both Gaussian: 1/measured = 1/true + 1/window); undefined where nothing compact is there.
 */
export function residualShape(
  science: Plane,
  reference: Plane,
  fluxRatio: number,
  { x, y }: Place,
  sign: number,
  fwhmPixels: number,
): Shape | undefined {
  const { width, height } = science
  const window = ((1.3 * fwhmPixels) / 2.3548) ** 2
  const reach = Math.ceil(3 * Math.sqrt(window))
  const [centreX, centreY] = [Math.round(x), Math.round(y)]
  const moments = new Moments()
  for (let v = Math.max(0, centreY - reach); v <= Math.min(height - 1, centreY + reach); v++) {
    for (let u = Math.max(0, centreX - reach); u <= Math.min(width - 1, centreX + reach); u++) {
      const at = v * width + u
      const [dx, dy] = [u - x, v - y]
      const change = sign * (science.data[at]! - reference.data[at]! / fluxRatio)
      moments.add(dx, dy, change * Math.exp((-0.5 * (dx * dx + dy * dy)) / window))
    }
  }
  const [xx, yy, xy] = moments.spread()
  // The inverse of the matrix of moments less that of the window, inverted.
  const determinant = xx * yy - xy * xy
  if (!(xx > 0 && yy > 0 && determinant > 0)) return undefined
  const [a, b, c] = [yy / determinant - 1 / window, xx / determinant - 1 / window, -xy / determinant]
  const rest = a * b - c * c
  if (!(a > 0 && b > 0 && rest > 0)) return undefined
  return shapeOf(b / rest, a / rest, -c / rest)
}

export interface Dipole {
  /** Strongest S_corr of the other sign over the peak's. */
  readonly ratio: number
  readonly separationPixels: number
  /** Share of the pixels beyond 2.5 sigma of the other sign. */
  readonly share: number
}

/** What of the other sign lies within `radius` of a peak. */
export function dipoleOf({ x, y, peak }: Region, scorr: Plane, radius: number): Dipole {
  const sign = Math.sign(peak)
  const reach = Math.ceil(radius)
  let most = 0
  let square = 0
  let count = 0
  let all = 0
  for (let v = Math.max(0, y - reach); v <= Math.min(scorr.height - 1, y + reach); v++) {
    for (let u = Math.max(0, x - reach); u <= Math.min(scorr.width - 1, x + reach); u++) {
      const distance = (u - x) ** 2 + (v - y) ** 2
      if (distance > radius * radius) continue
      const value = -sign * scorr.data[v * scorr.width + u]!
      all++
      if (value > floorSigma) count++
      if (value <= most) continue
      most = value
      square = distance
    }
  }
  return { ratio: most / Math.abs(peak), separationPixels: Math.sqrt(square), share: count / all }
}

const scatterReach = 20
/** What is louder is a source and no scatter. */
const scatterMost = 4

/** Root mean square of S_corr in the box of 41 px around a place, each second pixel, from `inner` pixels outwards; 1 without any. */
export function scatterAround(scorr: Plane, mask: MaskPlane, bits: number, { x, y }: Place, inner: number): number {
  const { width, height, data } = scorr
  let sum = 0
  let count = 0
  for (let v = Math.max(0, y - scatterReach); v <= Math.min(height - 1, y + scatterReach); v += 2) {
    for (let u = Math.max(0, x - scatterReach); u <= Math.min(width - 1, x + scatterReach); u += 2) {
      const value = data[v * width + u]!
      if (Math.abs(value) > scatterMost || (u - x) ** 2 + (v - y) ** 2 < inner * inner) continue
      if ((mask.data[v * width + u]! & bits) !== 0) continue
      sum += value * value
      count++
    }
  }
  return count > 0 ? Math.sqrt(sum / count) : 1
}

import { StampSpline } from './spline.ts'

/** Centroid under a round Gaussian of the PSF's own width, from the middle of the stamp. */
export function windowedCentroid(stamp: ArrayLike<number>, size: number): { readonly dx: number; readonly dy: number } {
  const half = (size - 1) / 2
  const sigma = Math.max(0.8, stampFwhm(stamp, size) / 2.355)
  let [dx, dy] = [0, 0]
  for (let round = 0; round < 20; round++) {
    let [sum, sumX, sumY] = [0, 0, 0]
    for (let j = 0; j < size; j++) {
      for (let i = 0; i < size; i++) {
        const [x, y] = [i - half - dx, j - half - dy]
        const w = stamp[j * size + i]! * Math.exp(-(x * x + y * y) / (2 * sigma * sigma))
        sum += w
        sumX += w * x
        sumY += w * y
      }
    }
    if (!(sum > 0)) break
    dx += (2 * sumX) / sum
    dy += (2 * sumY) / sum
    if (Math.abs(sumX) + Math.abs(sumY) < 1e-5 * sum) break
  }
  return { dx, dy }
}

/** Diameter of the circle whose area is that above half of the maximum, read at a fifth of a pixel. */
export function stampFwhm(stamp: ArrayLike<number>, size: number): number {
  const spline = new StampSpline(stamp, size)
  const half = (size - 1) / 2
  const peak = spline.at(half, half)
  let above = 0
  for (let j = 0; j < size; j++) {
    for (let i = 0; i < size; i++) {
      if (!(stamp[j * size + i]! > 0.2 * peak)) continue
      for (let v = -2; v <= 2; v++)
        for (let u = -2; u <= 2; u++) if (spline.at(i + u / 5, j + v / 5) > 0.5 * peak) above++
    }
  }
  return 2 * Math.sqrt((above * 0.04) / Math.PI)
}

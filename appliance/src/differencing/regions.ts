import type { Plane } from '../frames/plane.ts'

/** Connected pixels of one sign of S_corr around a peak. */
export interface Region {
  /** Pixel of the peak. */
  readonly x: number
  readonly y: number
  /** S_corr there. */
  readonly peak: number
  readonly areaPixels: number
  /** Second moments weighted by |S_corr|: standard deviations along and across, and the angle of the long axis from +x to +y. */
  readonly majorPixels: number
  readonly minorPixels: number
  readonly thetaDegrees: number
  /** More pixels than a point source has, however bright. */
  readonly large: boolean
}

export interface RegionList {
  readonly regions: readonly Region[]
  /** False when there was more than `mostRegionPixels` to look at: the rest of the frame was left. */
  readonly complete: boolean
}

/** Pixels of a region have an |S_corr| above this. */
export const floorSigma = 2.5
/** A region of more pixels is flagged as large. */
export const largeRegionPixels = 4096
/** Pixels of all regions together; a difference with more than this has failed. */
export const mostRegionPixels = 1 << 20

/** Which pixels of a frame: one bit each. */
export class PixelSet {
  readonly #bits: Int32Array

  constructor(pixels: number) {
    this.#bits = new Int32Array((pixels + 31) >> 5)
  }

  has(index: number): boolean {
    return (this.#bits[index >> 5]! & (1 << (index & 31))) !== 0
  }

  add(index: number): void {
    this.#bits[index >> 5]! |= 1 << (index & 31)
  }
}

/** 8-connected pixels of one sign above 2.5 sigma around every one of the pixels `loud`, without those in `done`, which grows. */
export function findRegions(
  scorr: Plane,
  loud: Int32Array,
  done = new PixelSet(scorr.width * scorr.height),
): RegionList {
  const flood = new Flood(scorr, done)
  const regions: Region[] = []
  for (const index of loud) {
    if (done.has(index)) continue
    if (flood.spent) return { regions, complete: false }
    regions.push(flood.from(index))
  }
  return { regions, complete: true }
}

/**
 * S_corr at a region's peak between the pixels, from parabolas through its neighbours along x and y. Of a Gaussian of
 * σ 1 px whose peak is in the corner of four pixels they hold 0.78, and this finds 0.90.
 */
export function peakBetweenPixels({ data, width, height }: Plane, { x, y }: Pick<Region, 'x' | 'y'>): number {
  const at = y * width + x
  const rise = (before: number, after: number): number => {
    const bend = before - 2 * data[at]! + after
    return bend === 0 || bend < 0 !== data[at]! > 0 ? 0 : -((before - after) ** 2) / (8 * bend)
  }
  const along = x > 0 && x < width - 1 ? rise(data[at - 1]!, data[at + 1]!) : 0
  const across = y > 0 && y < height - 1 ? rise(data[at - width]!, data[at + width]!) : 0
  return data[at]! + along + across
}

class Flood {
  readonly #scorr: Plane
  readonly #done: PixelSet
  readonly #stack: number[] = []
  #left = mostRegionPixels

  constructor(scorr: Plane, done: PixelSet) {
    this.#scorr = scorr
    this.#done = done
  }

  get spent(): boolean {
    return this.#left <= 0
  }

  from(start: number): Region {
    const { width, data } = this.#scorr
    const sign = data[start]! < 0 ? -1 : 1
    const [startX, startY] = [start % width, Math.floor(start / width)]
    const moments = new Moments()
    let best = start
    this.#push(start)
    while (this.#stack.length > 0) {
      const index = this.#stack.pop()!
      const value = sign * data[index]!
      if (value > sign * data[best]!) best = index
      const y = Math.floor(index / width)
      const x = index - y * width
      moments.add(x - startX, y - startY, value)
      this.#spread(x, y, sign)
    }
    return {
      x: best % width,
      y: Math.floor(best / width),
      peak: data[best]!,
      areaPixels: moments.pixels,
      ...moments.shape(),
      large: moments.pixels > largeRegionPixels,
    }
  }

  #push(index: number): void {
    this.#done.add(index)
    this.#stack.push(index)
    this.#left--
  }

  #spread(x: number, y: number, sign: number): void {
    const { width, height, data } = this.#scorr
    const right = Math.min(width - 1, x + 1)
    const bottom = Math.min(height - 1, y + 1)
    for (let v = Math.max(0, y - 1); v <= bottom; v++) {
      for (let u = Math.max(0, x - 1); u <= right; u++) {
        const next = v * width + u
        if (sign * data[next]! > floorSigma && this.#left > 0 && !this.#done.has(next)) this.#push(next)
      }
    }
  }
}

/** First and second moments of weighted places. */
export class Moments {
  pixels = 0
  #w = 0
  #x = 0
  #y = 0
  #xx = 0
  #yy = 0
  #xy = 0

  add(x: number, y: number, weight: number): void {
    this.pixels++
    this.#w += weight
    this.#x += weight * x
    this.#y += weight * y
    this.#xx += weight * x * x
    this.#yy += weight * y * y
    this.#xy += weight * x * y
  }

  /** Variances along x and y and the covariance, about the mean place; pixels². */
  spread(): readonly [xx: number, yy: number, xy: number] {
    const [mx, my] = [this.#x / this.#w, this.#y / this.#w]
    return [this.#xx / this.#w - mx * mx, this.#yy / this.#w - my * my, this.#xy / this.#w - mx * my]
  }

  shape(): Shape {
    const [xx, yy, xy] = this.spread()
    // A pixel is a square of side 1.
    return shapeOf(xx + 1 / 12, yy + 1 / 12, xy)
  }
}

export interface Shape {
  readonly majorPixels: number
  readonly minorPixels: number
  readonly thetaDegrees: number
}

/** Axes of the ellipse with these second moments. */
export function shapeOf(xx: number, yy: number, xy: number): Shape {
  const [middle, root] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)]
  return {
    majorPixels: Math.sqrt(Math.max(0, middle + root)),
    minorPixels: Math.sqrt(Math.max(0, middle - root)),
    thetaDegrees: (90 / Math.PI) * Math.atan2(2 * xy, xx - yy),
  }
}

/** The analytic PSF used when there are too few stars for an empirical one, and as the start of the empirical one. */
export interface MoffatShape {
  /** Of the geometric mean of both axes. */
  readonly fwhmPixels: number
  /** Ellipticity along x and along the diagonal: e = (a − b)/(a + b) = hypot(e1, e2). */
  readonly e1: number
  readonly e2: number
  readonly beta: number
}

const fine = [-0.4, -0.2, 0, 0.2, 0.4]
const coarse = [-1 / 3, 0, 1 / 3]

/** A stamp of `size` × `size` centred on its middle pixel, integrated over 5 × 5 points a pixel; not normalised. */
export function moffatStamp(shape: MoffatShape, size: number, points: readonly number[] = fine): Float64Array {
  const stamp = new Float64Array(size * size)
  const half = (size - 1) / 2
  const alpha = shape.fwhmPixels / (2 * Math.sqrt(2 ** (1 / shape.beta) - 1))
  const e = Math.min(0.6, Math.hypot(shape.e1, shape.e2))
  const angle = Math.atan2(shape.e2, shape.e1) / 2
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const stretch = Math.sqrt((1 + e) / (1 - e))
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let sum = 0
      for (const v of points) {
        for (const u of points) {
          const [px, py] = [x - half + u, y - half + v]
          const along = (c * px + s * py) / (alpha * stretch)
          const across = ((-s * px + c * py) * stretch) / alpha
          sum += (1 + along * along + across * across) ** -shape.beta
        }
      }
      stamp[y * size + x] = sum / (points.length * points.length)
    }
  }
  return stamp
}

/** Fits shape and amplitude to a centred stamp within `radius` pixels by a downhill simplex (Nelder & Mead 1965). */
export function fitMoffat(stamp: ArrayLike<number>, size: number, radius: number, start: MoffatShape): MoffatShape {
  const half = (size - 1) / 2
  const reach = Math.min(half, Math.ceil(radius))
  const side = 2 * reach + 1
  const cost = ([fwhm, e1, e2, beta]: readonly number[]): number => {
    if (!(fwhm! > 0.8 && fwhm! < size && beta! > 1.6 && beta! < 8 && Math.hypot(e1!, e2!) < 0.55)) return 1e30
    const model = moffatStamp({ fwhmPixels: fwhm!, e1: e1!, e2: e2!, beta: beta! }, side, coarse)
    let [mm, md, dd] = [0, 0, 0]
    for (let j = 0; j < side; j++) {
      for (let i = 0; i < side; i++) {
        const m = model[j * side + i]!
        const d = stamp[(j + half - reach) * size + i + half - reach]!
        mm += m * m
        md += m * d
        dd += d * d
      }
    }
    return dd - (md * md) / mm
  }
  const [fwhmPixels, e1, e2, beta] = simplex(
    cost,
    [start.fwhmPixels, start.e1, start.e2, start.beta],
    [0.3, 0.05, 0.05, 0.5],
  )
  return { fwhmPixels: fwhmPixels!, e1: e1!, e2: e2!, beta: beta! }
}

function simplex(
  cost: (p: readonly number[]) => number,
  start: readonly number[],
  steps: readonly number[],
): readonly number[] {
  const n = start.length
  const corners = [start, ...start.map((_, k) => start.map((v, i) => (i === k ? v + steps[k]! : v)))].map((point) => ({
    point,
    value: cost(point),
  }))
  for (let round = 0; round < 120; round++) {
    corners.sort((a, b) => a.value - b.value)
    const worst = corners[n]!
    const centre = start.map((_, k) => corners.slice(0, n).reduce((sum, c) => sum + c.point[k]!, 0) / n)
    const along = (factor: number): { point: number[]; value: number } => {
      const point = centre.map((c, k) => c + factor * (worst.point[k]! - c))
      return { point, value: cost(point) }
    }
    const reflected = along(-1)
    if (reflected.value < corners[0]!.value) {
      const stretched = along(-2)
      corners[n] = stretched.value < reflected.value ? stretched : reflected
    } else if (reflected.value < corners[n - 1]!.value) corners[n] = reflected
    else {
      const inner = along(0.5)
      if (inner.value < worst.value) corners[n] = inner
      else
        for (let k = 1; k <= n; k++) {
          const point = corners[k]!.point.map((v, i) => (v + corners[0]!.point[i]!) / 2)
          corners[k] = { point, value: cost(point) }
        }
    }
    if (Math.abs(corners[n]!.value - corners[0]!.value) <= 1e-7 * Math.abs(corners[0]!.value)) break
  }
  return corners.sort((a, b) => a.value - b.value)[0]!.point
}

/**
 * Light profiles of the test sky, drawn into a plane of expected counts. Moffat (1969, A&A 3, 455) for stars, Sérsic (Graham &
 * Driver 2005, PASA 22, 118) for galaxies; both integrated over each pixel.
 */
export interface Canvas {
  readonly data: Float64Array
  readonly width: number
  readonly height: number
}

/** A point-spread function at one place: β = 3, elliptical. */
export interface Seeing {
  readonly fwhmPixels: number
  readonly e1: number
  readonly e2: number
}

export interface PointSource {
  readonly x: number
  readonly y: number
  readonly flux: number
}

export interface Galaxy extends PointSource {
  readonly effectiveRadiusPixels: number
  readonly index: 1 | 4
  readonly axisRatio: number
  readonly angle: number
}

/** Gauss–Legendre points and weights on [−½, ½]. */
const four = {
  at: [-0.430568155797026, -0.169990521792428, 0.169990521792428, 0.430568155797026],
  weight: [0.173927422568727, 0.326072577431273, 0.326072577431273, 0.173927422568727],
} as const
const two = { at: [-0.288675134594813, 0.288675134594813], weight: [0.5, 0.5] } as const

/** Beyond so many FWHM the profile is smooth enough for 2 × 2 points. */
const coreFwhm = 1.5

/** The profile's value at an offset, its integral over the plane being 1. */
function moffat({ fwhmPixels, e1, e2 }: Seeing): (dx: number, dy: number) => number {
  const alpha = fwhmPixels / (2 * Math.sqrt(2 ** (1 / 3) - 1))
  const e = Math.hypot(e1, e2)
  const angle = Math.atan2(e2, e1) / 2
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const stretch = Math.sqrt((1 + e) / (1 - e))
  const [along, across] = [1 / (alpha * stretch), stretch / alpha]
  // ∫ (1 + r²/α²)^−3 over the plane is π α²/2.
  const peak = 2 / (Math.PI * alpha * alpha)
  return (dx, dy) => {
    const p = (c * dx + s * dy) * along
    const q = (c * dy - s * dx) * across
    const r = 1 + p * p + q * q
    return peak / (r * r * r)
  }
}

function overPixel(profile: (dx: number, dy: number) => number, dx: number, dy: number, core: boolean): number {
  const { at, weight } = core ? four : two
  let sum = 0
  for (let j = 0; j < at.length; j++) {
    for (let i = 0; i < at.length; i++) sum += weight[i]! * weight[j]! * profile(dx + at[i]!, dy + at[j]!)
  }
  return sum
}

/** Half the side of a star's stamp, pixels. */
function reachOf(flux: number): number {
  return Math.ceil(Math.min(70, Math.max(12, 6 * (flux / 30) ** (1 / 6) + 6)))
}

export function drawStar(canvas: Canvas, { x, y, flux }: PointSource, seeing: Seeing): void {
  const profile = moffat(seeing)
  const reach = reachOf(flux)
  const near = coreFwhm * seeing.fwhmPixels
  const [cx, cy] = [Math.round(x), Math.round(y)]
  const { data, width, height } = canvas
  for (let v = Math.max(0, cy - reach); v <= Math.min(height - 1, cy + reach); v++) {
    for (let u = Math.max(0, cx - reach); u <= Math.min(width - 1, cx + reach); u++) {
      const core = Math.abs(u - x) < near && Math.abs(v - y) < near
      data[v * width + u]! += flux * overPixel(profile, u - x, v - y, core)
    }
  }
}

/** Sérsic profile convolved with the seeing. */
export function drawGalaxy(canvas: Canvas, galaxy: Galaxy, seeing: Seeing): void {
  const half = Math.ceil(Math.min(45, Math.max(8, 5 * galaxy.effectiveRadiusPixels)))
  const intrinsic = sersicStamp(galaxy, half)
  const reach = galaxy.flux > 3e4 ? 24 : 14
  const profile = moffat(seeing)
  const size = 2 * reach + 1
  const [fx, fy] = [galaxy.x - Math.round(galaxy.x), galaxy.y - Math.round(galaxy.y)]
  const psf = Float64Array.from({ length: size * size }, (_, k) => {
    const [i, j] = [(k % size) - reach, Math.floor(k / size) - reach]
    return overPixel(profile, i - fx, j - fy, Math.hypot(i, j) < 2 * seeing.fwhmPixels)
  })
  const [cx, cy] = [Math.round(galaxy.x), Math.round(galaxy.y)]
  const { data, width, height } = canvas
  const side = 2 * half + 1
  for (let j = -half; j <= half; j++) {
    for (let i = -half; i <= half; i++) {
      const light = galaxy.flux * intrinsic[(j + half) * side + i + half]!
      for (let v = Math.max(0, cy + j - reach); v <= Math.min(height - 1, cy + j + reach); v++) {
        const row = (v - cy - j + reach) * size
        for (let u = Math.max(0, cx + i - reach); u <= Math.min(width - 1, cx + i + reach); u++) {
          data[v * width + u]! += light * psf[row + u - cx - i + reach]!
        }
      }
    }
  }
}

/** b_n of Ciotti & Bertin (1999, A&A 352, 447) for n = 1 and 4. */
const bOf = { 1: 1.6783, 4: 7.6692 } as const

/** Centred, sum 1. */
function sersicStamp({ effectiveRadiusPixels, index, axisRatio, angle }: Galaxy, half: number): Float64Array {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const [along, across] = [
    Math.sqrt(axisRatio) / effectiveRadiusPixels,
    1 / (Math.sqrt(axisRatio) * effectiveRadiusPixels),
  ]
  const profile = (dx: number, dy: number): number =>
    Math.exp(-bOf[index] * Math.hypot((c * dx + s * dy) * along, (c * dy - s * dx) * across) ** (1 / index))
  const side = 2 * half + 1
  const stamp = Float64Array.from({ length: side * side }, (_, k) => {
    const [i, j] = [(k % side) - half, Math.floor(k / side) - half]
    return finely(profile, i, j, Math.hypot(i, j) < 3 ? 9 : 2)
  })
  const total = stamp.reduce((sum, value) => sum + value, 0)
  return stamp.map((value) => value / total)
}

function finely(profile: (dx: number, dy: number) => number, x: number, y: number, points: number): number {
  let sum = 0
  for (let j = 0; j < points; j++) {
    for (let i = 0; i < points; i++) sum += profile(x + (i + 0.5) / points - 0.5, y + (j + 0.5) / points - 0.5)
  }
  return sum / (points * points)
}

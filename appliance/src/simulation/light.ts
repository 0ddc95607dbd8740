/** Light on pixels: stars, galaxies and satellites, in electrons. Positions are 0-based; the centre of a pixel is whole. */

export interface ElectronImage {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/** An elliptical Moffat profile with axes along the pixels; FWHM in pixels. */
export interface Psf {
  readonly fwhmX: number
  readonly fwhmY: number
  readonly beta: number
}

/** Nodes and weights of the four-point Gauss–Legendre rule on [−½, ½]. */
const nodes = [-0.4305681557970263, -0.1699905217924282, 0.1699905217924282, 0.4305681557970263]
const weights = [0.1739274225687269, 0.3260725774312731, 0.3260725774312731, 0.1739274225687269]

/** Light below this many electrons in a pixel is left out. */
const faintest = 0.02
const largestRadius = 160
/** Within this many pixels of the centre a pixel is integrated, further out its middle stands for it. */
const coreRadius = 3

/** Adds a star of `flux` electrons. The profile integrates to 1 (Moffat 1969; Trujillo et al. 2001, eq. 2). */
export function addStar(image: ElectronImage, x: number, y: number, flux: number, psf: Psf): void {
  const root = Math.sqrt(2 ** (1 / psf.beta) - 1)
  const alphaX = psf.fwhmX / (2 * root)
  const alphaY = psf.fwhmY / (2 * root)
  const peak = (flux * (psf.beta - 1)) / (Math.PI * alphaX * alphaY)
  const reach = Math.max(alphaX, alphaY) * Math.sqrt(Math.max(0, (peak / faintest) ** (1 / psf.beta) - 1))
  const radius = Math.min(largestRadius, Math.ceil(Math.max(reach, 4)))
  const fromX = Math.max(0, Math.round(x) - radius)
  const toX = Math.min(image.width - 1, Math.round(x) + radius)
  const fromY = Math.max(0, Math.round(y) - radius)
  const toY = Math.min(image.height - 1, Math.round(y) + radius)
  const value = (dx: number, dy: number): number => {
    const base = 1 + (dx / alphaX) ** 2 + (dy / alphaY) ** 2
    return psf.beta === 3 ? peak / (base * base * base) : peak * base ** -psf.beta
  }
  for (let row = fromY; row <= toY; row++) {
    const dy = row - y
    for (let column = fromX; column <= toX; column++) {
      const dx = column - x
      const near = Math.abs(dx) < coreRadius && Math.abs(dy) < coreRadius
      image.data[row * image.width + column]! += near ? integral(value, dx, dy) : value(dx, dy)
    }
  }
}

/** Over the square pixel centred at (dx, dy). */
function integral(value: (dx: number, dy: number) => number, dx: number, dy: number): number {
  let sum = 0
  for (let j = 0; j < 4; j++)
    for (let i = 0; i < 4; i++) sum += weights[i]! * weights[j]! * value(dx + nodes[i]!, dy + nodes[j]!)
  return sum
}

export interface GalaxyShape {
  readonly radiusPixels: number
  readonly axisRatio: number
  readonly angleDeg: number
  readonly sersicIndex: 1 | 4
}

const galaxyPoints = 400
const goldenAngle = Math.PI * (3 - Math.sqrt(5))

/**
 * Adds a galaxy as many faint stars laid out by its Sérsic profile on a golden-angle spiral, each with the PSF: the sum is
 * the profile convolved with the PSF.
 */
export function addGalaxy(
  image: ElectronImage,
  x: number,
  y: number,
  flux: number,
  shape: GalaxyShape,
  psf: Psf,
): void {
  const margin = 12 * shape.radiusPixels + 20
  if (x < -margin || y < -margin || x > image.width + margin || y > image.height + margin) return
  const angle = (shape.angleDeg * Math.PI) / 180
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  for (let k = 0; k < galaxyPoints; k++) {
    const r = shape.radiusPixels * radiusHolding((k + 0.5) / galaxyPoints, shape.sersicIndex)
    const along = r * Math.cos(k * goldenAngle)
    const across = r * Math.sin(k * goldenAngle) * shape.axisRatio
    addStar(image, x + along * cos - across * sin, y + along * sin + across * cos, flux / galaxyPoints, psf)
  }
}

/** Radius in half-light radii that holds a share of the light of a Sérsic profile, n = 1 or 4 (Graham & Driver 2005). */
export function radiusHolding(share: number, sersicIndex: 1 | 4): number {
  const table = (tables[sersicIndex] ??= cumulative(sersicIndex))
  let low = 0
  while (low < table.length - 2 && table[low + 1]!.share < share) low++
  const a = table[low]!
  const b = table[low + 1]!
  return a.radius + ((share - a.share) / Math.max(1e-9, b.share - a.share)) * (b.radius - a.radius)
}

const tables: Partial<Record<1 | 4, { radius: number; share: number }[]>> = {}
/** b of the Sérsic profile: half of the light within radius 1. */
const sersicB = { 1: 1.6783469900166605, 4: 7.669249441 } as const

function cumulative(n: 1 | 4): { radius: number; share: number }[] {
  const steps = 600
  const last = n === 1 ? 6 : 20
  const table: { radius: number; share: number }[] = [{ radius: 0, share: 0 }]
  let sum = 0
  for (let k = 1; k <= steps; k++) {
    const inner = last * ((k - 1) / steps) ** 2
    const outer = last * (k / steps) ** 2
    const middle = (inner + outer) / 2
    sum += Math.exp(-sersicB[n] * (middle ** (1 / n) - 1)) * middle * (outer - inner)
    table.push({ radius: outer, share: sum })
  }
  return table.map(({ radius, share }) => ({ radius, share: share / sum }))
}

/** Adds a satellite: its light spread evenly along a line. */
export function addStreak(
  image: ElectronImage,
  from: { x: number; y: number },
  to: { x: number; y: number },
  flux: number,
  psf: Psf,
): void {
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const steps = Math.max(1, Math.ceil(length * 2))
  if (steps > 100_000) return
  for (let k = 0; k < steps; k++) {
    const t = (k + 0.5) / steps
    const x = from.x + t * (to.x - from.x)
    const y = from.y + t * (to.y - from.y)
    if (x < -20 || y < -20 || x > image.width + 20 || y > image.height + 20) continue
    addStar(image, x, y, flux / steps, psf)
  }
}

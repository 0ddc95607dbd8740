import { BaryState, Body, MakeTime } from 'astronomy-engine'

/**
 * When light that reached the Earth at a moment would have passed the barycentre of the solar system: the clock in which
 * the times of transits and eclipses are published (Eastman, Siverd & Gaudi 2010, PASP 122, 935).
 */

/** Unix ms UTC from which TAI − UTC has each value, seconds. IERS Bulletin C; no leap second has followed the last. */
const leapSeconds: readonly (readonly [number, number])[] = [
  [Date.UTC(1972, 0, 1), 10],
  [Date.UTC(1972, 6, 1), 11],
  [Date.UTC(1973, 0, 1), 12],
  [Date.UTC(1974, 0, 1), 13],
  [Date.UTC(1975, 0, 1), 14],
  [Date.UTC(1976, 0, 1), 15],
  [Date.UTC(1977, 0, 1), 16],
  [Date.UTC(1978, 0, 1), 17],
  [Date.UTC(1979, 0, 1), 18],
  [Date.UTC(1980, 0, 1), 19],
  [Date.UTC(1981, 6, 1), 20],
  [Date.UTC(1982, 6, 1), 21],
  [Date.UTC(1983, 6, 1), 22],
  [Date.UTC(1985, 6, 1), 23],
  [Date.UTC(1988, 0, 1), 24],
  [Date.UTC(1990, 0, 1), 25],
  [Date.UTC(1991, 0, 1), 26],
  [Date.UTC(1992, 6, 1), 27],
  [Date.UTC(1993, 6, 1), 28],
  [Date.UTC(1994, 6, 1), 29],
  [Date.UTC(1996, 0, 1), 30],
  [Date.UTC(1997, 6, 1), 31],
  [Date.UTC(1999, 0, 1), 32],
  [Date.UTC(2006, 0, 1), 33],
  [Date.UTC(2009, 0, 1), 34],
  [Date.UTC(2012, 6, 1), 35],
  [Date.UTC(2015, 6, 1), 36],
  [Date.UTC(2017, 0, 1), 37],
]
const dayMs = 86_400_000
const unixEpochJd = 2440587.5
/** Light takes this long for one astronomical unit, days. */
const lightDaysPerAu = 499.004783836 / 86_400

/** TT − UTC, seconds: 32.184 and the leap seconds. Before 1972 the first value stands. */
export function terrestrialMinusUtcSeconds(atMs: number): number {
  const [, taiMinusUtc] = leapSeconds.findLast(([from]) => atMs >= from) ?? leapSeconds[0]!
  return 32.184 + taiMinusUtc
}

/**
 * Barycentric Julian Date in TDB of a moment at the Earth (Unix ms UTC) for a star at ICRS `raDeg`, `decDeg`. The Earth's
 * centre stands for the telescope (at most 0.021 s); good to 0.03 s.
 */
export function barycentricJulianDate(raDeg: number, decDeg: number, atMs: number): number {
  const tdbDays = atMs / dayMs + (terrestrialMinusUtcSeconds(atMs) + tdbMinusTtSeconds(atMs)) / 86_400
  const earth = BaryState(Body.Earth, MakeTime(new Date(atMs)))
  const rad = Math.PI / 180
  const [ra, dec] = [raDeg * rad, decDeg * rad]
  const alongAu =
    earth.x * Math.cos(dec) * Math.cos(ra) + earth.y * Math.cos(dec) * Math.sin(ra) + earth.z * Math.sin(dec)
  return unixEpochJd + tdbDays + alongAu * lightDaysPerAu
}

/** Largest term of the difference, 1.7 ms (Explanatory Supplement to the Astronomical Almanac 2013, eq. 3.41). */
function tdbMinusTtSeconds(atMs: number): number {
  const anomaly = ((357.53 + 0.98560028 * (atMs / dayMs - 10_957.5)) * Math.PI) / 180
  return 0.001657 * Math.sin(anomaly)
}

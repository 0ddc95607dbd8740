/**
 * Precession between J2000.0 and the equator and equinox of a date: IAU 1976 (Lieske et al. 1977) by the rigorous formulae
 * of Meeus, Astronomical Algorithms (2nd ed.), eq. 21.2–21.4. Nutation and aberration (up to 0.4′) are left out: a simulated
 * mount has none, and a real mount's pointing is settled by solving its frames.
 */
interface Place {
  readonly raDeg: number
  readonly decDeg: number
}

const rad = Math.PI / 180
const arcsec = rad / 3600

/** ζ, z and θ in radians for the interval from J2000.0 to a time, Unix ms. */
function angles(atMs: number): { zeta: number; z: number; theta: number } {
  const t = (atMs - 946_728_000_000) / (36_525 * 86_400_000)
  return {
    zeta: (2306.2181 * t + 0.30188 * t * t + 0.017998 * t * t * t) * arcsec,
    z: (2306.2181 * t + 1.09468 * t * t + 0.018203 * t * t * t) * arcsec,
    theta: (2004.3109 * t - 0.42665 * t * t - 0.041833 * t * t * t) * arcsec,
  }
}

function rotate({ raDeg, decDeg }: Place, before: number, tilt: number, after: number): Place {
  const ra = raDeg * rad + before
  const dec = decDeg * rad
  const a = Math.cos(dec) * Math.sin(ra)
  const b = Math.cos(tilt) * Math.cos(dec) * Math.cos(ra) - Math.sin(tilt) * Math.sin(dec)
  const c = Math.sin(tilt) * Math.cos(dec) * Math.cos(ra) + Math.cos(tilt) * Math.sin(dec)
  return {
    raDeg: ((((Math.atan2(a, b) + after) / rad) % 360) + 360) % 360,
    decDeg: Math.atan2(c, Math.hypot(a, b)) / rad,
  }
}

/** J2000 to the equinox of date, degrees. */
export function j2000ToDate(place: Place, atMs: number): Place {
  const { zeta, z, theta } = angles(atMs)
  return rotate(place, zeta, theta, z)
}

/** The equinox of date to J2000, degrees. */
export function dateToJ2000(place: Place, atMs: number): Place {
  const { zeta, z, theta } = angles(atMs)
  return rotate(place, -z, -theta, -zeta)
}

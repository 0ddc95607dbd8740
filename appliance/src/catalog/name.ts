/**
 * `NJ Jhhmmss.ss±ddmmss.s` from ICRS degrees. Digits are cut off, not rounded, as the IAU asks of names made from positions
 * (IAU Commission 5, Specifications concerning designations for astronomical radiation sources outside the solar system).
 */
export function entryName(raDeg: number, decDeg: number): string {
  const ra = cut((raDeg / 15) * 3600, 100)
  const dec = cut(Math.abs(decDeg) * 3600, 10)
  const sign = decDeg < 0 ? '-' : '+'
  return `NJ J${clockText(ra, 100, 2)}${sign}${clockText(dec, 10, 1)}`
}

/**
 * Whole units of 1/`perSecond` s. A millionth of a unit is given back, so that a decimal which binary holds a hair too
 * small (…59.99999999) is not cut one unit lower than it was written.
 */
function cut(seconds: number, perSecond: number): number {
  return Math.floor(seconds * perSecond + 1e-6)
}

/** `hhmmss.ss` of whole units. */
function clockText(units: number, perSecond: number, digits: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  const seconds = Math.floor(units / perSecond)
  const fraction = String(units % perSecond).padStart(digits, '0')
  return `${two(seconds / 3600)}${two((seconds / 60) % 60)}${two(seconds % 60)}.${fraction}`
}

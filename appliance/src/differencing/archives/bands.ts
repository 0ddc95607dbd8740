/**
 * Effective wavelengths in nm: Johnson-Cousins (Bessell, Castelli & Plez 1998, table A2), SDSS (Fukugita et al. 1996),
 * Pan-STARRS1 (Tonry et al. 2012, table 4). Names of filters mean these by their case: R is Cousins, r is Sloan.
 */
const wavelengths: Readonly<Record<string, number>> = {
  U: 366,
  B: 438,
  V: 545,
  R: 641,
  I: 798,
  u: 355,
  g: 481,
  r: 617,
  i: 752,
  z: 866,
  y: 962,
}

/** Spellings of filter wheels. Broad ones without a band of their own are nearest to r in what a CCD sees. */
const spellings: readonly (readonly [RegExp, number])[] = [
  [/^(l|lum(inance)?|clear|c|w|none|no ?filter|open|red|r_?c|rc)$/i, wavelengths.r!],
  [/^(green|tg)$/i, wavelengths.V!],
  [/^(blue|tb)$/i, wavelengths.B!],
  [/^h[-_ ]?(a|alpha|α)$/i, 656],
  [/^(o ?iii|oxygen)$/i, 501],
  [/^(s ?ii|sulfur|sulphur)$/i, 672],
]

/** Effective wavelength in nm of a filter as people name it (`r`, `sdss_r`, `R`, `r'`, `Lum`, `Ha`); undefined when unknown. */
export function wavelengthOf(filter: string): number | undefined {
  const plain = filter.trim()
  const spelt = spellings.find(([spelling]) => spelling.test(plain))?.[1]
  if (spelt !== undefined) return spelt
  const sloan = /^(?:sdss|sloan|ps1|sg|sr|si)?[-_ ]?([ugrizy])(?:['′p]|[-_ ]?(?:sdss|ps1|sloan))?$/.exec(plain)?.[1]
  const bessell = /^(?:johnson|cousins|bessell)?[-_ ]?([UBVRI])(?:[jc]|[-_ ]?(?:johnson|cousins|bessell))?$/i.exec(
    plain,
  )?.[1]
  if (sloan !== undefined) return wavelengths[sloan]
  return bessell === undefined ? undefined : wavelengths[bessell.toUpperCase()]
}

/** The nearest of `bands` (name → nm) to a filter, not farther than a third of its wavelength. */
export function nearestBand<B extends string>(filter: string, bands: Readonly<Record<B, number>>): B | undefined {
  const wanted = wavelengthOf(filter)
  if (wanted === undefined) return undefined
  const sorted = (Object.entries(bands) as [B, number][]).sort(
    ([, a], [, b]) => Math.abs(a - wanted) - Math.abs(b - wanted),
  )
  const nearest = sorted[0]
  return nearest && Math.abs(nearest[1] - wanted) < wanted / 3 ? nearest[0] : undefined
}

export const sloanBands = { g: 481, r: 617, i: 752, z: 866, y: 962 } as const

export const unknownFilter = (filter: string): string =>
  `nothing is known of the filter ${JSON.stringify(filter)}: say which survey to take`

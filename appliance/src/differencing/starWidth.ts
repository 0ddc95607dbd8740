/** The first of a list, which are its brightest, are proposed; so many may agree. */
const mostProposed = 400
const mostVoters = 2000

/**
 * The width of the stars among all sources: the FWHM that most of the significance agrees on within 8 %. A median would be
 * the galaxies' where they are many. NaN without any source.
 */
export function stellarFwhm(sources: readonly { readonly fwhmPixels: number; readonly snr: number }[]): number {
  let best = Number.NaN
  let most = 0
  const voters = sources.slice(0, mostVoters)
  for (const { fwhmPixels: width } of sources.slice(0, mostProposed)) {
    let weight = 0
    for (const other of voters) {
      const off = Math.abs(other.fwhmPixels - width) / (0.08 * width)
      if (off < 1) weight += Math.min(300, other.snr) * (1 - off * off)
    }
    if (weight > most) {
      most = weight
      best = width
    }
  }
  return best
}

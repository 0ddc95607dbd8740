/**
 * The width of the stars among all sources: the FWHM that most of the significance agrees on within 8 %. A median would be
 * the galaxies' where they are many. NaN without any source.
 */
export function stellarFwhm(sources: readonly { readonly fwhmPixels: number; readonly snr: number }[]): number {
  let best = Number.NaN
  let most = 0
  for (const { fwhmPixels: width } of sources.slice(0, 400)) {
    let weight = 0
    for (const other of sources) {
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

/** The first of a list, which are its brightest, are proposed; so many may agree. */
const mostProposed = 400
const mostVoters = 2000

/**
 * The width of the stars among all sources: the FWHM that most of the significance agrees on within 8 %. A median would be
 * the galaxies' where they are many. NaN without any source.
 */
export function stellarFwhm(sources: readonly { readonly fwhmPixels: number; readonly snr: number }[]): number {
  const voters = sources.slice(0, mostVoters)
  const widths = Float64Array.from(voters, ({ fwhmPixels }) => fwhmPixels)
  const weights = Float64Array.from(voters, ({ snr }) => Math.min(300, snr))
  let best = Number.NaN
  let most = 0
  for (const width of widths.subarray(0, mostProposed)) {
    const weight = agreement(widths, weights, width)
    if (weight > most) {
      most = weight
      best = width
    }
  }
  return best
}

function agreement(widths: Float64Array, weights: Float64Array, width: number): number {
  const scale = 1 / (0.08 * width)
  let sum = 0
  for (let i = 0; i < widths.length; i++) {
    const off = (widths[i]! - width) * scale
    const share = 1 - off * off
    if (share > 0) sum += weights[i]! * share
  }
  return sum
}

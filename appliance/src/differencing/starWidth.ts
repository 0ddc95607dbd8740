/** The first of a list, which are its brightest, are proposed; so many may agree. */
const mostProposed = 400
const mostVoters = 2000

/**
 * The width of the stars among all sources: the FWHM that most of the significance agrees on within 8 %. A median would be
 * the galaxies' where they are many. NaN without any source.
 */
export function stellarFwhm(sources: readonly { readonly fwhmPixels: number; readonly snr: number }[]): number {
  const voters = new Voters(sources.slice(0, mostVoters))
  let best = Number.NaN
  let most = 0
  for (const { fwhmPixels } of sources.slice(0, mostProposed)) {
    const weight = voters.agreementWith(fwhmPixels)
    if (weight > most) {
      most = weight
      best = fwhmPixels
    }
  }
  return best
}

/** A source agrees with a width by its significance times 1 − (its distance / 8 %)². */
const tolerance = 0.08
/** No source counts for more. */
const mostSnr = 300

/** Widths in order, and sums of weight, weight × width and weight × width² over those before each. */
class Voters {
  readonly #widths: Float64Array
  readonly #sums: Float64Array

  constructor(sources: readonly { readonly fwhmPixels: number; readonly snr: number }[]) {
    const known = sources.filter(({ fwhmPixels }) => Number.isFinite(fwhmPixels))
    const order = known.toSorted((a, b) => a.fwhmPixels - b.fwhmPixels)
    this.#widths = new Float64Array(order.length)
    this.#sums = new Float64Array(3 * (order.length + 1))
    order.forEach(({ fwhmPixels, snr }, k) => {
      const weight = Math.min(mostSnr, snr)
      this.#widths[k] = fwhmPixels
      this.#sums[3 * k + 3] = this.#sums[3 * k]! + weight
      this.#sums[3 * k + 4] = this.#sums[3 * k + 1]! + weight * fwhmPixels
      this.#sums[3 * k + 5] = this.#sums[3 * k + 2]! + weight * fwhmPixels * fwhmPixels
    })
  }

  agreementWith(width: number): number {
    const from = this.#firstAbove((1 - tolerance) * width)
    const to = this.#firstAbove((1 + tolerance) * width)
    const between = (moment: 0 | 1 | 2): number => this.#sums[3 * to + moment]! - this.#sums[3 * from + moment]!
    const spread = between(2) - 2 * width * between(1) + width * width * between(0)
    return between(0) - spread / (tolerance * width) ** 2
  }

  /** How many widths are at most `width`. */
  #firstAbove(width: number): number {
    let [low, high] = [0, this.#widths.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#widths[middle]! <= width) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** log10 of n!, exact to 1e-7 (Stirling's series above 20). */
function logFactorial(n: number): number {
  if (n < 2) return 0
  if (n < 20) {
    let product = 1
    for (let k = 2; k <= n; k++) product *= k
    return Math.log10(product)
  }
  return ((n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n)) / Math.LN10
}

/**
 * log10 of (at most) the chance that `agreeing` or more of `tried` stars meet another one when each does with probability
 * `share`: the binomial tail, bounded by its first term as a geometric series. 0 when nothing surprising happened.
 */
export function verdictOf(tried: number, agreeing: number, share: number): number {
  if (agreeing <= 0 || tried <= 0 || agreeing <= tried * share) return 0
  const choose = logFactorial(tried) - logFactorial(agreeing) - logFactorial(tried - agreeing)
  const first = choose + agreeing * Math.log10(share) + (tried - agreeing) * Math.log10(1 - share)
  const ratio = ((tried - agreeing) / (agreeing + 1)) * (share / (1 - share))
  return Math.min(0, first - Math.log10(Math.max(1e-9, 1 - ratio)))
}

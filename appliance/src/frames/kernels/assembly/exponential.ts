/** e^x for x ≤ 0, relative error below 1e-9; 0 below −700. The standard library's needs tables, which threads cannot share. */
export function exponential(x: f64): f64 {
  if (x < -700) return 0
  const k = Math.floor(x * 1.4426950408889634 + 0.5)
  const r = x - k * 0.6931471805599453
  // The series to r⁹ / 9!, in pairs that do not wait for each other.
  const r2 = r * r
  const r4 = r2 * r2
  const low = 1 + r + r2 * (0.5 + r * (1 / 6.0))
  const middle = 1 / 24.0 + r * (1 / 120.0) + r2 * (1 / 720.0 + r * (1 / 5040.0))
  const high = 1 / 40320.0 + r * (1 / 362880.0)
  return (low + r4 * (middle + r4 * high)) * reinterpret<f64>((<i64>k + 1023) << 52)
}

/** e^x for x ≤ 0, relative error below 1e-9; 0 below −700. The standard library's needs tables, which threads cannot share. */
export function exponential(x: f64): f64 {
  if (x < -700) return 0
  const k = Math.floor(x * 1.4426950408889634 + 0.5)
  const r = x - k * 0.6931471805599453
  let sum = 1 + r / 9
  sum = 1 + (r * sum) / 8
  sum = 1 + (r * sum) / 7
  sum = 1 + (r * sum) / 6
  sum = 1 + (r * sum) / 5
  sum = 1 + (r * sum) / 4
  sum = 1 + (r * sum) / 3
  sum = 1 + (r * sum) / 2
  sum = 1 + r * sum
  return sum * reinterpret<f64>((<i64>k + 1023) << 52)
}

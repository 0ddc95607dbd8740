// Logarithm, exponential and powers of four floats: rational arithmetic alone, so that every machine finds the same bits.
// The polynomials are those of the Cephes library (S. Moshier 1992, logf.c and expf.c), right to 2 units of the last place.

// @ts-ignore: decorator
@inline
function linear(x: v128, slope: f32, level: f32): v128 {
  return f32x4.add(f32x4.mul(x, f32x4.splat(slope)), f32x4.splat(level))
}

// @ts-ignore: decorator
@inline
/** ln of normal numbers above 0. */
export function log4(value: v128): v128 {
  const bits = value
  // Mantissa in [½, 1), the exponent that goes with it.
  const mantissa = v128.or(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000))
  const exponent = i32x4.sub(i32x4.shr_u(bits, 23), i32x4.splat(126))
  const low = f32x4.lt(mantissa, f32x4.splat(0.70710678))
  const e = f32x4.convert_i32x4_s(i32x4.add(exponent, low))
  const x = f32x4.sub(f32x4.add(mantissa, v128.and(mantissa, low)), f32x4.splat(1))
  const z = f32x4.mul(x, x)
  const z2 = f32x4.mul(z, z)
  // Nine coefficients in pairs, so that none waits long for another.
  const c0 = linear(x, -2.4999993993e-1, 3.3333331174e-1)
  const c2 = linear(x, -1.6668057665e-1, 2.0000714765e-1)
  const c4 = linear(x, -1.2420140846e-1, 1.4249322787e-1)
  const c6 = linear(x, -1.151461031e-1, 1.167699874e-1)
  const low4 = f32x4.add(c0, f32x4.mul(c2, z))
  const high4 = f32x4.add(c4, f32x4.mul(c6, z))
  let y = f32x4.add(low4, f32x4.mul(z2, f32x4.add(high4, f32x4.mul(z2, f32x4.splat(7.0376836292e-2)))))
  y = f32x4.mul(y, f32x4.mul(x, z))
  y = f32x4.add(y, f32x4.mul(e, f32x4.splat(-2.12194440e-4)))
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)))
  return f32x4.add(f32x4.add(x, y), f32x4.mul(e, f32x4.splat(0.693359375)))
}

// @ts-ignore: decorator
@inline
/** e to the power of four numbers between −87 and 88; beyond, the value there. */
export function exp4(value: v128): v128 {
  const limited = f32x4.pmax(f32x4.pmin(value, f32x4.splat(88)), f32x4.splat(-87))
  // 1.5 × 2²³: adding it leaves the nearest whole number in the lowest bits.
  const shifted = f32x4.add(f32x4.mul(limited, f32x4.splat(1.44269504)), f32x4.splat(12582912))
  const n = f32x4.sub(shifted, f32x4.splat(12582912))
  let x = f32x4.sub(limited, f32x4.mul(n, f32x4.splat(0.693359375)))
  x = f32x4.sub(x, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  const z = f32x4.mul(x, x)
  const c0 = linear(x, 1.6666665459e-1, 5.0000001201e-1)
  const c2 = linear(x, 8.3334519073e-3, 4.1665795894e-2)
  const c4 = linear(x, 1.9875691500e-4, 1.3981999507e-3)
  const y = f32x4.add(f32x4.add(f32x4.mul(z, f32x4.add(c0, f32x4.mul(z, f32x4.add(c2, f32x4.mul(z, c4))))), x), f32x4.splat(1))
  const scale = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23)
  return f32x4.mul(y, scale)
}

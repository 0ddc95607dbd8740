// A colour mosaic to light: the mean of each 2 × 2 pixels; see preprocessing/mosaic.ts.

const noData: u16 = 1
const bad: u16 = 2

// @ts-ignore: decorator
@inline
/** (top₀ + bottom₀) + (top₁ + bottom₁) of four pairs of columns. */
function pairs(top: usize, bottom: usize): v128 {
  const low = f32x4.add(v128.load(top), v128.load(bottom))
  const high = f32x4.add(v128.load(top, 16), v128.load(bottom, 16))
  return f32x4.add(v128.shuffle<f32>(low, high, 0, 2, 4, 6), v128.shuffle<f32>(low, high, 1, 3, 5, 7))
}

function pair(top: usize, bottom: usize): f32 {
  return load<f32>(top) + load<f32>(bottom) + (load<f32>(top, 4) + load<f32>(bottom, 4))
}

/**
 * Rows of the small frame: science = Σ / 4, variance = Σ variance / 16 (none where `variance` is 0), mask = all bits of the
 * four. Where one of them is noData or bad, science and variance are 0. `stride` is the width of the mosaic.
 */
export function superPixels(
  rowFrom: i32,
  rowTo: i32,
  science: usize,
  variance: usize,
  mask: usize,
  stride: i32,
  scienceOut: usize,
  varianceOut: usize,
  maskOut: usize,
  width: i32,
): void {
  const quarter = f32x4.splat(0.25)
  const sixteenth = f32x4.splat(0.0625)
  const unusable = i32x4.splat(<i32>(noData | bad))
  const zero = i32x4.splat(0)
  for (let y = rowFrom; y < rowTo; y++) {
    const from = (<usize>(2 * y)) * <usize>stride
    const to = <usize>y * <usize>width
    let x = 0
    for (; x + 4 <= width; x += 4) {
      const at = from + (<usize>x << 1)
      const flags = mask + (at << 1)
      const bits8 = v128.or(v128.load(flags), v128.load(flags + (<usize>stride << 1)))
      const bits = v128.and(v128.or(bits8, i32x4.shr_u(bits8, 16)), i32x4.splat(0xffff))
      const good = i32x4.eq(v128.and(bits, unusable), zero)
      const out = to + x
      v128.store64_lane(maskOut + (out << 1), i16x8.narrow_i32x4_u(bits, bits), 0)
      const pixel = science + (at << 2)
      v128.store(scienceOut + (out << 2), v128.and(good, f32x4.mul(pairs(pixel, pixel + (<usize>stride << 2)), quarter)))
      if (!variance) continue
      const noise = variance + (at << 2)
      const sum = f32x4.mul(pairs(noise, noise + (<usize>stride << 2)), sixteenth)
      v128.store(varianceOut + (out << 2), v128.and(good, sum))
    }
    for (; x < width; x++) {
      const at = from + (<usize>x << 1)
      const flags = mask + (at << 1)
      const below = flags + (<usize>stride << 1)
      const bits = load<u16>(flags) | load<u16>(flags, 2) | load<u16>(below) | load<u16>(below, 2)
      const useless = (bits & (noData | bad)) != 0
      const out = to + x
      store<u16>(maskOut + (out << 1), bits)
      const pixel = science + (at << 2)
      store<f32>(scienceOut + (out << 2), useless ? 0 : pair(pixel, pixel + (<usize>stride << 2)) * 0.25)
      if (!variance) continue
      const noise = variance + (at << 2)
      store<f32>(varianceOut + (out << 2), useless ? 0 : pair(noise, noise + (<usize>stride << 2)) * 0.0625)
    }
  }
}

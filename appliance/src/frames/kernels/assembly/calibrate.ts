// Raw frame to calibrated frame in one pass; see preprocessing/calibrate.ts. Pointers of 0 mean "none".

const noData: u16 = 1
const bad: u16 = 2
const saturated: u16 = 4

/** Below this share of its mean a flat says nothing about a pixel. */
const leastFlat: f32 = 0.1

/**
 * signal = raw − bias; out = (signal − darkScale · dark) / flat; variance = (max(signal, 0) · perAdu + readVariance) / flat².
 * Marks what is not finite as noData, at or above `saturation` as saturated, where the flat is below a tenth as bad; adds the
 * defect mask. Pixels that are noData or bad become 0.
 */
export function calibrateRows(
  rowFrom: i32,
  rowTo: i32,
  raw: usize,
  bias: usize,
  dark: usize,
  flat: usize,
  defects: usize,
  mask: usize,
  out: usize,
  variance: usize,
  width: i32,
  darkScale: f32,
  perAdu: f32,
  readVariance: f32,
  saturation: f32,
): void {
  const zero = f32x4.splat(0)
  const scale4 = f32x4.splat(darkScale)
  const perAdu4 = f32x4.splat(perAdu)
  const read4 = f32x4.splat(readVariance)
  const limit4 = f32x4.splat(saturation)
  const least4 = f32x4.splat(leastFlat)
  const to = rowTo * width
  let i = rowFrom * width
  for (; i + 4 <= to; i += 4) {
    const at = (<usize>i) << 2
    const value = v128.load(raw + at)
    const signal = bias ? f32x4.sub(value, v128.load(bias + at)) : value
    const lit = dark ? f32x4.sub(signal, f32x4.mul(scale4, v128.load(dark + at))) : signal
    let variance4 = f32x4.add(f32x4.mul(f32x4.max(signal, zero), perAdu4), read4)
    let result = lit
    let strange = v128.or(f32x4.ne(value, value), f32x4.ge(value, limit4))
    if (flat) {
      const flat4 = v128.load(flat + at)
      result = f32x4.div(lit, flat4)
      variance4 = f32x4.div(variance4, f32x4.mul(flat4, flat4))
      strange = v128.or(strange, v128.not(f32x4.ge(flat4, least4)))
    }
    v128.store(out + at, result)
    v128.store(variance + at, variance4)
    const maskAt = (<usize>i) << 1
    const given = load<u64>(mask + maskAt) | (defects ? load<u64>(defects + maskAt) : 0)
    store<u64>(mask + maskAt, given)
    if (v128.any_true(strange) || given != 0) {
      for (let j = i; j < i + 4; j++) mark(j, raw, flat, mask, out, variance, saturation)
    }
  }
  for (; i < to; i++) {
    const at = (<usize>i) << 2
    const value = load<f32>(raw + at)
    const signal = bias ? value - load<f32>(bias + at) : value
    const lit = dark ? signal - darkScale * load<f32>(dark + at) : signal
    let pixelVariance = max<f32>(signal, 0) * perAdu + readVariance
    let result = lit
    if (flat) {
      const level = load<f32>(flat + at)
      result = lit / level
      pixelVariance = pixelVariance / (level * level)
    }
    store<f32>(out + at, result)
    store<f32>(variance + at, pixelVariance)
    const maskAt = (<usize>i) << 1
    if (defects) store<u16>(mask + maskAt, load<u16>(mask + maskAt) | load<u16>(defects + maskAt))
    mark(i, raw, flat, mask, out, variance, saturation)
  }
}

function mark(i: i32, raw: usize, flat: usize, mask: usize, out: usize, variance: usize, saturation: f32): void {
  const at = (<usize>i) << 2
  const value = load<f32>(raw + at)
  let bits = load<u16>(mask + ((<usize>i) << 1))
  if (!isFinite<f32>(value)) bits |= noData
  if (value >= saturation) bits |= saturated
  if (flat && !(load<f32>(flat + at) >= leastFlat)) bits |= bad
  store<u16>(mask + ((<usize>i) << 1), bits)
  if (bits & (noData | bad)) {
    store<f32>(out + at, 0)
    store<f32>(variance + at, 0)
  }
}

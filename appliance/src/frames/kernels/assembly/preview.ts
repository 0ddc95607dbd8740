/**
 * Rows are output rows: the mean of the good pixels of each `factor` × `factor` block, NaN where there is none. Blocks at the
 * right and bottom may be cut.
 */
export function binMean(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  mask: usize,
  dst: usize,
  width: i32,
  height: i32,
  outWidth: i32,
  factor: i32,
): void {
  for (let oy = rowFrom; oy < rowTo; oy++) {
    const bottom = min<i32>(height, (oy + 1) * factor)
    for (let ox = 0; ox < outWidth; ox++) {
      const right = min<i32>(width, (ox + 1) * factor)
      let sum: f32 = 0
      let count: i32 = 0
      for (let y = oy * factor; y < bottom; y++) {
        for (let x = ox * factor; x < right; x++) {
          const i = <usize>(y * width + x)
          const v = load<f32>(src + (i << 2))
          if (v - v != 0 || (mask != 0 && load<u16>(mask + (i << 1)) != 0)) continue
          sum += v
          count++
        }
      }
      store<f32>(dst + ((<usize>(oy * outWidth + ox)) << 2), count == 0 ? f32.NaN : sum / <f32>count)
    }
  }
}

/** dst = table[(value - black) × scale] as bytes; the index is kept inside the table of `entries` bytes; NaN → entry 0. */
export function stretchBytes(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  dst: usize,
  width: i32,
  black: f32,
  scale: f32,
  table: usize,
  entries: i32,
): void {
  const to = rowTo * width
  const top = <f32>(entries - 1)
  for (let i = rowFrom * width; i < to; i++) {
    const t = (load<f32>(src + ((<usize>i) << 2)) - black) * scale
    const index: i32 = t > 0 ? (t < top ? <i32>t : entries - 1) : 0
    store<u8>(dst + <usize>i, load<u8>(table + <usize>index))
  }
}

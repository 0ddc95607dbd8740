// Runs of masked pixels in two masks of one size: what is rare in a frame is listed without a pass in JavaScript.

/**
 * For each row the runs of pixels where either mask has one of `bits`: `capacity` pairs (first, one past the last) of int32
 * after their number, 1 + 2 capacity numbers a row. The last run of a row with more takes all the rest in.
 */
export function maskRuns(
  rowFrom: i32,
  rowTo: i32,
  one: usize,
  other: usize,
  width: i32,
  bits: i32,
  runs: usize,
  capacity: i32,
): void {
  const wanted = i16x8.splat(<i16>bits)
  for (let y = rowFrom; y < rowTo; y++) {
    const line = (<usize>(y * width)) << 1
    const out = runs + ((<usize>(y * (1 + 2 * capacity))) << 2)
    let count = 0
    let last = -2
    for (let x = 0; x < width; ) {
      if (x + 8 <= width) {
        const at = line + ((<usize>x) << 1)
        if (!v128.any_true(v128.and(v128.or(v128.load(one + at), v128.load(other + at)), wanted))) {
          x += 8
          continue
        }
      }
      const end = min(x + 8, width)
      for (; x < end; x++) {
        const at = line + ((<usize>x) << 1)
        if (((load<u16>(one + at) | load<u16>(other + at)) & <u16>bits) == 0) continue
        if (last != x && count < capacity) {
          store<i32>(out + ((<usize>(1 + 2 * count)) << 2), x)
          count++
        }
        last = x + 1
        store<i32>(out + ((<usize>(2 * count)) << 2), last)
      }
    }
    store<i32>(out, count)
  }
}

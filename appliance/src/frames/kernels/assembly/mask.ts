// Masks are rows of uint16 bits (frames/mask.ts).
const noData: u16 = 1
const saturated: u16 = 4

/** Marks NaN and infinite pixels `noData` and those at or above `saturation` `saturated`; keeps the bits that are there. */
export function maskValues(rowFrom: i32, rowTo: i32, science: usize, mask: usize, width: i32, saturation: f32): void {
  const to = rowTo * width
  let i = rowFrom * width
  const zero = f32x4.splat(0)
  const high = f32x4.splat(saturation)
  for (; i + 4 <= to; i += 4) {
    const v = v128.load(science + ((<usize>i) << 2))
    // v - v is zero for finite numbers only.
    const finite = f32x4.eq(f32x4.sub(v, v), zero)
    if (!v128.any_true(v128.or(v128.not(finite), f32x4.ge(v, high)))) continue
    for (let j = i; j < i + 4; j++) maskValue(science, mask, j, saturation)
  }
  for (; i < to; i++) maskValue(science, mask, i, saturation)
}

function maskValue(science: usize, mask: usize, i: i32, saturation: f32): void {
  const v = load<f32>(science + ((<usize>i) << 2))
  const at = mask + ((<usize>i) << 1)
  if (v - v != 0) store<u16>(at, load<u16>(at) | noData)
  else if (v >= saturation) store<u16>(at, load<u16>(at) | saturated)
}

/** Big-endian whole numbers of 1, 2 or 4 bytes to mask bits: bit n on disk becomes `table[n]` (32 entries of uint16). */
export function decodeMask(
  rowFrom: i32,
  rowTo: i32,
  src: usize,
  mask: usize,
  width: i32,
  bytes: i32,
  zero: i32,
  table: usize,
): void {
  const to = rowTo * width
  for (let i = rowFrom * width; i < to; i++) {
    let raw: i32
    if (bytes == 1) raw = <i32>load<u8>(src + <usize>i)
    else if (bytes == 2) raw = <i32>bswap<i16>(load<i16>(src + ((<usize>i) << 1)))
    else raw = bswap<i32>(load<i32>(src + ((<usize>i) << 2)))
    let bits = <u32>(raw + zero)
    let flags: u16 = 0
    while (bits != 0) {
      flags |= load<u16>(table + ((<usize>ctz<u32>(bits)) << 1))
      bits &= bits - 1
    }
    store<u16>(mask + ((<usize>i) << 1), flags)
  }
}

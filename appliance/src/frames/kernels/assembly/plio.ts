// PLIO_1 tiles (FITS Standard 4.0, section 10.4.3): the line lists of IRAF. Records are those of rice.ts; a tile whose record
// says how = 2 is unpacked to the int32 at its `values`, and its packed words then count as done.
const record: usize = 96
const headWords: i32 = 3

// @ts-ignore: decorator
@inline
function word(source: usize, index: i32): i32 {
  return <i32>(<i16>bswap<u16>(load<u16>(source + (<usize>index << 1))))
}

// @ts-ignore: decorator
@inline
function fill(out: usize, from: i32, to: i32, value: i32): void {
  for (let i = from; i < to; i++) store<i32>(out + (<usize>i << 2), value)
}

/** `count` int32 at `out`; pixels after the last instruction are 0. `offset` is added to each. False for a damaged list. */
function decode(source: usize, words: i32, out: usize, count: i32, offset: i32): bool {
  if (words < headWords) return false
  // Lists of before 1989 have their length in the third word and no more words before the instructions.
  const old = word(source, 2) > 0
  if (!old && words < 5) return false
  const length = old ? word(source, 2) : (word(source, 4) << 15) + word(source, 3)
  const first = old ? 3 : word(source, 1)
  if (first < headWords || length < 0 || length > words) return false
  let value: i32 = 1
  let x: i32 = 0
  for (let i = first; i < length && x < count; i++) {
    const instruction = <i32>(<u16>word(source, i))
    const data = instruction & 0xfff
    const code = instruction >> 12
    const stop = min(count, x + data)
    if (code == 0) {
      fill(out, x, stop, offset)
      x = stop
    } else if (code == 1) {
      if (++i >= length) return false
      value = (word(source, i) << 12) + data
    } else if (code == 2) value += data
    else if (code == 3) value -= data
    else if (code == 4) {
      fill(out, x, stop, value + offset)
      x = stop
    } else if (code == 5) {
      fill(out, x, stop, offset)
      if (data > 0 && x + data <= count) store<i32>(out + (<usize>(stop - 1) << 2), value + offset)
      x = stop
    } else if (code == 6 || code == 7) {
      value += code == 6 ? data : -data
      store<i32>(out + (<usize>x << 2), value + offset)
      x++
    } else return false
  }
  fill(out, x, count, offset)
  return true
}

/** Unpacks those of tiles [tileFrom, tileTo) that are PLIO_1. `offset`: −32768 where unsigned 16-bit pixels were packed. */
export function plioTiles(tileFrom: i32, tileTo: i32, table: usize, offset: i32): void {
  for (let tile = tileFrom; tile < tileTo; tile++) {
    const row = table + <usize>tile * record
    if (load<i32>(row, 84) != 2) continue
    const count = load<i32>(row, 24) * load<i32>(row, 28)
    if (decode(load<u32>(row), load<i32>(row, 4) >> 1, load<u32>(row, 8), count, offset)) store<u32>(row, 0)
    else store<i32>(row, 1, 60)
  }
}

// Order statistics of small arrays of float32 without putting them in order.

/** So many values are taken out of the array and sorted; before that they are counted. */
const handful: i32 = 24

// @ts-ignore: decorator
@inline
/** Whole numbers in the order of the values; turning twice gives the value's bits again. */
function turned(bits: i32): i32 {
  return bits ^ ((bits >> 31) & 0x7fffffff)
}

/** How many of `n` values are at most `limit`. */
function countUpTo(values: usize, n: i32, limit: f32): i32 {
  const limit4 = f32x4.splat(limit)
  let one = i32x4.splat(0)
  let other = one
  const end = values + ((<usize>(n & ~7)) << 2)
  let at = values
  for (; at < end; at += 32) {
    one = i32x4.sub(one, f32x4.le(v128.load(at), limit4))
    other = i32x4.sub(other, f32x4.le(v128.load(at, 16), limit4))
  }
  const both = i32x4.add(one, other)
  let count = i32x4.extract_lane(both, 0) + i32x4.extract_lane(both, 1) + i32x4.extract_lane(both, 2) + i32x4.extract_lane(both, 3)
  const last = values + ((<usize>n) << 2)
  for (; at < last; at += 4) count += load<f32>(at) <= limit ? 1 : 0
  return count
}

/**
 * The k-th smallest (k from 0) of `n` ≥ 1 numbers, no NaN among them. Halves the range that it lies in until a handful is
 * left. `spare`: room for 32 values.
 */
export function orderStatistic(values: usize, n: i32, k: i32, spare: usize): f32 {
  const last = values + ((<usize>n) << 2)
  let least = v128.load32_splat(values)
  let most = least
  let at = values
  for (; at + 16 <= last; at += 16) {
    const v = v128.load(at)
    least = f32x4.pmin(least, v)
    most = f32x4.pmax(most, v)
  }
  let low = min(min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)), min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)))
  let high = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)))
  for (; at < last; at += 4) {
    low = min(low, load<f32>(at))
    high = max(high, load<f32>(at))
  }
  // The value sought lies in (from, to], of which `below` values lie under.
  let from = turned(reinterpret<i32>(low)) - 1
  let to = turned(reinterpret<i32>(high))
  let below = 0
  let upTo = n
  while (upTo - below > handful && <u32>(to - from) > 1) {
    const middle = from + ((to - from) >>> 1)
    const count = countUpTo(values, n, reinterpret<f32>(turned(middle)))
    if (count > k) {
      to = middle
      upTo = count
    } else {
      from = middle
      below = count
    }
  }
  if (<u32>(to - from) <= 1) return reinterpret<f32>(turned(to))
  return sortedFew(values, last, reinterpret<f32>(turned(from)), reinterpret<f32>(turned(to)), from == turned(reinterpret<i32>(low)) - 1, k - below, spare)
}

/** The k-th of the values in (from, to], or in [… , to] with `open`; a handful at most. */
function sortedFew(values: usize, last: usize, from: f32, to: f32, open: bool, k: i32, spare: usize): f32 {
  let count = 0
  for (let at = values; at < last; at += 4) {
    const v = load<f32>(at)
    if (!(v <= to) || (!open && !(v > from))) continue
    let place = count++
    for (; place > 0 && load<f32>(spare + ((<usize>place) << 2) - 4) > v; place--) {
      store<f32>(spare + ((<usize>place) << 2), load<f32>(spare + ((<usize>place) << 2) - 4))
    }
    store<f32>(spare + ((<usize>place) << 2), v)
  }
  return load<f32>(spare + ((<usize>k) << 2))
}

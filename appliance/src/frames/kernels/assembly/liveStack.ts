// A mean that grows frame by frame, pixel by pixel; see differencing/liveStack.ts. Of the values of a pixel the highest is
// held aside: a satellite or a cosmic ray is in one frame, be it the first or the last.

// @ts-ignore: decorator
@inline
/** How far two values may differ: 4 σ of both and of the source, and a fifth of the signal, which the seeing may move. */
function tolerance(variance: f32, signal: f32, perSignal: f32): f32 {
  const light = max<f32>(0, signal)
  return <f32>4 * sqrt<f32>(variance + light * perSignal) + <f32>0.2 * light
}

/**
 * Adds rows of a frame, multiplied by `scale`, of `weight` (1/variance of its sky). `mean` and `total` (weight) are of the
 * values below the highest; `held` and `heldWeight` are the highest, weight 0 where there was no value yet. A value that
 * does not fit the mean is dropped, unless the mean is of one or two values and the highest fits the new value better.
 */
export function liveStackAdd(
  rowFrom: i32,
  rowTo: i32,
  science: usize,
  mask: usize,
  width: i32,
  scale: f32,
  weight: f32,
  perSignal: f32,
  unusable: i32,
  mean: usize,
  total: usize,
  held: usize,
  heldWeight: usize,
): void {
  for (let i = rowFrom * width; i < rowTo * width; i++) {
    const at = (<usize>i) << 2
    if ((<i32>load<u16>(mask + ((<usize>i) << 1)) & unusable) != 0) continue
    let value = scale * load<f32>(science + at)
    if (value - value != 0) continue
    let w = weight
    let high = load<f32>(held + at)
    let highWeight = load<f32>(heldWeight + at)
    if (highWeight == 0 || value > high) {
      store<f32>(held + at, value)
      store<f32>(heldWeight + at, w)
      if (highWeight == 0) continue
      const lower = high
      const lowerWeight = highWeight
      high = value
      highWeight = w
      value = lower
      w = lowerWeight
    }
    const sum = load<f32>(total + at)
    const middle = load<f32>(mean + at)
    const isNew = sum == 0
    if (isNew || abs<f32>(value - middle) <= tolerance(<f32>1 / w + <f32>1 / sum, middle, perSignal)) {
      const grown = sum + w
      store<f32>(mean + at, isNew ? value : middle + (w / grown) * (value - middle))
      store<f32>(total + at, grown)
      continue
    }
    const isYoung = sum < <f32>2.5 * w
    const isNearHigh = high - value <= tolerance(<f32>1 / w + <f32>1 / highWeight, value, perSignal)
    if (isYoung && value > middle && isNearHigh) {
      store<f32>(mean + at, value)
      store<f32>(total + at, w)
    }
  }
}

/** Rows of the picture: the mean, the highest value in it where it fits, and `level` added. NaN where no frame has a value. */
export function liveStackShow(
  rowFrom: i32,
  rowTo: i32,
  mean: usize,
  total: usize,
  held: usize,
  heldWeight: usize,
  out: usize,
  width: i32,
  perSignal: f32,
  level: f32,
): void {
  for (let i = rowFrom * width; i < rowTo * width; i++) {
    const at = (<usize>i) << 2
    const w = load<f32>(heldWeight + at)
    const sum = load<f32>(total + at)
    const high = load<f32>(held + at)
    const middle = load<f32>(mean + at)
    let shown: f32 = w == 0 ? f32.NaN : high
    if (sum > 0) {
      const fits = abs<f32>(high - middle) <= tolerance(<f32>1 / w + <f32>1 / sum, middle, perSignal)
      shown = fits ? middle + (w / (sum + w)) * (high - middle) : middle
    }
    store<f32>(out + at, shown + level)
  }
}

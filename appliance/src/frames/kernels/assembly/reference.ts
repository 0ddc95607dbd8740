import { ownScratch } from './thread'

// A robust weighted mean of aligned layers, pixel by pixel; see differencing/references.ts.

// @ts-ignore: decorator
@inline
function at(base: usize, k: i32): usize {
  return base + ((<usize>k) << 2)
}

/** Median of `count` values; `sorted` is overwritten. */
function middleOf(values: usize, sorted: usize, count: i32): f32 {
  for (let k = 0; k < count; k++) {
    const value = load<f32>(at(values, k))
    let i = k
    while (i > 0 && load<f32>(at(sorted, i - 1)) > value) {
      store<f32>(at(sorted, i), load<f32>(at(sorted, i - 1)))
      i--
    }
    store<f32>(at(sorted, i), value)
  }
  const half = count >> 1
  const upper = load<f32>(at(sorted, half))
  return (count & 1) != 0 ? upper : (load<f32>(at(sorted, half - 1)) + upper) * <f32>0.5
}

/**
 * Rows of the mean of `count` layers: `layers` holds float32 scale and weight (1/variance of the scaled layer's sky) of
 * each, `planes` and `masks` their rows one layer after the other, `layerPixels` pixels apart. A value counts when it lies
 * within 4 standard deviations (sky and source) and a fifth of the signal, which the seeing may move, of the median; two
 * values are both kept. `variance` holds the shape of the sky's noise (1 = as the weights say) and becomes ADU².
 */
export function stackLayers(
  rowFrom: i32,
  rowTo: i32,
  layers: usize,
  count: i32,
  planes: usize,
  masks: usize,
  layerPixels: i32,
  out: usize,
  outMask: usize,
  variance: usize,
  width: i32,
  level: f32,
  perSignal: f32,
  unusable: i32,
  full: i32,
  noData: i32,
  scratch: usize,
): void {
  const values = ownScratch(scratch, <usize>count << 4)
  const weights = at(values, count)
  const scales = at(weights, count)
  const sorted = at(scales, count)
  for (let i = rowFrom * width; i < rowTo * width; i++) {
    let good = 0
    let bits = 0
    let filled = 0
    for (let k = 0; k < count; k++) {
      const index = <usize>k * <usize>layerPixels + <usize>i
      const marks = <i32>load<u16>(masks + (index << 1))
      bits |= marks
      if ((marks & unusable) != 0) continue
      if ((marks & full) != 0) filled++
      const scale = load<f32>(layers + ((<usize>k) << 3))
      store<f32>(at(values, good), scale * load<f32>(planes + (index << 2)))
      store<f32>(at(weights, good), load<f32>(layers + ((<usize>k) << 3), 4))
      store<f32>(at(scales, good), scale)
      good++
    }
    const index = <usize>i
    if (good == 0) {
      store<f32>(out + (index << 2), level)
      store<f32>(variance + (index << 2), 0)
      store<u16>(outMask + (index << 1), <u16>(bits | noData))
      continue
    }
    const middle = middleOf(values, sorted, good)
    const signal = max<f32>(0, middle)
    const shape = load<f32>(variance + (index << 2))
    const shape2 = shape * shape
    let sum: f32 = 0
    let total: f32 = 0
    let squares: f32 = 0
    for (let k = 0; k < good; k++) {
      const value = load<f32>(at(values, k))
      const weight = load<f32>(at(weights, k))
      const source = load<f32>(at(scales, k)) * signal * perSignal
      const limit: f32 = <f32>4 * sqrt<f32>(shape2 / weight + source) + <f32>0.2 * signal
      if (good > 2 && abs<f32>(value - middle) > limit) continue
      sum += weight * value
      total += weight
      squares += weight * weight * source
    }
    if (total == 0) {
      // No two agree: the median, with the noise of one.
      sum = middle
      total = 1
      squares = shape2 / load<f32>(weights)
      store<f32>(variance + (index << 2), squares)
    } else {
      store<f32>(variance + (index << 2), shape2 / total + squares / (total * total))
    }
    store<f32>(out + (index << 2), sum / total + level)
    store<u16>(outMask + (index << 1), <u16>(2 * filled >= good ? bits & full : 0))
  }
}

import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from './compute.ts'
import type { Plane } from './plane.ts'

/** A small convolution kernel with an odd number of columns and rows, its centre in the middle. */
export interface ConvolutionKernel {
  readonly width: number
  readonly height: number
  /** Row-major. */
  readonly data: ArrayLike<number>
}

function odd(length: number, what: string): number {
  if (Number.isInteger(length) && length > 0 && length % 2 === 1) return (length - 1) / 2
  throw new NightjarError('convolve/kernel', `the kernel has ${length} ${what}: it needs an odd number`)
}

/** Taps in the order in which they are applied: a convolution turns its kernel round. */
function placeTaps(compute: Compute, taps: ArrayLike<number>): number {
  const pointer = compute.allocate(taps.length * 4)
  new Float32Array(compute.memory.buffer, pointer, taps.length).set(Array.from(taps).reverse())
  return pointer
}

function sameSize(plane: Plane, into: Plane): Plane {
  if (into.width === plane.width && into.height === plane.height && into.pointer !== plane.pointer) return into
  throw new NightjarError('convolve/size', 'the result needs a plane of its own of the same size')
}

/**
 * plane ∗ (tapsY · tapsX): convolution with a separable kernel of odd lengths; beyond the border the nearest pixel is
 * repeated (scipy.ndimage mode "nearest"). NaN spreads. Writes to `into`, or to a new plane. Throws `convolve/kernel`.
 */
export function convolveSeparable(
  compute: Compute,
  plane: Plane,
  tapsX: ArrayLike<number>,
  tapsY: ArrayLike<number>,
  into: Plane = compute.float32(plane.width, plane.height),
): Plane {
  const radiusX = odd(tapsX.length, 'columns')
  const radiusY = odd(tapsY.length, 'rows')
  const { width, height } = sameSize(plane, into)
  using _scratch = compute.scope()
  const x = placeTaps(compute, tapsX)
  const y = placeTaps(compute, tapsY)
  const scratch = compute.allocate(compute.threads * (width + 2 * radiusX + 16) * 4)
  const args = [plane.pointer, into.pointer, width, height, x, radiusX, y, radiusY, scratch]
  compute.rows('convolveSeparable', height, args)
  return into
}

/** plane ∗ kernel for any small kernel; borders as `convolveSeparable`. For kernels above about 25 × 25 use `planFft`. */
export function convolve(
  compute: Compute,
  plane: Plane,
  kernel: ConvolutionKernel,
  into: Plane = compute.float32(plane.width, plane.height),
): Plane {
  const radiusX = odd(kernel.width, 'columns')
  const radiusY = odd(kernel.height, 'rows')
  if (kernel.data.length !== kernel.width * kernel.height) {
    throw new NightjarError(
      'convolve/kernel',
      `the kernel has ${kernel.data.length} values for ${kernel.width} × ${kernel.height}`,
    )
  }
  const { width, height } = sameSize(plane, into)
  using _scratch = compute.scope()
  const taps = placeTaps(compute, kernel.data)
  const paddedHeight = height + 2 * radiusY
  const padded = compute.allocate((width + 2 * radiusX) * paddedHeight * 4)
  compute.rows('padRepeat', paddedHeight, [plane.pointer, padded, width, height, radiusX, radiusY])
  compute.rows('convolvePadded', height, [padded, into.pointer, width, taps, kernel.width, kernel.height])
  return into
}

/** Taps of a unit-sum Gaussian, cut at `radius` (default: 4 sigma, rounded up). */
export function gaussianTaps(sigmaPixels: number, radius = Math.max(1, Math.ceil(4 * sigmaPixels))): Float64Array {
  const taps = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-0.5 * ((i - radius) / sigmaPixels) ** 2),
  )
  const sum = taps.reduce((total, tap) => total + tap, 0)
  return taps.map((tap) => tap / sum)
}

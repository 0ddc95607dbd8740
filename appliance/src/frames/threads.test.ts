import { describe, expect, it } from 'vitest'
import { type Compute, createCompute } from './compute.ts'
import { convolve, convolveSeparable, gaussianTaps } from './convolve.ts'
import { FitsHeader } from './fits/header.ts'
import { openFits, readFrame, readImage } from './fits/read.ts'
import { encodeFits } from './fits/write.ts'
import { stretchPreview } from './preview.ts'
import { pattern, reference } from './reference.ts'
import { medianAndMad, moments, quantiles, sigmaClipped } from './statistics.ts'

const [width, height] = [333, 271]

/** Every piece of pixel work of this room, and what it made. */
const work: Readonly<Record<string, (compute: Compute) => unknown>> = {
  'reading each BITPIX': (compute) =>
    Object.values(reference.files).map((file) => {
      return readImage(compute, openFits(Buffer.from(file.base64, 'base64'))).data.slice()
    }),
  'reading a frame with a mask': (compute) => {
    const science = pattern(compute, width, height)
    science.data[777] = Number.NaN
    const mask = compute.int32(width, height)
    mask.data.forEach((_, i) => {
      mask.data[i] = i % 17 === 0 ? 3 : 0
    })
    const header = FitsHeader.from({ MP_BAD: 0, MP_SAT: 1 })
    const frame = readFrame(compute, encodeFits([{ data: science }, { data: mask, header, extname: 'MASK' }]))
    return [frame.science.data.slice(), frame.mask.data.slice()]
  },
  convolution: (compute) => {
    const plane = pattern(compute, width, height)
    const kernel = { width: 3, height: 5, data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6] }
    const taps = gaussianTaps(1.7)
    return [convolve(compute, plane, kernel).data.slice(), convolveSeparable(compute, plane, taps, taps).data.slice()]
  },
  statistics: (compute) => {
    const plane = pattern(compute, width, height)
    const all = [medianAndMad(compute, plane), moments(compute, plane), sigmaClipped(compute, plane, { sigma: 1.5 })]
    return [all, quantiles(compute, plane, [0.01, 0.33, 0.99])]
  },
  'a preview': (compute) => stretchPreview(compute, pattern(compute, width, height), undefined, { maxWidth: 100 }),
}

describe('the same bits come from one, two and five threads in', () => {
  it.each(Object.keys(work))('%s', (name) => {
    const results = [1, 2, 5].map((threads) => {
      using compute = createCompute({ threads })
      return work[name]?.(compute)
    })
    expect(results[1]).toEqual(results[0])
    expect(results[2]).toEqual(results[0])
  })
})

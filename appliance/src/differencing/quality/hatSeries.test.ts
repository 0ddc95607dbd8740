import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createCompute } from '../../frames/compute.ts'
import { realDataFolder } from '../../frames/reference.ts'
import { measureHatSeries } from './hatSeries.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())
const data = realDataFolder()
if (!data) console.log('shared/data is absent: the HAT-P-32 night is not differenced')

describe.skipIf(!data)('a drifting night of undersampled frames', () => {
  test('has at most 30 false positives per Mpix at 6 sigma, and shows most sources of S/N 8 there', () => {
    const [result] = measureHatSeries(compute, join(data!, 'series/hatp32'), { frames: [50], referenceFrames: 10 })
    expect(result!.falseAbove6).toBeLessThanOrEqual(30)
    expect(result!.complete8).toBeGreaterThanOrEqual(0.88)
    expect(result!.complete10).toBeGreaterThanOrEqual(0.95)
  })
})

test('without the files there is nothing to measure', () => {
  expect(measureHatSeries(compute, '/nowhere/hatp32')).toEqual([])
})

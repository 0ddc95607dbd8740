import { expect, test } from 'vitest'
import { fitLinearity, linearised, type RampPoint } from './linearity.ts'

/**
 * Readings of a camera whose truth is s (1 + 2e-7 s + 3e-12 s²), solved for s with numpy 1.24.2 (`numpy.roots`): true signals of
 * 1000 · t ADU for t = 2, 5, 10, 20, 30, 40, 50, 60 s.
 */
const readings = [
  1999.176688, 4994.636926, 9977.111999, 19897.188599, 29744.112612, 39502.971688, 49160.233469, 58703.865352,
]
const seconds = [2, 5, 10, 20, 30, 40, 50, 60]
const ramp: RampPoint[] = readings.map((signalAdu, n) => ({ signalAdu, exposureSeconds: seconds[n]!, group: 0 }))

test('the coefficients that bent a ramp are found, and make it straight', () => {
  const found = fitLinearity(ramp, 2)
  if (!found.ok) throw new Error(found.reason)
  expect(found.coefficients[0]! / 2e-7).toBeCloseTo(1, 3)
  expect(found.coefficients[1]! / 3e-12).toBeCloseTo(1, 3)
  expect(found.rmsBefore).toBeGreaterThan(0.003)
  expect(found.rmsAfter).toBeLessThan(1e-6)
  readings.forEach((reading, n) => {
    expect(linearised(reading, found.coefficients)).toBeCloseTo(1000 * seconds[n]!, 0)
  })
})

test('colours of different brightness share one curve', () => {
  const dimmer = ramp.map((point) => ({ ...point, exposureSeconds: point.exposureSeconds / 0.6, group: 1 }))
  const found = fitLinearity([...ramp, ...dimmer], 2)
  if (!found.ok) throw new Error(found.reason)
  expect(found.coefficients[0]! / 2e-7).toBeCloseTo(1, 3)
})

test('a ramp that says too little is refused with what to do', () => {
  expect(fitLinearity(ramp.slice(0, 3), 2)).toMatchObject({ ok: false, reason: expect.stringContaining('at least 4') })
  expect(fitLinearity(ramp.slice(3), 2)).toMatchObject({ ok: false, reason: expect.stringContaining('from a tenth') })
})

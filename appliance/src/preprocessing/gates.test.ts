import { describe, expect, test } from 'vitest'
import { type GateMeasures, gateColours, worstColour } from './gates.ts'

const colours = (measured: GateMeasures): string[] => gateColours(measured).map(({ colour }) => colour)

describe('the nightly gates', () => {
  // E ± n σ with n = 2, 4, 7 from BlackBOX's set_qc.py: Z-DX (0, 0.04), Z-SCMED (0, 0.30), Z-SCSTD (1, 0.15).
  test.each([
    ['dxPixels', 0.079, 'green'],
    ['dxPixels', -0.081, 'yellow'],
    ['dyPixels', 0.17, 'orange'],
    ['dyPixels', -0.29, 'red'],
    ['dxScatterPixels', 0.31, 'yellow'],
    ['scorrMedian', 0.6, 'green'],
    ['scorrMedian', -1.3, 'orange'],
    ['scorrStd', 0.7, 'green'],
    ['scorrStd', 0.69, 'yellow'],
    ['scorrStd', 2.1, 'red'],
    ['psfChi2', 1.3, 'yellow'],
    ['raOffsetArcsec', 0.05, 'yellow'],
    ['decScatterArcsec', 0.15, 'yellow'],
    ['transientsPerObject', 0.03, 'green'],
    ['transientsPerObject', 0.11, 'red'],
    ['elongation', 1.45, 'green'],
    ['elongation', 2.6, 'red'],
  ] as const)('%s of %d is %s', (name, value, colour) => {
    expect(colours({ [name]: value })).toEqual([colour])
  })

  test.each([
    // Z-FNR (0.7, 1.3), (0.4, 2.5), (0.06, 15); NCOSMICS (3, 50), (2, 100), (0, 500); N-INFNAN (0, 0), (1, 10), (11, 1e6).
    ['fluxRatio', [0.7, 0.5, 2.6, 16], ['green', 'yellow', 'orange', 'red']],
    ['cosmicRaysPerSecond', [3, 2.5, 0, 501], ['green', 'yellow', 'orange', 'red']],
    ['strangePixels', [0, 1, 11, 2e6], ['green', 'yellow', 'orange', 'red']],
  ] as const)('%s has ranges of its own', (name, values, expected) => {
    expect(values.flatMap((value) => colours({ [name]: value }))).toEqual(expected)
  })

  test('better than expected is good where less is better', () => {
    expect(colours({ dxScatterPixels: 0.001, raScatterArcsec: 0 })).toEqual(['green', 'green'])
  })

  test('a value that is no number is red', () => {
    const strange = { scorrStd: Number.NaN, fluxRatio: Number.NaN, dxScatterPixels: Number.NEGATIVE_INFINITY }
    expect(colours(strange)).toEqual(['red', 'red', 'red'])
  })

  test('cosmic rays are counted per area of the detector where it is known', () => {
    // 1 cm² collects a ninetieth of what BlackGEM's does.
    expect(colours({ cosmicRaysPerSecond: 0.1 })).toEqual(['orange'])
    expect(colours({ cosmicRaysPerSecond: 0.1, detectorCm2: 1 })).toEqual(['green'])
  })

  test('say what was expected, in one order, of what was measured alone', () => {
    const list = gateColours({ strangePixels: 0, dxPixels: 0.2, scorrStd: 1, psfChi2: undefined })
    expect(list.map(({ name }) => name)).toEqual(['dxPixels', 'scorrStd', 'strangePixels'])
    expect(list[0]).toEqual({ name: 'dxPixels', value: 0.2, expected: 0, sigma: 0.04, colour: 'orange' })
    expect(worstColour(list)).toBe('orange')
    expect(worstColour([])).toBe('green')
  })
})

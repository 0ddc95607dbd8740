import { expect, test } from 'vitest'
import { noiseOfTile, noiseOfTiles, normalShareBelow } from './zogyNoise.ts'

/** Shares of N(median, width) below 0 and within ±0.6745: scipy 1.10.1, stats.norm.cdf. */
const shares = [
  { width: 1, negativeShare: 0.5, withinShare: 0.5 },
  { width: 0.9, negativeShare: 0.455764, withinShare: 0.543623 },
  { width: 1.2, negativeShare: 0.582516, withinShare: 0.417705 },
  { width: 0.897, negativeShare: 0.477774, withinShare: 0.54721 },
] as const

test('the noise of a tile comes from two counts, whatever its median', () => {
  for (const { width, ...counted } of shares) expect(noiseOfTile(counted)).toBeCloseTo(width, 4)
})

test('a tile without data says nothing, and the middle tile decides', () => {
  expect(noiseOfTile({ negativeShare: 0, withinShare: 1 })).toBeUndefined()
  expect(noiseOfTiles([{ negativeShare: 0, withinShare: 1 }])).toBe(1)
  expect(noiseOfTiles([...shares.slice(1), { negativeShare: 0, withinShare: 1 }])).toBeCloseTo(0.9, 4)
})

test('the normal distribution is that of the tables', () => {
  // Abramowitz & Stegun 1964, table 26.1.
  expect(normalShareBelow(0)).toBeCloseTo(0.5, 7)
  expect(normalShareBelow(1)).toBeCloseTo(0.8413447, 6)
  expect(normalShareBelow(-2)).toBeCloseTo(0.0227501, 6)
})

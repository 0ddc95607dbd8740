import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { type GradeInput, gradeFrame } from './grade.ts'
import { limitingMagnitude } from './photometry.ts'
import type { Solution } from './solve.ts'
import type { Star } from './stars.ts'

function star(change: Partial<Star> = {}): Star {
  const shape = { peakAdu: 300, fwhmPixels: 3, hfrPixels: 1.5, ellipticity: 0.08, positionAngleDeg: 10 }
  return { x: 5, y: 5, fluxAdu: 1000, fluxErrorAdu: 20, ...shape, snr: 50, areaPixels: 20, flags: 0, ...change }
}

const solved: Solution = {
  ok: true,
  wcs: { referencePixel: [500, 500], raDeg: 10, decDeg: 20, cd: [-0.0003, 0, 0, 0.0003] },
  matched: 50,
  rmsPixels: 0.2,
  raDeg: 10,
  decDeg: 20,
  scaleArcsecPerPixel: 1.08,
  rotationDeg: 0,
  parity: 1,
  zeroPointMag: 22,
  logChance: -50,
}

function grade(change: Partial<GradeInput> = {}, one: Partial<Star> = {}) {
  const stars = Array.from({ length: 100 }, () => star(one))
  const hint = { raDeg: 10, decDeg: 20, radiusDeg: 1 }
  return gradeFrame({ stars, skyAdu: 500, skyRmsAdu: 10, width: 1000, height: 1000, solution: solved, hint, ...change })
}

describe('a frame', () => {
  test('with round stars in its field is good, and its facts are told', () => {
    expect(grade()).toMatchObject({
      grade: 'good',
      reasons: [],
      stars: 100,
      fwhmPixels: 3,
      solved: true,
      zeroPointMag: 22,
    })
  })

  test.each([
    ['few stars', { stars: [star(), star(), star()] }, {}, 'rejected'],
    ['few stars', { stars: Array.from({ length: 9 }, () => star()) }, {}, 'poor'],
    ['trailed', {}, { ellipticity: 0.45 }, 'poor'],
    ['trailed', {}, { ellipticity: 0.7 }, 'rejected'],
    ['defocused', {}, { fwhmPixels: 11 }, 'poor'],
    ['defocused', { expected: { fwhmPixels: 1.1 } }, {}, 'rejected'],
    ['clouded', { expected: { zeroPointMag: 23 } }, {}, 'poor'],
    ['clouded', { expected: { zeroPointMag: 24.5 } }, {}, 'rejected'],
    ['clouded', { expected: { stars: 400 } }, {}, 'poor'],
    ['wrong field', { hint: { raDeg: 10.4, decDeg: 20, radiusDeg: 1 } }, {}, 'poor'],
    ['no stars', { stars: [] }, {}, 'rejected'],
    ['dome closed', { stars: [], skyAdu: 20, expected: { skyAdu: 500 } }, {}, 'rejected'],
    ['saturated sky', { skyAdu: 40_000, saturationAdu: 65_535 }, {}, 'poor'],
    ['saturated sky', { skyAdu: 60_000, saturationAdu: 65_535 }, {}, 'rejected'],
    ['unknown field', { solution: { ok: false, reason: 'no match' } }, {}, 'rejected'],
  ] as const)('is graded down when it is %s', (reason, input, stars, expected) => {
    const quality = grade(input, stars)
    expect(quality.grade).toBe(expected)
    expect(quality.reasons.join('; ')).toContain(reason)
  })

  test('whose long stars point every way is misshapen, not trailed', () => {
    const random = createRandom('angles')
    const stars = Array.from({ length: 80 }, () =>
      star({ ellipticity: 0.5, positionAngleDeg: 180 * random.next() - 90 }),
    )
    expect(grade({ stars }).reasons.join()).toContain('misshapen')
  })

  test('without any star has numbers that can be stored', () => {
    const quality = grade({ stars: [], solution: undefined })
    expect(quality).toMatchObject({ stars: 0, fwhmPixels: 0, ellipticity: 0, solved: false, grade: 'rejected' })
  })
})

describe('the limiting magnitude', () => {
  test('is where a Gaussian star has a signal-to-noise ratio of 5', () => {
    // 5 × 10 ADU × √(4π) × 1 px = 177.245 ADU for σ = 1 px.
    expect(limitingMagnitude(25, 10, 2.354820045)).toBeCloseTo(25 - 2.5 * Math.log10(177.2454), 4)
  })
})

import { describe, expect, test } from 'vitest'
import { transitFlux, transitLight } from './transitModel.ts'

// scipy 1.10.1: adaptive quadrature (epsrel 1e-12) of the limb-darkened disc; [z, k, u1, u2, flux].
const quadrature = [
  [0, 0.15, 0.3, 0.3, 0.973574587698339],
  [0.02, 0.15, 0.3, 0.3, 0.973576230960059],
  [0.15, 0.15, 0.3, 0.3, 0.973668599112111],
  [0.4, 0.15, 0.3, 0.3, 0.9743196184987901],
  [0.8, 0.15, 0.3, 0.3, 0.978344400291772],
  [0.85, 0.15, 0.3, 0.3, 0.9796871605899279],
  [0.86, 0.15, 0.3, 0.3, 0.9801763320912407],
  [0.95, 0.15, 0.3, 0.3, 0.9872690318619256],
  [1, 0.15, 0.3, 0.3, 0.991586877469947],
  [1.145, 0.15, 0.3, 0.3, 0.9999594177177351],
  [1.15, 0.15, 0.3, 0.3, 1],
  [0, 0.05, 0.1, 0.6, 0.9971155658813253],
  [0.96, 0.05, 0.1, 0.6, 0.9983488684185008],
  [1.02, 0.05, 0.1, 0.6, 0.999659576493051],
  [0, 0.3, 0, 0, 0.91],
  [0.71, 0.3, 0, 0, 0.9103890540199958],
  [1, 0.3, 0, 0, 0.957871281859378],
] as const

describe('the light of a transit', () => {
  test.each(quadrature)('at z = %d for k = %d, u = %d, %d is that of adaptive quadrature', (z, k, u1, u2, flux) => {
    expect(Math.abs(transitFlux(z, k, { u1, u2 }) - flux)).toBeLessThan(2e-7)
  })

  test('begins and ends with the contacts and is deepest in the middle', () => {
    const transit = { midTime: 7, radiusRatio: 0.15, durationDays: 0.13, impact: 0.2, limb: { u1: 0.3, u2: 0.3 } }
    expect(transitLight(transit, 7 - 0.0651)).toBe(1)
    expect(transitLight(transit, 7 + 0.0649)).toBeLessThan(1)
    expect(transitLight(transit, 7)).toBe(transitFlux(0.2, 0.15, transit.limb))
  })
})

import { expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { pixelToSky, wcsFromHeader, wcsToHeader } from '../frames/wcs.ts'
import { fitField, tangentPlane, wcsOfFit } from './fieldFit.ts'

// astropy 5.2.1, WCS(header).all_pix2world(x, y, 0), of the header that `wcsToHeader` writes here.
const places = [
  [0, 0, 295.298623743586, 34.270627876752],
  [1999, 30, 293.108248478717, 34.497361404293],
  [120, 1500, 295.365925914332, 35.64002906977],
  [1900, 1599, 293.39347621972, 35.910325947803],
] as const

test('a lens that stretches its corners becomes SIP terms that astropy reads as we do', () => {
  const stars = Array.from({ length: 25 }, (_, i) => {
    const [x, y] = [(i % 5) * 500, Math.floor(i / 5) * 400]
    const [u, v] = [(x - 1000) / 1000, (y - 800) / 1000]
    const stretch = 1 + 0.004 * (u * u + v * v)
    return { x, y, xi: (-0.9 * u + 0.1 * v) * stretch, eta: (0.1 * u + 0.9 * v) * stretch }
  })
  const column = (key: 'x' | 'y' | 'xi' | 'eta'): number[] => stars.map((star) => star[key])
  const matched = { x: column('x'), y: column('y'), xi: column('xi'), eta: column('eta') }
  const fit = fitField(matched, 'radial', [1000, 800], 1000)
  if (!fit) throw new Error('no fit')
  const header = wcsToHeader(FitsHeader.empty, wcsOfFit(tangentPlane(294.3, 35.1), fit))
  const read = wcsFromHeader(FitsHeader.parse(header.cards.map((card) => card.raw).join('')))
  if (!read) throw new Error('no WCS')
  for (const [x, y, raDeg, decDeg] of places) {
    const sky = pixelToSky(read, x, y)
    expect(sky.raDeg).toBeCloseTo(raDeg, 9)
    expect(sky.decDeg).toBeCloseTo(decDeg, 9)
  }
})

import { describe, expect, it } from 'vitest'
import { FitsHeader } from './fits/header.ts'
import { reference } from './reference.ts'
import { pixelScaleArcsec, pixelToSky, skyToPixel, type Wcs, wcsFromHeader, wcsToHeader } from './wcs.ts'

function wcsOf(cards: Record<string, string | number>): Wcs {
  const wcs = wcsFromHeader(FitsHeader.from(cards))
  if (!wcs) throw new Error('no WCS')
  return wcs
}

describe('the WCS', () => {
  it.each(reference.wcs)('with $name is astropy’s to 1e-10 degrees', ({ cards, places }) => {
    for (const [x, y, raDeg, decDeg] of places) {
      const sky = pixelToSky(wcsOf(cards), x, y)
      const dRa = (((sky.raDeg - raDeg + 540) % 360) - 180) * Math.cos((decDeg * Math.PI) / 180)
      expect(Math.abs(dRa)).toBeLessThan(1e-10)
      expect(Math.abs(sky.decDeg - decDeg)).toBeLessThan(1e-10)
    }
  })

  it.each(reference.wcs)('with $name inverts astropy’s positions to 1e-6 pixels', ({ cards, places }) => {
    for (const [x, y, raDeg, decDeg] of places) {
      const pixel = skyToPixel(wcsOf(cards), raDeg, decDeg)
      expect(Math.hypot((pixel?.x ?? 0) - x, (pixel?.y ?? 0) - y)).toBeLessThan(1e-6)
    }
  })

  it.each(reference.wcs)('with $name survives a header', ({ cards, places }) => {
    const before = wcsOf(cards)
    const header = wcsToHeader(FitsHeader.from({ OBJECT: 'M 31', CROTA2: 5, CDELT1: 1 }), before)
    const after = wcsFromHeader(FitsHeader.parse(header.cards.map((card) => card.raw).join('')))
    expect(header.has('CROTA2')).toBe(false)
    expect(header.text('OBJECT')).toBe('M 31')
    if (!after) throw new Error('no WCS')
    for (const [x, y] of places) {
      expect(pixelToSky(after, x, y).raDeg).toBeCloseTo(pixelToSky(before, x, y).raDeg, 12)
      expect(pixelToSky(after, x, y).decDeg).toBeCloseTo(pixelToSky(before, x, y).decDeg, 12)
    }
  })

  it('has nothing to say about the other half of the sky', () => {
    const wcs = wcsOf(reference.wcs[0]?.cards ?? {})
    expect(skyToPixel(wcs, wcs.raDeg + 180, -wcs.decDeg)).toBeUndefined()
  })

  it('is absent where a header has none, another projection, or no area', () => {
    expect(wcsFromHeader(FitsHeader.empty)).toBeUndefined()
    const cards = reference.wcs[0]?.cards ?? {}
    expect(wcsFromHeader(FitsHeader.from({ ...cards, CTYPE1: 'RA---ZEA', CTYPE2: 'DEC--ZEA' }))).toBeUndefined()
    expect(wcsFromHeader(FitsHeader.from({ ...cards, CD1_1: 0, CD1_2: 0 }))).toBeUndefined()
  })

  it('knows the size of a pixel', () => {
    const cd = [-1 / 3600, 0, 0, 4 / 3600] as const
    expect(pixelScaleArcsec({ referencePixel: [0, 0], raDeg: 0, decDeg: 0, cd })).toBeCloseTo(2, 12)
  })
})

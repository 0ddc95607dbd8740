import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearestFirst, separationDeg } from './entries.ts'
import { openStore } from './openStore.ts'
import { sampleEntry, temporaryFolder } from './testing/samples.ts'

describe('places on the sky', () => {
  // astropy 5.2 SkyCoord.separation, by scripts/reference/separations.py.
  it.each([
    [10.684708, 41.26875, 10.685, 41.269, 3.326691195858548e-4],
    [359.9999, 0, 0.0001, 0, 2e-4],
    [0, 89.9999, 180, 89.9999, 2e-4],
    [83.633, 22.0145, 263.633, -22.0145, 180],
    [120, -89.5, 300, -89.9, 0.6],
    [201.2983, -47.4797, 201.3651, -43.0191, 4.4608474001719305],
  ])('are as far apart as astropy says: %f %f to %f %f', (ra1, dec1, ra2, dec2, expected) => {
    expect(separationDeg(ra1, dec1, ra2, dec2)).toBeCloseTo(expected, 9)
  })

  it('are found within a radius exactly as by looking at each, poles and 0h included', () => {
    using folder = temporaryFolder()
    using store = openStore(folder.path)
    const place = fc.record({
      raDeg: fc.oneof(fc.double({ min: 0, max: 359.999999, noNaN: true }), fc.constantFrom(0, 1e-7, 359.9999999)),
      decDeg: fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), fc.constantFrom(-90, 90, -89.999, 89.999, 0)),
    })
    const some = fc.sample(place, { numRuns: 300, seed: 7 })
    const all = some.map((at, index) => sampleEntry({ ...at, entryId: `e${index}`, name: `n${index}` }))
    store.commit(1, (tx) => {
      for (const entry of all) tx.putEntry(entry)
    })
    fc.assert(
      fc.property(place, fc.double({ min: 0, max: 40, noNaN: true }), ({ raDeg, decDeg }, radiusDeg) => {
        const found = store.entriesNear(raDeg, decDeg, radiusDeg).map((entry) => entry.entryId)
        const expected = nearestFirst(all, raDeg, decDeg, radiusDeg).map((entry) => entry.entryId)
        expect(found.toSorted()).toEqual(expected.toSorted())
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})

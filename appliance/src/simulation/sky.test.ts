import { describe, expect, it } from 'vitest'
import { separationDeg } from '../observations/ephemeris.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import type { PointSource } from './renderFrame.ts'
import { createSky, type SkyOptions, type TransientSchedule, transientMag } from './sky.ts'

const catalogue = openStarCatalogue()
const sky = (options: Partial<SkyOptions> = {}) => createSky({ seed: 7, catalogue, ...options })
const view = { radiusDeg: 0.4, atMs: 1_800_000_000_000, seconds: 30 }
const schedule: TransientSchedule = {
  epochMs: view.atMs,
  everySeconds: 600,
  count: 12,
  raDeg: 150,
  decDeg: 30,
  radiusDeg: 0.3,
  peakMag: [13, 15],
}
const key = (source: PointSource): string => `${source.raDeg} ${source.decDeg} ${source.mag}`

describe('the simulated sky', () => {
  it('is the same for everybody with the same seed, and another for another seed', () => {
    const place = { ...view, raDeg: 150, decDeg: 30 }
    expect(sky().sceneAt(place)).toEqual(sky().sceneAt(place))
    expect(sky({ seed: 8 }).sceneAt(place).galaxies).not.toEqual(sky().sceneAt(place).galaxies)
  })

  it.each([
    ['across RA 0', 359.95, 0.1, 12],
    ['near the north pole', 40, 220, 89.7],
    ['near the south pole', 359, 2, -89.2],
    ['in the middle of nowhere', 150, 150.3, -33],
  ])('has the same stars and galaxies in two views that overlap %s', (_, raA, raB, decDeg) => {
    const same = sky()
    const scenes = [raA, raB].map((raDeg) => same.sceneAt({ ...view, raDeg, decDeg }))
    const [a, b] = scenes as [(typeof scenes)[0], (typeof scenes)[0]]
    const inBoth = (source: PointSource): boolean =>
      [raA, raB].every((ra) => separationDeg(ra, decDeg, source.raDeg, source.decDeg) < view.radiusDeg)
    const shared = (list: readonly PointSource[]): string[] => list.filter(inBoth).map(key).sort()
    expect(shared(a.points).length).toBeGreaterThan(100)
    expect(shared(a.points)).toEqual(shared(b.points))
    expect(shared(a.galaxies)).toEqual(shared(b.galaxies))
  })

  it.each([0, 60, -75, 89.6])('is as dense at declination %d° as anywhere', (decDeg) => {
    const { points } = sky().sceneAt({ ...view, raDeg: 10, decDeg, radiusDeg: 1 })
    const squareDegrees = Math.PI
    const fainter = points.filter((star) => star.mag > 14 && star.mag < 16).length / squareDegrees
    // 60 a square degree to V 12, growing by 10^0.34 a magnitude (Allen's Astrophysical Quantities, high latitudes).
    const expected = 60 * (10 ** (0.34 * 4) - 10 ** (0.34 * 2))
    expect(Math.abs(fainter - expected)).toBeLessThan(4 * Math.sqrt(expected / squareDegrees))
  })

  it('holds the catalogue: 27 Tau is where SIMBAD has it', () => {
    const { points } = sky().sceneAt({ ...view, raDeg: 57.29, decDeg: 24.05 })
    const atlas = points.reduce((best, star) => (star.mag < best.mag ? star : best))
    expect(3600 * separationDeg(atlas.raDeg, atlas.decDeg, 57.290596, 24.053417)).toBeLessThan(0.2)
  })

  it('brings a transient at its onset and not in the frame before', () => {
    const own = sky({ transients: schedule })
    const all = own.transientsNear(150, 30, 1)
    expect(all.map((one) => one.onsetMs)).toEqual(Array.from({ length: 12 }, (_, k) => view.atMs + 600_000 * k))
    for (const one of all.slice(1, 4)) {
      const count = (atMs: number): number =>
        own
          .sceneAt({ raDeg: 150, decDeg: 30, radiusDeg: 0.4, seconds: 0, atMs })
          .points.filter((source) => source.raDeg === one.raDeg && source.decDeg === one.decDeg).length
      expect([count(one.onsetMs - 1), count(one.onsetMs)]).toEqual([0, 1])
    }
  })

  it('puts every transient in its field and some of them into galaxies', () => {
    const own = sky({ transients: { ...schedule, count: 200 } })
    const all = own.transientsNear(150, 30, 1)
    expect(all).toHaveLength(200)
    const hosts = own.sceneAt({ ...view, raDeg: 150, decDeg: 30 }).galaxies
    for (const one of all.filter((each) => each.inGalaxy)) {
      const nearest = Math.min(...hosts.map((host) => separationDeg(one.raDeg, one.decDeg, host.raDeg, host.decDeg)))
      expect(nearest * 3600).toBeLessThan(60)
    }
    expect(all.filter((one) => one.inGalaxy).length).toBeGreaterThan(20)
    expect(all.every((one) => one.peakMag >= 13 && one.peakMag <= 15)).toBe(true)
  })

  it('lets a transient fade and never shine before its onset', () => {
    const one = { id: 'x', raDeg: 0, decDeg: 0, onsetMs: 1000, peakMag: 14, inGalaxy: false }
    expect(transientMag(one, 999)).toBeUndefined()
    expect(transientMag(one, 1000)).toBe(14)
    expect(transientMag(one, 1000 + 86_400_000)!).toBeGreaterThan(14)
  })

  it('has a satellite in some frames and in most frames none', () => {
    const own = sky()
    const frames = Array.from({ length: 200 }, (_, k) =>
      own.sceneAt({ ...view, raDeg: 150, decDeg: 30, atMs: view.atMs + k * 30_000 }),
    )
    const crossed = frames.filter((scene) => scene.streaks.length > 0).length
    expect(crossed).toBeGreaterThan(5)
    expect(crossed).toBeLessThan(100)
  })

  it('has no satellite twice, where fast time lets exposures overlap', () => {
    const own = sky()
    const paths = Array.from(
      { length: 200 },
      (_, k) => own.sceneAt({ ...view, raDeg: 150, decDeg: 30, atMs: view.atMs + k * 2000 }).streaks,
    )
    const seen = paths.flat().map(({ from }) => `${from.raDeg} ${from.decDeg}`)
    expect(seen.length).toBeGreaterThan(5)
    expect(new Set(seen).size).toBe(seen.length)
  })

  it('has a seeing that changes slowly about its mean', () => {
    const own = sky()
    const values = Array.from({ length: 300 }, (_, k) => own.seeingArcsec(view.atMs + k * 60_000))
    expect(Math.min(...values)).toBeGreaterThan(3.5)
    expect(Math.max(...values)).toBeLessThan(6.5)
  })
})

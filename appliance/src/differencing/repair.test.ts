import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import { moffatStamp } from './moffat.ts'
import { replaceSaturated, saturatedBlobs } from './repair.ts'
import { StampSpline } from './spline.ts'

const [side, size] = [96, 41]

interface Seen {
  readonly fwhm: number
  readonly ratio: number
  readonly flux: number
  readonly neighbour: number
  readonly random: Random
  /** Of the PSF that the repair is told. */
  readonly toldFwhm?: number
}

/** A star at (47.7, 48.2) with a neighbour, saturated at 60,000 ADU. */
function sideOf(compute: Compute, { fwhm, ratio, flux, neighbour, random, toldFwhm }: Seen) {
  const half = (size - 1) / 2
  const [plane, mask] = [compute.float32(side, side), compute.uint16(side, side)]
  const { spline: seen } = starOf(fwhm)
  const truth = plane.data.map((_, k) => {
    const [x, y] = [k % side, Math.floor(k / side)]
    const star = flux * seen.at(x - 47.7 + half, y - 48.2 + half)
    return ratio * (star + neighbour * seen.at(x - 54.1 + half, y - 45 + half))
  })
  plane.data.forEach((_, k) => {
    plane.data[k] = Math.min(60_000, truth[k]! + Math.sqrt(100 + Math.max(0, truth[k]!)) * random.normal())
    if (plane.data[k]! >= 60_000) mask.data[k] = MaskFlag.saturated
  })
  const { stamp, spline, shape } = starOf(toldFwhm ?? fwhm)
  const psf = {
    ...{ kind: 'moffat' as const, degree: 0 as const, stars: 20, size, oversampling: 1, fwhmPixels: fwhm, shape },
    ...{ stampAt: () => stamp, movedBy: () => () => stamp, splineAt: () => spline, coreAt: () => spline },
  }
  return { plane, mask, psf, rmsAdu: 10, gainElectronsPerAdu: 1, fluxRatio: ratio, shift: [0, 0] as const, truth }
}

function starOf(fwhmPixels: number) {
  const shape = { fwhmPixels, e1: 0, e2: 0, beta: 3 }
  const nodes = moffatStamp(shape, size)
  const total = nodes.reduce((sum, value) => sum + value, 0)
  const stamp = nodes.map((value) => value / total)
  return { shape, stamp, spline: new StampSpline(stamp, size) }
}

test('a star that saturates one frame alone is painted as the other shows it, however wrong the PSF of the first', () => {
  using compute = createCompute({ threads: 1 })
  const random = createRandom('repair one')
  const star = { flux: 4e5, neighbour: 0, random }
  const sides = [
    sideOf(compute, { ...star, fwhm: 3, ratio: 1 }),
    sideOf(compute, { ...star, fwhm: 1.6, ratio: 10, toldFwhm: 1.9 }),
  ]
  const blobs = saturatedBlobs(compute, sides[0]!.mask, sides[1]!.mask)
  expect(replaceSaturated(sides, blobs)).toBe(1)
  const { plane, truth } = sides[0]!
  for (const at of [47, 48, 49].map((y) => y * side + 48))
    expect(Math.abs(plane.data[at]! / truth[at]! - 1)).toBeLessThan(0.01)
})

test.each([0, 1e5, 3e5])(
  'a saturated core is painted as it was, with a neighbour of %d ADU in its wings',
  (neighbour) => {
    using compute = createCompute({ threads: 1 })
    const random = createRandom(`repair ${neighbour}`)
    const sides = [
      { fwhm: 3, ratio: 1 },
      { fwhm: 2.2, ratio: 1.15 },
    ].map((frame) => sideOf(compute, { ...frame, flux: 3e6, neighbour, random }))
    const blobs = saturatedBlobs(compute, sides[0]!.mask, sides[1]!.mask)
    expect(blobs).toHaveLength(1)
    expect(replaceSaturated(sides, blobs)).toBe(1)
    for (const { plane, truth } of sides) {
      const at = 48 * side + 48
      expect(Math.abs(plane.data[at]! / truth[at]! - 1)).toBeLessThan(neighbour > 0 ? 0.05 : 0.02)
    }
  },
)

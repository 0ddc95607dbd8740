import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import { moffatStamp } from './moffat.ts'
import { replaceSaturated, saturatedBlobs } from './repair.ts'
import { StampSpline } from './spline.ts'

const [side, size] = [96, 41]

test.each([0, 1e5, 3e5])(
  'a saturated core is painted as it was, with a neighbour of %d ADU in its wings',
  (neighbour) => {
    using compute = createCompute({ threads: 1 })
    const random = createRandom(`repair ${neighbour}`)
    const sides = [
      { fwhm: 3, ratio: 1 },
      { fwhm: 2.2, ratio: 1.15 },
    ].map(({ fwhm, ratio }) => {
      const nodes = moffatStamp({ fwhmPixels: fwhm, e1: 0, e2: 0, beta: 3 }, size)
      const total = nodes.reduce((sum, value) => sum + value, 0)
      const stamp = nodes.map((value) => value / total)
      const spline = new StampSpline(stamp, size)
      const [plane, mask] = [compute.float32(side, side), compute.uint16(side, side)]
      const half = (size - 1) / 2
      const truth = plane.data.map((_, k) => {
        const [x, y] = [k % side, Math.floor(k / side)]
        const star = 3e6 * spline.at(x - 47.7 + half, y - 48.2 + half)
        return ratio * (star + neighbour * spline.at(x - 54.1 + half, y - 45 + half))
      })
      plane.data.forEach((_, k) => {
        plane.data[k] = Math.min(60_000, truth[k]! + Math.sqrt(100 + Math.max(0, truth[k]!)) * random.normal())
        if (plane.data[k]! >= 60_000) mask.data[k] = MaskFlag.saturated
      })
      const psf = {
        kind: 'moffat' as const,
        degree: 0 as const,
        stars: 20,
        size,
        oversampling: 1,
        fwhmPixels: fwhm,
        shape: { fwhmPixels: fwhm, e1: 0, e2: 0, beta: 3 },
        stampAt: () => stamp,
        movedBy: () => () => stamp,
        splineAt: () => spline,
        coreAt: () => spline,
      }
      return { plane, mask, psf, rmsAdu: 10, fluxRatio: ratio, shift: [0, 0] as const, truth }
    })
    const blobs = saturatedBlobs(compute, sides[0]!.mask, sides[1]!.mask)
    expect(blobs).toHaveLength(1)
    expect(replaceSaturated(sides, blobs)).toBe(1)
    for (const { plane, truth } of sides) {
      const at = 48 * side + 48
      expect(Math.abs(plane.data[at]! / truth[at]! - 1)).toBeLessThan(neighbour > 0 ? 0.05 : 0.02)
    }
  },
)

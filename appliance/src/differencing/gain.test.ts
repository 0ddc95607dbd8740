import { afterAll, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { estimateGain } from './gain.ts'
import { photometricStars, prepare } from './prepare.ts'
import { measurePsf, psfRadius } from './psf.ts'
import { makeScene } from './testScene.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

test.each([
  { fwhmSciencePixels: 1.4, galaxiesPerMpix: 0, factor: 1.5 },
  { fwhmSciencePixels: 3, galaxiesPerMpix: 0, factor: 1.5 },
  // Every fifth of the bright ones is a galaxy, or a star on one.
  { fwhmSciencePixels: 3, galaxiesPerMpix: 200, factor: 2 },
])(
  'stars of FWHM $fwhmSciencePixels px among $galaxiesPerMpix galaxies tell the gain within a factor of $factor',
  ({ fwhmSciencePixels, galaxiesPerMpix, factor }) => {
    using _scratch = compute.scope()
    // The gain of the frame is 1: it is in electrons; the level of its sky is left out, as a calibrated frame's may be.
    const { science } = makeScene(compute, {
      width: 1024,
      height: 1024,
      seed: 'gain',
      fwhmSciencePixels,
      starsPerMpix: 800,
      galaxiesPerMpix,
    })
    const {
      plane,
      mask,
      rmsAdu,
      stars: all,
      fwhmPixels,
    } = prepare(compute, { ...science, header: FitsHeader.from({}) })
    const stars = photometricStars(all)
    const psf = measurePsf(compute, { plane, mask, stars, rmsAdu, radius: psfRadius(fwhmPixels) })
    const gain = estimateGain({ plane, mask, psf, rmsAdu }, 0, stars)
    expect(gain.from).toBe('stars')
    expect(Math.abs(Math.log(gain.electronsPerAdu))).toBeLessThan(Math.log(factor))
  },
)

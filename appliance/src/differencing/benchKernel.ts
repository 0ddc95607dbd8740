import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { BenchRow } from '../contract/bench.ts'
import { createCompute } from '../frames/compute.ts'
import { matchKernel } from './kernelMatch.ts'
import { photometricStars, prepare } from './prepare.ts'
import { makeScene } from './testScene.ts'

/** What the matching kernel costs beside what proper subtraction costs alone: it is fitted by one thread, whatever the frame. */
const sides = [2048, 4096] as const
const runs = 3

export function benchKernel(clock: Clock): BenchRow[] {
  return sides.map((side) => {
    const { ms, stars } = kernelTime(clock, side)
    return {
      ...{
        room: 'differencing',
        figure: `matching kernel, ${stars} stars`,
        value: ms,
        unit: 'ms',
        threads: 1,
      },
      ...{ frame: `${side}x${side}`, peer: null, peerValue: null, ratio: null, n: runs },
    }
  })
}

/** The best of several after one to warm up. Throws a RangeError when the scene gives no kernel. */
function kernelTime(clock: Clock, side: number): { readonly ms: number; readonly stars: number } {
  using compute = createCompute({ threads: 1 })
  const field = { width: side, height: side, seed: 'bench/kernel', fwhmReferencePixels: 2, starsPerMpix: 400 }
  const { science, reference, fluxRatio } = makeScene(compute, field)
  const [broad, sharp] = [prepare(compute, science), prepare(compute, reference)]
  const input = {
    ...{ sharp: sharp.plane, broad: broad.plane, mask: broad.mask, stars: photometricStars(broad.stars) },
    ...{ sharpRmsAdu: sharp.rmsAdu, broadRmsAdu: broad.rmsAdu, ratio: 1 / fluxRatio },
    ...{ sharpGain: sharp.gainElectronsPerAdu ?? 1, broadGain: broad.gainElectronsPerAdu ?? 1 },
    ...{ sharpFwhmPixels: sharp.fwhmPixels, broadFwhmPixels: broad.fwhmPixels },
  }
  let best = { ms: Number.POSITIVE_INFINITY, stars: 0 }
  for (let run = 0; run <= runs; run++) {
    const start = clock.monotonic()
    const kernel = matchKernel(input)
    const ms = clock.monotonic() - start
    if (!kernel.ok) throw new RangeError(`no kernel on the bench's own sky: ${kernel.reason}`)
    if (run > 0 && ms < best.ms) best = { ms, stars: kernel.stars }
  }
  return best
}

import { availableParallelism } from 'node:os'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { BenchRow } from '../contract/bench.ts'
import { createCompute } from '../frames/compute.ts'
import { photometricStars, prepare } from './prepare.ts'
import { measurePsf, psfRadius } from './psf.ts'
import { makeScene } from './testScene.ts'

/** What measuring the PSF of a frame costs: two of them are measured for each difference. */
const sides = [2048, 4096] as const
/** Sampled well, and so little that nodes lie between the pixels. */
const widths = [2.6, 1.6] as const
const runs = 7

type Timer = Pick<Clock, 'monotonic'>

/** On one thread and on all. */
export function benchPsf(clock: Timer): BenchRow[] {
  return sides.flatMap((side) => widths.flatMap((fwhmPixels) => rowsOf(clock, side, fwhmPixels)))
}

function rowsOf(clock: Timer, side: number, fwhmPixels: number): BenchRow[] {
  const figure = `PSF of a frame, FWHM ${fwhmPixels} px`
  const shared = { room: 'differencing', figure, frame: `${side}x${side}`, peer: null, peerValue: null, ratio: null }
  return [...new Set([1, availableParallelism()])].flatMap((threads) => {
    const { ms, cpuMs } = costOf(clock, side, fwhmPixels, threads)
    const row = { ...shared, threads, n: runs }
    return [
      { ...row, value: ms, unit: 'ms' },
      { ...row, value: cpuMs, unit: 'CPU ms' },
    ]
  })
}

/** Medians, after one run to warm up; CPU time is that of all threads. */
function costOf(
  clock: Timer,
  side: number,
  fwhmPixels: number,
  threads: number,
): { readonly ms: number; readonly cpuMs: number } {
  using compute = createCompute({ threads })
  const scene = { width: side, height: side, seed: `bench-psf-${side}`, fwhmSciencePixels: fwhmPixels }
  const { plane, mask, stars, rmsAdu } = prepare(compute, makeScene(compute, scene).science)
  const radius = psfRadius(Math.max(3, fwhmPixels))
  const spent = Array.from({ length: runs + 1 }, () => {
    const cpu = process.cpuUsage()
    const start = clock.monotonic()
    measurePsf(compute, { plane, mask, stars: photometricStars(stars), rmsAdu, radius })
    const used = process.cpuUsage(cpu)
    return { ms: clock.monotonic() - start, cpuMs: (used.user + used.system) / 1000 }
  }).slice(1)
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  return { ms: middle(spent.map(({ ms }) => ms)), cpuMs: middle(spent.map(({ cpuMs }) => cpuMs)) }
}

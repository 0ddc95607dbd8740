import { availableParallelism } from 'node:os'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { BenchRow } from '../contract/bench.ts'
import { benchCalibrate } from './benchCalibrate.ts'
import { benchCosmicRayQuality, benchCosmicRays } from './benchCosmicRays.ts'
import { benchPhotometry } from './benchPhotometry.ts'
import { benchSolve } from './benchSolve.ts'
import { benchStars } from './benchStars.ts'

function memoryRow(): BenchRow {
  return {
    room: 'preprocessing',
    figure: 'peak RSS of the process, calibration and stars',
    value: process.resourceUsage().maxRSS / 1024,
    unit: 'MiB',
    threads: availableParallelism(),
    frame: '4096x4096',
    peer: null,
    peerValue: null,
    ratio: null,
    n: 1,
  }
}

/** What a raw frame costs until it is calibrated, measured and solved: figures of 2048² and 4096² frames with their peers. */
export async function benchPreprocessing(options: { readonly quality: boolean }): Promise<BenchRow[]> {
  const clock = systemClock
  const rows = [...(await benchCalibrate({ clock })), ...(await benchStars({ clock }))]
  rows.push(...(await benchCosmicRays({ clock })), memoryRow())
  if (options.quality) rows.push(...(await benchCosmicRayQuality()))
  rows.push(...(await benchSolve({ ...options, clock })))
  rows.push(...(await benchPhotometry({ clock })))
  return rows
}

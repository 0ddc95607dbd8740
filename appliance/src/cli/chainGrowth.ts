import { availableParallelism } from 'node:os'
import type { BenchRow } from '../contract/bench.ts'
import type { ChainCost } from './chainBench.ts'
import type { ChainSize } from './chainScene.ts'

/** How the cost of the whole chain grows with the pixels of a frame and with the stars in it. */

/** A full-frame sensor of 61 Mpix. */
const largest: ChainSize = { width: 9576, height: 6388 }
const starsPerMpix = [500, 2000, 8000] as const
const starFrame = { width: 2048, height: 2048 } as const

interface Measuring {
  withScene<T>(size: ChainSize, work: (folder: string) => Promise<T>): Promise<T>
  chainCost(folder: string, threads: number, count: number): Promise<ChainCost>
  readonly runs: number
}

/** `costs`: of smaller frames, measured before. */
export async function benchChainGrowth(
  costs: readonly { readonly pixels: number; readonly cost: ChainCost }[],
  measuring: Measuring,
): Promise<BenchRow[]> {
  return [...(await againstPixels(costs, measuring)), ...(await againstStars(measuring))]
}

const shared = {
  ...{ room: 'chain', threads: availableParallelism(), peer: null, peerValue: null, ratio: null },
} as const

async function againstPixels(
  costs: readonly { readonly pixels: number; readonly cost: ChainCost }[],
  { withScene, chainCost }: Measuring,
): Promise<BenchRow[]> {
  const cost = await withScene(largest, (folder) => chainCost(folder, availableParallelism(), 1))
  const frame = `${largest.width}x${largest.height}`
  const all = [...costs, { pixels: largest.width * largest.height, cost }]
  return [
    ...rowsOf('raw to candidates', frame, cost, 1),
    { ...shared, figure: 'raw to candidates, peak RSS', frame, value: cost.rssMiB, unit: 'MiB', n: 1 },
    ...slopeRows(
      'raw to candidates against pixels',
      `to ${frame}`,
      all.map((one) => [one.pixels, one.cost]),
    ),
  ]
}

async function againstStars({ withScene, chainCost, runs }: Measuring): Promise<BenchRow[]> {
  const frame = `${starFrame.width}x${starFrame.height}`
  const all: (readonly [number, ChainCost])[] = []
  for (const stars of starsPerMpix) {
    const size = { ...starFrame, starsPerMpix: stars }
    all.push([stars, await withScene(size, (folder) => chainCost(folder, availableParallelism(), runs))])
  }
  return [
    ...all.flatMap(([stars, cost]) => rowsOf(`raw to candidates, ${stars} stars/Mpix`, frame, cost, runs)),
    ...slopeRows('raw to candidates against stars', frame, all),
  ]
}

function rowsOf(figure: string, frame: string, cost: ChainCost, n: number): BenchRow[] {
  return [
    { ...shared, figure, frame, value: cost.ms, unit: 'ms', n },
    { ...shared, figure, frame, value: cost.cpuMs, unit: 'CPU ms', n },
  ]
}

/** 1 where cost grows as what it is drawn against does. */
function slopeRows(figure: string, frame: string, costs: readonly (readonly [number, ChainCost])[]): BenchRow[] {
  const slope = (of: (cost: ChainCost) => number): number => logSlope(costs.map(([x, cost]) => [x, of(cost)]))
  const row = { ...shared, frame, unit: 'log-log slope', n: costs.length }
  return [
    { ...row, figure, value: slope(({ ms }) => ms) },
    { ...row, figure: `${figure}, CPU`, value: slope(({ cpuMs }) => cpuMs) },
  ]
}

/** Of the straight line through ln y against ln x by least squares. */
export function logSlope(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (at: 0 | 1): number => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [middleX, middleY] = [mean(0), mean(1)]
  const along = logs.reduce((sum, [x, y]) => sum + (x - middleX) * (y - middleY), 0)
  return along / logs.reduce((sum, [x]) => sum + (x - middleX) ** 2, 0)
}

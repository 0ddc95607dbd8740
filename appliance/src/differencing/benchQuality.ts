import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { realDataFolder } from '../frames/reference.ts'
import { differenceFrames } from './difference.ts'
import { measureHatSeries, type SeriesResult } from './quality/hatSeries.ts'
import { measureRealPairs, type RealPairResult } from './quality/realPairs.ts'
import { type QualityScene, qualityScenes } from './quality/scenes.ts'
import {
  completeness,
  falsePerMpix,
  halfComplete,
  type ScoredFrame,
  scoreFrame,
  thresholdFor,
} from './quality/score.ts'
import { makeScene } from './testScene.ts'

/**
 * How good differences are: false positives, completeness and the noise of S_corr over the skies of quality/scenes.ts (2048²
 * each) and on real pairs where they are at hand. One process a scene, with a limit to its memory.
 */
const side = 2048
const childMs = 1_200_000
const pixelMemoryBytes = 2 ** 31
const outputBytes = 1 << 20
const realName = 'real'

/** Rows of every scene, or of those named, and of the real pairs. */
export async function benchDifferencingQuality(names?: readonly string[]): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const all = [...qualityScenes.map(({ name }) => name), realName]
  for (const name of all) if (!names || names.includes(name)) rows.push(...(await inChild(name)))
  return rows
}

async function inChild(name: string): Promise<BenchRow[]> {
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), name]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: childMs, maxBuffer: outputBytes })
  return JSON.parse(stdout) as BenchRow[]
}

interface Facts {
  readonly frame: string
  readonly n: number
}

function row({ frame, n }: Facts, figure: string, unit: string, value: number): BenchRow {
  const none = { peer: null, peerValue: null, ratio: null }
  return { room: 'differencing', figure, value, unit, threads: 1, frame, ...none, n }
}

interface Measured {
  readonly scored: ScoredFrame
  /** Of the flux ratio: measured / true − 1. */
  readonly ratioError: number
}

function measureSeed(compute: Compute, { options }: QualityScene, seed: string): Measured {
  using _scratch = compute.scope()
  const scene = makeScene(compute, { ...options, width: side, height: side, seed })
  const { scorr, mask, summary } = differenceFrames(compute, scene.science, scene.reference)
  return { scored: scoreFrame(scorr, mask, scene.transients), ratioError: summary.fluxRatio / scene.fluxRatio - 1 }
}

function sceneRows(compute: Compute, scene: QualityScene): BenchRow[] {
  const measured = scene.seeds.map((seed) => measureSeed(compute, scene, seed))
  const frames = measured.map(({ scored }) => scored)
  const add = row.bind(undefined, { frame: `scene ${scene.name}`, n: frames.length })
  const mean = (of: (frame: ScoredFrame) => number): number =>
    frames.reduce((sum, frame) => sum + of(frame), 0) / frames.length
  const quiet = thresholdFor(frames, 1)
  const ringPixels = mean(({ ring }) => ring.pixels)
  return [
    ...[4, 4.5, 5, 6].map((sigma) => add(`false positives above ${sigma}`, '1/Mpix', falsePerMpix(frames, sigma))),
    add('negatives below −5', '1/Mpix', falsePerMpix(frames, 5, -1)),
    ...[5, 6, 7, 8, 10, 12, 15].map((snr) =>
      add(`completeness at S/N ${snr}`, '%', 100 * completeness(frames, snr, 5)),
    ),
    add('S/N of 50 % completeness', 'S/N', halfComplete(frames, 5)),
    add('threshold for 1 false positive/Mpix', 'S_corr', quiet),
    add('S/N of 50 % completeness there', 'S/N', halfComplete(frames, quiet)),
    add(
      'MAD of S_corr',
      'S_corr',
      mean(({ sigma }) => sigma),
    ),
    add('5–10 px from saturation beyond ±5', '% of pixels', (100 * mean(({ ring }) => ring.loud)) / ringPixels),
    add('flux ratio, largest error', '%', 100 * Math.max(...measured.map((m) => Math.abs(m.ratioError)))),
  ]
}

/** The frames of the DECam pair hold one true brightening; see the manifest beside them. */
const brightening = { x: 130, y: 128, withinPixels: 2.5 } as const
const decamPairs = {
  'DECam stacks': ['stack04', 'stack18'],
  'DECam single a': ['OBS04a', 'OBS18a'],
  'DECam single b': ['OBS04b', 'OBS18b'],
} as const

function decamRows(compute: Compute, folder: string): BenchRow[] {
  return Object.entries(decamPairs).flatMap(([name, [science, reference]]) => {
    using _scratch = compute.scope()
    const read = (file: string) => readFrame(compute, `${folder}/${file}.fits`)
    const { candidates } = differenceFrames(compute, read(science), read(reference))
    const positive = candidates.filter(({ scorr }) => scorr > 0)
    const { x, y, withinPixels } = brightening
    const found = positive.find((c) => Math.hypot(c.x - x, c.y - y) < withinPixels)
    const add = row.bind(undefined, { frame: `pair ${name}`, n: 1 })
    return [
      add('brightening', 'S_corr', found?.scorr ?? 0),
      add('other positives', 'count', positive.length - (found ? 1 : 0)),
    ]
  })
}

function pairRows(result: RealPairResult): BenchRow[] {
  const add = row.bind(undefined, { frame: `pair ${result.name}`, n: 1 })
  return [
    add('false positives above 5', '1/Mpix', result.falseAbove5),
    add('false positives above 6', '1/Mpix', result.falseAbove6),
    add(`completeness at S/N 8, threshold ${result.threshold}`, '%', 100 * result.complete8),
    add(`completeness at S/N 10, threshold ${result.threshold}`, '%', 100 * result.complete10),
    add('MAD of S_corr', 'S_corr', result.scorrMad),
  ]
}

function seriesRows(result: SeriesResult): BenchRow[] {
  const facts = { frame: `pair ${result.name}`, n: 1 }
  return [...pairRows(result), row(facts, 'completeness at S/N 8, threshold 5', '%', 100 * result.complete8Above5)]
}

function realRows(compute: Compute): BenchRow[] {
  const data = realDataFolder()
  if (!data) return []
  const decam = `${data}pairs/decam`
  return [
    ...(existsSync(decam) ? decamRows(compute, decam) : []),
    ...measureRealPairs(compute, `${data}pairs`).flatMap(pairRows),
    ...measureHatSeries(compute, `${data}series/hatp32`).flatMap(seriesRows),
  ]
}

if (import.meta.main) {
  using compute = createCompute({ threads: 1, maximumBytes: pixelMemoryBytes })
  const [name] = process.argv.slice(2)
  const scene = qualityScenes.find((each) => each.name === name)
  process.stdout.write(JSON.stringify(scene ? sceneRows(compute, scene) : realRows(compute)))
}

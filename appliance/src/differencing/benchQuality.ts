import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { realDataFolder } from '../frames/reference.ts'
import { differenceFrames } from './difference.ts'
import { type Flux, fluxBias, measureFluxes, pullWidth } from './quality/fluxes.ts'
import { measureHatSeries } from './quality/hatSeries.ts'
import { openPeaks, peerDifference } from './quality/peer.ts'
import { gainsOf, measureRealPairs, type RealPairResult, type Score } from './quality/realPairs.ts'
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

function row({ frame, n }: Facts, figure: string, unit: string, value: number, other: Other = {}): BenchRow {
  const { peer = null, peerValue = null } = other
  const ratio = peerValue === null ? null : value / peerValue
  return { room: 'differencing', figure, value, unit, threads: 1, frame, peer, peerValue, ratio, n }
}

/** What the peer has; a peer without a value names the command that installs it, or why it failed. */
interface Other {
  readonly peer?: string | null
  readonly peerValue?: number | null
}

interface Measured {
  readonly scored: ScoredFrame
  /** Of the flux ratio: measured / true − 1. */
  readonly ratioError: number
  readonly fluxes: readonly Flux[]
  readonly peer: string
  readonly peerScored: ScoredFrame | undefined
}

function measureSeed(compute: Compute, quality: QualityScene, seed: string): Measured {
  using _scratch = compute.scope()
  const scene = makeScene(compute, { ...quality.options, width: side, height: side, seed })
  const other = peerDifference(compute, scene.science, scene.reference)
  const { scorr, mask, summary } = differenceFrames(compute, scene.science, scene.reference)
  return {
    scored: scoreFrame(scorr, mask, scene.transients),
    ratioError: summary.fluxRatio / scene.fluxRatio - 1,
    fluxes: measureFluxes(compute, quality, `${seed} fluxes`, side),
    peer: typeof other === 'string' ? other : other.peer,
    peerScored: typeof other === 'string' ? undefined : scoreFrame(other.scorr, mask, scene.transients),
  }
}

type Figure = readonly [figure: string, unit: string, of: (frames: readonly ScoredFrame[]) => number]

const meanOf = (frames: readonly ScoredFrame[], of: (frame: ScoredFrame) => number): number =>
  frames.reduce((sum, frame) => sum + of(frame), 0) / frames.length

/** What can be said of any S_corr. */
const figures: readonly Figure[] = [
  ...[4, 4.5, 5, 6].map(
    (sigma): Figure => [`false positives above ${sigma}`, '1/Mpix', (frames) => falsePerMpix(frames, sigma)],
  ),
  ['negatives below −5', '1/Mpix', (frames) => falsePerMpix(frames, 5, -1)],
  ...[5, 6, 7, 8, 10, 12, 15].map(
    (snr): Figure => [`completeness at S/N ${snr}`, '%', (frames) => 100 * completeness(frames, snr, 5)],
  ),
  ['S/N of 50 % completeness', 'S/N', (frames) => halfComplete(frames, 5)],
  ['threshold for 1 false positive/Mpix', 'S_corr', (frames) => thresholdFor(frames, 1)],
  ['S/N of 50 % completeness there', 'S/N', (frames) => halfComplete(frames, thresholdFor(frames, 1))],
  ['MAD of S_corr', 'S_corr', (frames) => meanOf(frames, ({ sigma }) => sigma)],
  [
    '5–10 px from saturation beyond ±5',
    '% of pixels',
    (frames) => (100 * meanOf(frames, ({ ring }) => ring.loud)) / meanOf(frames, ({ ring }) => ring.pixels),
  ],
]

function sceneRows(compute: Compute, scene: QualityScene): BenchRow[] {
  const measured = scene.seeds.map((seed) => measureSeed(compute, scene, seed))
  const frames = measured.map(({ scored }) => scored)
  const others = measured.map(({ peerScored }) => peerScored).filter((scored) => scored !== undefined)
  const { peer } = measured.find(({ peerScored }) => peerScored) ?? measured[0]!
  const facts = { frame: `scene ${scene.name}`, n: frames.length }
  const fluxes = measured.flatMap((one) => one.fluxes)
  const pulls = pullWidth(fluxes)
  return [
    ...figures.map(([figure, unit, of]) =>
      row(facts, figure, unit, of(frames), {
        peer,
        peerValue: others.length === frames.length ? finite(of(others)) : null,
      }),
    ),
    row(facts, 'flux ratio, largest error', '%', 100 * Math.max(...measured.map((m) => Math.abs(m.ratioError)))),
    row(facts, 'flux of new sources, bias', '%', 100 * fluxBias(fluxes)),
    row(facts, 'width of their pulls', 'σ', pulls.width),
    row(facts, 'error of that width', 'σ', pulls.error),
  ]
}

/** JSON has no infinity: a threshold that never finds half is a value that is not there. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
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
    const difference = differenceFrames(compute, read(science), read(reference))
    const other = peerDifference(compute, read(science), read(reference), gainsOf(difference))
    const positive = difference.candidates.filter(({ scorr }) => scorr > 0)
    const isIt = ({ x, y }: { x: number; y: number }): boolean =>
      Math.hypot(x - brightening.x, y - brightening.y) < brightening.withinPixels
    const found = positive.find(isIt)
    const facts = { frame: `pair ${name}`, n: 1 }
    const peaks =
      typeof other === 'string' ? undefined : openPeaks(other.scorr, difference.mask).filter((p) => p.peak > 5)
    const peer = typeof other === 'string' ? other : other.peer
    return [
      row(facts, 'brightening', 'S_corr', found?.scorr ?? 0, {
        peer,
        peerValue: peaks ? (peaks.find(isIt)?.peak ?? 0) : null,
      }),
      row(facts, 'other positives', 'count', positive.length - (found ? 1 : 0), {
        peer,
        peerValue: peaks ? peaks.filter((peak) => !isIt(peak)).length : null,
      }),
    ]
  })
}

function pairRows(result: RealPairResult): BenchRow[] {
  const { peer = null, peerScore, threshold } = result
  const add = (figure: string, unit: string, of: (score: Score) => number): BenchRow =>
    row({ frame: `pair ${result.name}`, n: 1 }, figure, unit, of(result), {
      peer,
      peerValue: peerScore ? of(peerScore) : null,
    })
  return [
    add('false positives above 5', '1/Mpix', (score) => score.falseAbove5),
    add('false positives above 6', '1/Mpix', (score) => score.falseAbove6),
    add('completeness at S/N 8, threshold 5', '%', (score) => 100 * score.complete8Above5),
    ...(threshold === 5
      ? []
      : [add(`completeness at S/N 8, threshold ${threshold}`, '%', (score) => 100 * score.complete8)]),
    add(`completeness at S/N 10, threshold ${threshold}`, '%', (score) => 100 * score.complete10),
    row({ frame: `pair ${result.name}`, n: 1 }, 'MAD of S_corr', 'S_corr', result.scorrMad),
  ]
}

function realRows(compute: Compute): BenchRow[] {
  const data = realDataFolder()
  if (!data) return []
  const decam = `${data}pairs/decam`
  return [
    ...(existsSync(decam) ? decamRows(compute, decam) : []),
    ...measureRealPairs(compute, `${data}pairs`, true).flatMap(pairRows),
    ...measureHatSeries(compute, `${data}series/hatp32`, { withPeer: true }).flatMap(pairRows),
  ]
}

if (import.meta.main) {
  using compute = createCompute({ threads: 1, maximumBytes: pixelMemoryBytes })
  const [name] = process.argv.slice(2)
  const scene = qualityScenes.find((each) => each.name === name)
  process.stdout.write(JSON.stringify(scene ? sceneRows(compute, scene) : realRows(compute)))
}

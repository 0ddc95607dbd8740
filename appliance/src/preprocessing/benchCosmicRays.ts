import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import {
  type CosmicRayScene,
  type CosmicRayScore,
  cosmicRayScene,
  sceneCamera,
  scoreCosmicRays,
} from './cosmicRayScene.ts'
import { cosmicRays } from './cosmicRays.ts'

/** Cosmic rays beside astroscrappy on the same frames: what they cost, and how well they are found. */
const sides = [2048, 4096] as const
const runs = 7
const peerRuns = 2
const qualitySide = 1500
const qualitySeeds = 3
const widths = [1.2, 1.5, 1.8, 2.2, 2.6, 3, 4] as const
const python = '/usr/bin/python3'
const script = fileURLToPath(new URL('../../../scripts/reference/bench_cosmic_rays.py', import.meta.url))
const missing = 'apt-get install python3-astroscrappy'

interface PeerFrame {
  readonly cpuMs: number
  readonly ms: number
  /** 1 where it found a cosmic ray. */
  readonly mask: Uint8Array
}

interface Peer {
  readonly name: string
  readonly frames: readonly PeerFrame[]
}

/** Undefined without Python or astroscrappy. A script that fails otherwise throws `bench/peers`. */
async function askPeer(scenes: readonly CosmicRayScene[], timedRuns: number): Promise<Peer | undefined> {
  if (!existsSync(python)) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-cosmic-rays-'))
  try {
    const paths = scenes.map((_, n) => join(folder, `${n}.f32`))
    scenes.forEach(({ frame }, n) => {
      writeFileSync(paths[n]!, frame.science.data)
    })
    const args = paths.flatMap((path, n) => [String(scenes[n]!.frame.width), path])
    const { stdout } = await promisify(execFile)(python, [script, String(timedRuns), ...args], { timeout: 300_000 })
    const { peer, frames } = JSON.parse(stdout) as { peer: string | null; frames: { cpuMs: number; ms: number }[] }
    if (peer === null) return undefined
    return { name: peer, frames: frames.map((times, n) => ({ ...times, mask: readFileSync(`${paths[n]!}.mask`) })) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${script} failed: ${reason}`, { cause })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The least of `runs` runs after one to warm up. */
function timed(compute: Compute, scene: CosmicRayScene, clock: Clock) {
  const infinite = Number.POSITIVE_INFINITY
  const best = { ms: infinite, cpuMs: infinite, callerCpuMs: infinite }
  for (let run = 0; run <= runs; run++) {
    using _planes = compute.scope()
    const cpu = process.cpuUsage()
    const caller = process.threadCpuUsage()
    const start = clock.monotonic()
    cosmicRays(compute, scene.frame, { ...sceneCamera, fwhmPixels: scene.fwhmPixels })
    const ms = clock.monotonic() - start
    const used = process.cpuUsage(cpu)
    const usedByCaller = process.threadCpuUsage(caller)
    if (run === 0) continue
    best.ms = Math.min(best.ms, ms)
    best.cpuMs = Math.min(best.cpuMs, (used.user + used.system) / 1000)
    best.callerCpuMs = Math.min(best.callerCpuMs, (usedByCaller.user + usedByCaller.system) / 1000)
  }
  return best
}

function row(figure: string, unit: string, value: number, peer: Peer | undefined, rest: Partial<BenchRow>): BenchRow {
  const peerValue = rest.peerValue ?? null
  const ratio = peerValue === null || peerValue === 0 ? null : value / peerValue
  const name = peer?.name ?? missing
  return {
    room: 'preprocessing',
    figure,
    value,
    unit,
    threads: 1,
    frame: null,
    peer: name,
    n: 1,
    ...rest,
    peerValue,
    ratio,
  }
}

/** Milliseconds for 2048² and 4096² frames on one thread and two, beside astroscrappy on one. */
export async function benchCosmicRays({ clock }: { readonly clock: Clock }): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const side of sides) {
    let peer: Peer | undefined
    for (const threads of [1, 2]) {
      using compute = createCompute({ threads })
      const scene = cosmicRayScene(compute, { seed: 'bench', side, fwhmPixels: 3 })
      if (threads === 1) peer = await askPeer([scene], peerRuns)
      const ours = timed(compute, scene, clock)
      const rest = { threads, frame: `${side}x${side}`, n: runs }
      const theirs = peer?.frames[0]
      rows.push(
        row('cosmic rays', 'ms', ours.ms, peer, { ...rest, peerValue: theirs?.ms ?? null }),
        row('cosmic rays', 'CPU ms', ours.cpuMs, peer, { ...rest, peerValue: theirs?.cpuMs ?? null }),
        // What two free cores would take: it does not depend on what else the machine is doing.
        row('cosmic rays, CPU of the calling thread', 'CPU ms', ours.callerCpuMs, undefined, { ...rest, peer: null }),
      )
    }
  }
  return rows
}

/** Recall, false pixels and touched stars for stars of several widths, of ours with the width known and of astroscrappy. */
export async function benchCosmicRayQuality(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const fwhmPixels of widths) {
    using compute = createCompute({ threads: 1 })
    const scenes = Array.from({ length: qualitySeeds }, (_, seed) =>
      cosmicRayScene(compute, { seed: `quality ${fwhmPixels} ${seed}`, side: qualitySide, fwhmPixels }),
    )
    const peer = await askPeer(scenes, 0)
    const ours = scenes.map((scene) => {
      const { mask } = cosmicRays(compute, scene.frame, { ...sceneCamera, fwhmPixels }).frame
      return scoreCosmicRays(scene, (at) => (mask.data[at]! & MaskFlag.cosmicRay) !== 0)
    })
    const theirs = peer?.frames.map(({ mask }, n) => scoreCosmicRays(scenes[n]!, (at) => mask[at] === 1))
    for (const [figure, [unit, of]] of Object.entries(qualityFigures)) {
      const rest = { frame: `FWHM ${fwhmPixels} px`, n: qualitySeeds, peerValue: theirs ? of(theirs) : null }
      rows.push(row(`cosmic rays: ${figure}`, unit, of(ours), peer, rest))
    }
  }
  return rows
}

type Figure = readonly [unit: string, of: (scores: readonly CosmicRayScore[]) => number]

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

const qualityFigures: Readonly<Record<string, Figure>> = {
  'tracks found': ['share', (scores) => mean(scores.map((score) => score.trackRecall))],
  'pixels found': ['share', (scores) => mean(scores.map((score) => score.pixelRecall))],
  'false pixels': ['/Mpix', (scores) => mean(scores.map((score) => score.falsePerMpix))],
  purity: ['share', (scores) => mean(scores.map((score) => score.purity))],
  'stars touched': [
    '%',
    (scores) => (100 * mean(scores.map((score) => score.starsTouched))) / mean(scores.map((score) => score.stars)),
  ],
}

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import type { Plane } from '../frames/plane.ts'
import { measureBackground } from './background.ts'
import { benchCosmicRayQuality, benchCosmicRays } from './benchCosmicRays.ts'
import { benchPhotometry } from './benchPhotometry.ts'
import { benchSolve } from './benchSolve.ts'
import { calibrate } from './calibrate.ts'
import { stackClipped } from './stack.ts'
import { measureStars } from './stars.ts'

/** What a raw frame costs until it is calibrated, measured and solved, beside numpy and sep. */
const sides = [2048, 4096] as const
const runs = 5
const stackRuns = 1
const stackFrames = 10
const starsPerMpix = 1500
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_preprocessing_peers.py', import.meta.url))

/** The peer's package for each figure, for when it is not there. */
const packages: Readonly<Record<string, string>> = {
  calibrate: 'python3-numpy',
  'stack of 10': 'python3-numpy',
  background: 'python3-sep',
  'background and stars': 'python3-sep',
}

interface Timed {
  readonly ms: number
  readonly cpuMs: number
  readonly n: number
}

type PeerTime = Timed & { readonly peer: string }
type PeerTimes = Readonly<Record<string, Readonly<Record<string, PeerTime>>>> & {
  readonly 'peak RSS'?: { readonly peer: string; readonly mib: number }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Medians after one run to warm up. CPU time is that of all threads of this process. */
function timed(n: number, work: () => void): Timed {
  work()
  const walls: number[] = []
  const cpus: number[] = []
  for (let run = 0; run < n; run++) {
    const cpu = process.cpuUsage()
    const start = systemClock.monotonic()
    work()
    walls.push(systemClock.monotonic() - start)
    const used = process.cpuUsage(cpu)
    cpus.push((used.user + used.system) / 1000)
  }
  return { ms: middle(walls), cpuMs: middle(cpus), n }
}

/** Sky of 600 ADU with noise and Gaussian stars of FWHM 3 px, N(>F) ∝ F^−0.7. */
function drawSky(side: number): Float32Array {
  const random = createRandom(`sky ${side}`)
  const pixels = new Float32Array(side * side)
  for (let i = 0; i < pixels.length; i++) pixels[i] = 600 + 23 * random.normal()
  const sigma = 3 / 2.354820045
  for (let n = 0; n < (starsPerMpix * side * side) / 1e6; n++) {
    const peak = Math.min(3e6, 150 * random.next() ** (-1 / 0.7)) / (2 * Math.PI * sigma * sigma)
    const [x0, y0] = [side * random.next(), side * random.next()]
    for (let y = Math.max(0, Math.floor(y0) - 8); y <= Math.min(side - 1, y0 + 8); y++) {
      for (let x = Math.max(0, Math.floor(x0) - 8); x <= Math.min(side - 1, x0 + 8); x++) {
        pixels[y * side + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma * sigma))
      }
    }
  }
  return pixels
}

function constant(compute: Compute, side: number, value: number): Plane {
  const plane = compute.float32(side, side)
  plane.data.fill(value)
  return plane
}

/** Every figure with its work; planes of results are given back after each run. */
function figures(
  compute: Compute,
  side: number,
  pixels: Float32Array,
): Record<string, { n: number; work: () => void }> {
  const science = compute.float32(side, side)
  science.data.set(pixels)
  const header = FitsHeader.from({ EXPTIME: 30 })
  const mask = compute.uint16(side, side)
  const raw: Frame = { header, width: side, height: side, science, mask, variance: undefined }
  const masters = {
    bias: constant(compute, side, 100),
    dark: { plane: constant(compute, side, 10), exposureSeconds: 60 },
    flat: constant(compute, side, 0.9),
  }
  const camera = { gainElectronsPerAdu: 1.5, readNoiseElectrons: 6, saturationAdu: 60000 }
  const scoped = (work: () => void) => (): void => {
    using _planes = compute.scope()
    work()
  }
  return {
    calibrate: { n: runs, work: scoped(() => void calibrate(compute, raw, masters, camera)) },
    background: { n: runs, work: scoped(() => void measureBackground(compute, science, undefined)) },
    'background and stars': {
      n: runs,
      work: scoped(() => {
        measureStars(compute, science, undefined, measureBackground(compute, science, undefined))
      }),
    },
  }
}

/** Ten frames, as different from each other as the peer's. */
function stackWork(compute: Compute, side: number, pixels: Float32Array): () => void {
  const planes = Array.from({ length: stackFrames }, (_, k) => {
    const plane = compute.float32(side, side)
    for (let i = 0; i < pixels.length; i++) plane.data[i] = pixels[i]! * (1 + k * 1e-3)
    return plane
  })
  return () => {
    using _planes = compute.scope()
    stackClipped(compute, planes)
  }
}

function rowsOf(figure: string, frame: string, threads: number, ours: Timed, peer: PeerTime | undefined): BenchRow[] {
  const missing = threads === 1 && packages[figure] ? `apt-get install ${packages[figure]}` : null
  const row = (unit: string, value: number, peerValue: number | undefined): BenchRow => ({
    room: 'preprocessing',
    figure,
    value,
    unit,
    threads,
    frame,
    peer: peer?.peer ?? missing,
    peerValue: peerValue ?? null,
    ratio: peerValue === undefined || peerValue === 0 ? null : value / peerValue,
    n: ours.n,
  })
  return [row('ms', ours.ms, peer?.ms), row('CPU ms', ours.cpuMs, peer?.cpuMs)]
}

/** Empty without Python. A script that fails is a fault of ours and not an absent peer: it throws `bench/peers`. */
async function peerTimes(files: readonly { readonly side: number; readonly path: string }[]): Promise<PeerTimes> {
  if (!existsSync(python)) return {}
  const args = [peerScript, String(runs), ...files.flatMap(({ side, path }) => [String(side), path])]
  try {
    const { stdout } = await promisify(execFile)(python, args, { timeout: 300_000 })
    return JSON.parse(stdout) as PeerTimes
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

function memoryRow(peer: PeerTimes['peak RSS']): BenchRow {
  const value = process.resourceUsage().maxRSS / 1024
  return {
    room: 'preprocessing',
    figure: 'peak RSS of the process',
    value,
    unit: 'MiB',
    threads: availableParallelism(),
    frame: `${sides.at(-1)}x${sides.at(-1)}`,
    peer: peer?.peer ?? null,
    peerValue: peer?.mib ?? null,
    ratio: peer ? value / peer.mib : null,
    n: 1,
  }
}

function measureSide(side: number, pixels: Float32Array, threads: number, times: PeerTimes): BenchRow[] {
  const rows: BenchRow[] = []
  const add = (figure: string, ours: Timed): void => {
    // Peers have one thread.
    rows.push(...rowsOf(figure, `${side}x${side}`, threads, ours, threads === 1 ? times[figure]?.[side] : undefined))
  }
  {
    using compute = createCompute({ threads })
    for (const [figure, { n, work }] of Object.entries(figures(compute, side, pixels))) add(figure, timed(n, work))
  }
  using compute = createCompute({ threads })
  add('stack of 10', timed(stackRuns, stackWork(compute, side, pixels)))
  return rows
}

/** Figures of this room on 2048² and 4096² frames, on one thread and on all, and its peers in the same call. */
export async function benchPreprocessing(options: { readonly quality: boolean }): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-preprocessing-'))
  try {
    const frames = sides.map((side) => ({ side, pixels: drawSky(side), path: join(folder, `sky-${side}.f32`) }))
    for (const { path, pixels } of frames) writeFileSync(path, pixels)
    const times = await peerTimes(frames)
    const rows: BenchRow[] = []
    for (const { side, pixels } of frames) {
      for (const threads of new Set([1, availableParallelism()]))
        rows.push(...measureSide(side, pixels, threads, times))
    }
    rows.push(...(await benchCosmicRays({ clock: systemClock })))
    if (options.quality) rows.push(...(await benchCosmicRayQuality()))
    rows.push(memoryRow(times['peak RSS']), ...(await benchSolve({ ...options, clock: systemClock })))
    rows.push(...(await benchPhotometry({ clock: systemClock })))
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

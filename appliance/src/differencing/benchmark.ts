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
import { readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { createMesh } from '../frames/mesh.ts'
import type { Plane } from '../frames/plane.ts'
import { benchKernel } from './benchKernel.ts'
import { benchLiveStack, measureLiveStack } from './benchLiveStack.ts'
import { benchPsf } from './benchPsf.ts'
import { benchDifferencingQuality } from './benchQuality.ts'
import { benchWarp } from './benchWarp.ts'
import { differenceFrames } from './difference.ts'
import type { DifferenceSummary } from './differenceSummary.ts'
import { moffatStamp } from './moffat.ts'
import { makeScene } from './testScene.ts'
import { affine } from './transform.ts'
import { warp } from './warp.ts'
import { subtract } from './zogy.ts'

/**
 * What differencing costs: resampling and the ZOGY core beside scipy, and the whole way from two FITS files to candidates in
 * a process of its own, so that its memory is only its own.
 */
const sides = [2048, 4096] as const
const runs = 3
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_differencing.py', import.meta.url))
const install = 'apt-get install python3-scipy'

interface Timed {
  readonly ms: number
  readonly cpuMs: number
}
type Peers = Readonly<Record<string, Readonly<Record<string, Timed & { readonly peer: string }>>>>

interface WholeRun {
  readonly ms: number
  readonly cpuMs: number
  readonly rssMiB: number
  readonly steps: DifferenceSummary['timingsMs']
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Medians after one run to warm up; CPU time is that of all threads. */
function timed(work: () => void): Timed {
  work()
  const spent = Array.from({ length: runs }, () => {
    const cpu = process.cpuUsage()
    const start = systemClock.monotonic()
    work()
    const used = process.cpuUsage(cpu)
    return { ms: systemClock.monotonic() - start, cpuMs: (used.user + used.system) / 1000 }
  })
  return { ms: middle(spent.map((s) => s.ms)), cpuMs: middle(spent.map((s) => s.cpuMs)) }
}

function noise(compute: Compute, side: number, sigma: number): Plane {
  const random = createRandom(`bench/${sigma}`)
  const values = Float32Array.from({ length: 65_521 }, () => sigma * random.normal())
  const plane = compute.float32(side, side)
  for (let i = 0; i < plane.data.length; i++) plane.data[i] = values[i % values.length]!
  return plane
}

function warpTimes(compute: Compute, side: number): Timed {
  using _scratch = compute.scope()
  const source = { science: noise(compute, side, 20), mask: compute.uint16(side, side), variance: undefined }
  const [c, s] = [Math.cos(0.003), Math.sin(0.003)]
  const turn = affine([1.3, c, -s, -2.4, s, c])
  return timed(() => {
    using _scratch = compute.scope()
    warp(compute, source, turn, { width: side, height: side })
  })
}

/** With a PSF for each tile: filters are made anew every time, as the peer does. */
function zogyTimes(compute: Compute, side: number): Timed {
  using _scratch = compute.scope()
  const cells = Math.ceil(side / 64)
  const filled = (value: number) =>
    createMesh(compute, { cellPixels: 64, columns: cells, rows: cells }, Array(cells * cells).fill(value))
  const stamp = (fwhmPixels: number): Float64Array => {
    const made = moffatStamp({ fwhmPixels, e1: 0, e2: 0, beta: 3 }, 25)
    const sum = made.reduce((total, v) => total + v, 0)
    return made.map((v) => v / sum)
  }
  const [psfN, psfR] = [stamp(3), stamp(2.6)]
  const [science, reference] = [noise(compute, side, 25), noise(compute, side, 9)]
  const [scienceRms, referenceRms] = [filled(25), filled(9)]
  return timed(() => {
    using _scratch = compute.scope()
    subtract(compute, {
      ...{ science, reference, scienceRms, referenceRms, scienceGain: 1.5, referenceGain: 4 },
      sciencePsf: () => psfN,
      referencePsf: () => psfR,
      psfSize: 25,
      constantPsf: false,
      fluxRatio: 1.15,
      astrometricNoise: [0.05, 0.05],
    })
  })
}

function rows(figure: string, side: number, threads: number, ours: Timed, peer?: Timed & { peer: string }): BenchRow[] {
  const row = (unit: string, value: number, peerValue: number | undefined): BenchRow => ({
    room: 'differencing',
    figure,
    value,
    unit,
    threads,
    frame: `${side}x${side}`,
    peer: peer?.peer ?? (threads === 1 && !existsSync(python) ? install : null),
    peerValue: peerValue ?? null,
    ratio: peerValue ? value / peerValue : null,
    n: runs,
  })
  return [row('ms', ours.ms, peer?.ms), row('CPU ms', ours.cpuMs, peer?.cpuMs)]
}

function plainRow(figure: string, unit: string, value: number, side: number, threads: number): BenchRow {
  const frame = `${side}x${side}`
  return {
    room: 'differencing',
    figure,
    value,
    unit,
    threads,
    frame,
    peer: null,
    peerValue: null,
    ratio: null,
    n: runs,
  }
}

async function peerTimes(): Promise<Peers> {
  if (!existsSync(python)) return {}
  try {
    const args = [peerScript, String(runs), ...sides.map(String)]
    const { stdout } = await promisify(execFile)(python, args, { timeout: 400_000 })
    return JSON.parse(stdout) as Peers
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (/No module named/.test(reason)) return {}
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

function writeScene(folder: string, side: number): { science: string; reference: string } {
  using compute = createCompute({ threads: 1 })
  const turn = affine([2.3, 1, -0.001, -1.7, 0.001, 1])
  const scene = makeScene(compute, { width: side, height: side, seed: `bench-${side}`, transform: turn })
  const paths = { science: join(folder, `science-${side}.fits`), reference: join(folder, `reference-${side}.fits`) }
  writeFileSync(paths.science, encodeFrame(scene.science))
  writeFileSync(paths.reference, encodeFrame(scene.reference))
  return paths
}

async function whole(science: string, reference: string, threads: number): Promise<WholeRun> {
  const args = [fileURLToPath(import.meta.url), science, reference, String(threads), String(runs)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 400_000 })
  return JSON.parse(stdout) as WholeRun
}

/** One process: reads and differences the pair `count` times after a warm-up and prints its medians and its peak memory. */
function measureWhole(science: string, reference: string, threads: number, count: number): WholeRun {
  using compute = createCompute({ threads })
  const results: { ms: number; cpuMs: number; steps: DifferenceSummary['timingsMs'] }[] = []
  for (let run = 0; run <= count; run++) {
    using _scratch = compute.scope()
    const cpu = process.cpuUsage()
    const start = systemClock.monotonic()
    const { summary } = differenceFrames(compute, readFrame(compute, science), readFrame(compute, reference), {
      clock: systemClock,
    })
    const used = process.cpuUsage(cpu)
    const ms = systemClock.monotonic() - start
    if (run > 0) results.push({ ms, cpuMs: (used.user + used.system) / 1000, steps: summary.timingsMs })
  }
  const names = Object.keys(results[0]?.steps ?? {})
  return {
    ms: middle(results.map((r) => r.ms)),
    cpuMs: middle(results.map((r) => r.cpuMs)),
    rssMiB: process.resourceUsage().maxRSS / 1024,
    steps: Object.fromEntries(names.map((name) => [name, middle(results.map((r) => r.steps[name] ?? 0))])),
  }
}

/** Figures of this room on 2048² and 4096² frames, on one thread and on all, and its peers in the same call; quality if asked. */
export async function benchDifferencing(options: { readonly quality: boolean }): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-differencing-'))
  try {
    const peers = await peerTimes()
    const out: BenchRow[] = [...(await benchWarp(systemClock)), ...benchPsf(systemClock), ...benchKernel(systemClock)]
    for (const side of sides) {
      const { science, reference } = writeScene(folder, side)
      for (const threads of new Set([1, availableParallelism()])) {
        using compute = createCompute({ threads })
        const suffix = threads === 1 ? '' : `, ${threads} threads`
        const peer = (figure: string) => peers[`${figure}${suffix}`]?.[side]
        out.push(...rows('warp, quintic spline', side, threads, warpTimes(compute, side), peer('warp order 5')))
        out.push(...rows('zogy core', side, threads, zogyTimes(compute, side), peer('zogy')))
        const run = await whole(science, reference, threads)
        out.push(...rows('whole difference from files', side, threads, run))
        out.push(plainRow('whole difference from files, peak RSS', 'MiB', run.rssMiB, side, threads))
        for (const step of ['prepare', 'register', 'psf', 'fluxRatio', 'repair', 'candidates']) {
          out.push(plainRow(`step ${step}`, 'ms', run.steps[step] ?? Number.NaN, side, threads))
        }
      }
    }
    out.push(...(await benchLiveStack(fileURLToPath(import.meta.url))))
    if (options.quality) out.push(...(await benchDifferencingQuality()))
    return out
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) {
  const [first, second, third, fourth] = process.argv.slice(2)
  const result =
    first === 'liveStack'
      ? measureLiveStack(systemClock, Number(second), Number(third), Number(fourth))
      : measureWhole(first ?? '', second ?? '', Number(third), Number(fourth))
  process.stdout.write(JSON.stringify(result))
}

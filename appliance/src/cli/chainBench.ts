import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { BenchRow } from '../contract/bench.ts'
import { differencePrepared } from '../differencing/difference.ts'
import { type Prepared, prepare } from '../differencing/prepare.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { readMeasured } from '../preprocessing/measuredFrame.ts'
import { examineRaw } from '../preprocessing/runPixels.ts'
import { benchChainGrowth } from './chainGrowth.ts'
import { type ChainSize, chainCamera, chainField, makeChainScene } from './chainScene.ts'

/**
 * The whole way from a raw file to candidates - calibration, cosmic rays, sky, stars, place, registration, PSFs, ZOGY,
 * features - with the reference already in memory, in a process of its own; and the fastest chain of Debian's packages
 * (scripts/reference/bench_chain.py) on the same files.
 */
const frames = [
  { width: 2048, height: 2048 },
  { width: 4096, height: 4096 },
  { width: 6000, height: 4000 },
] as const
const runs = 3
const childMs = 600_000
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_chain.py', import.meta.url))
const peerInstall = 'apt-get install python3-astropy python3-sep python3-astroscrappy python3-astroalign python3-scipy'
/** astroscrappy's own default, which finds the tracks that ours finds; one pass is its fastest. */
const peerIterations = [4, 1] as const

export interface ChainCost {
  readonly ms: number
  /** Of all threads. */
  readonly cpuMs: number
  readonly rssMiB: number
  readonly steps: Readonly<Record<string, number>>
}

export async function benchChain(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  const costs: { pixels: number; cost: ChainCost }[] = []
  for (const size of frames) {
    await withScene(size, async (folder) => {
      const cost = await chainCost(folder, availableParallelism(), runs)
      rows.push(...(await chainRows(folder, `${size.width}x${size.height}`, cost)))
      costs.push({ pixels: size.width * size.height, cost })
    })
  }
  return [...rows, ...(await benchChainGrowth(costs, { withScene, chainCost, runs }))]
}

/** Makes a scene in a folder of its own, which is removed. */
async function withScene<T>(size: ChainSize, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-chain-'))
  try {
    makeChainScene(folder, size)
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Median of `count` runs in a process of their own. */
function chainCost(folder: string, threads: number, count: number): Promise<ChainCost> {
  const args = [fileURLToPath(import.meta.url), folder, String(threads), String(count)]
  return inChild(process.execPath, args)
}

async function chainRows(folder: string, frame: string, ours: ChainCost): Promise<BenchRow[]> {
  const threads = availableParallelism()
  const shared = { room: 'chain', threads, frame, n: runs }
  const alone = { ...shared, peer: null, peerValue: null, ratio: null }
  const rows: BenchRow[] = []
  for (const iterations of peerIterations) {
    const peer = await peerCost(folder, iterations)
    const name = `numpy, astroscrappy (${iterations} passes), sep, solve-field, astroalign, scipy ZOGY`
    rows.push({
      ...shared,
      figure: 'raw to candidates',
      value: ours.ms,
      unit: 'ms',
      peer: peer ? name : peerInstall,
      peerValue: peer?.ms ?? null,
      ratio: peer ? ours.ms / peer.ms : null,
    })
  }
  rows.push({ ...alone, figure: 'raw to candidates', value: ours.cpuMs, unit: 'CPU ms' })
  rows.push(...speedUps(await chainCost(folder, 1, runs), ours).map((row) => ({ ...alone, ...row })))
  rows.push({ ...alone, figure: 'raw to candidates, peak RSS', value: ours.rssMiB, unit: 'MiB' })
  for (const [step, value] of Object.entries(ours.steps))
    rows.push({ ...alone, figure: `step ${step}`, value, unit: 'ms' })
  return rows
}

/** How much sooner all threads are done than one, for the steps that cost most. */
function speedUps(one: ChainCost, all: ChainCost): Pick<BenchRow, 'figure' | 'value' | 'unit'>[] {
  const steps = ['calibrate to solution', 'warp', 'psf', 'zogy'].map((step) => ({
    figure: `speed-up by threads, step ${step}`,
    value: one.steps[step]! / all.steps[step]!,
    unit: '×',
  }))
  return [{ figure: 'speed-up by threads, raw to candidates', value: one.ms / all.ms, unit: '×' }, ...steps]
}

async function inChild(program: string, args: readonly string[]): Promise<ChainCost> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: childMs })
    return JSON.parse(stdout) as ChainCost
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/chain', `the chain failed: ${reason}`, { cause })
  }
}

async function peerCost(folder: string, iterations: number): Promise<ChainCost | undefined> {
  if (!existsSync(python)) return undefined
  const field = [chainField.raDeg, chainField.decDeg, chainField.scaleArcsecPerPixel].map(String)
  try {
    return await inChild(python, [peerScript, folder, '1', String(iterations), ...field])
  } catch (cause) {
    if (cause instanceof Error && /No module named/.test(cause.message)) return undefined
    throw cause
  }
}

/** One frame, from its file to its candidates; the milliseconds of each step. */
export async function runChain(compute: Compute, folder: string, reference: Prepared): Promise<Record<string, number>> {
  using _scratch = compute.scope()
  const start = systemClock.monotonic()
  const path = (name: string): string => join(folder, `${name}.fits`)
  const masters = { bias: [path('bias')], dark: [path('dark')], flat: [path('flat')] }
  const examination = await examineRaw(compute, {
    rawPath: path('raw'),
    masters,
    camera: chainCamera,
    field: chainField,
  })
  const examined = systemClock.monotonic()
  if (!examination.wcs) throw new NightjarError('bench/chain', 'the frame of the measurement was not solved')
  const science = prepare(compute, examination.frame, { measured: examination })
  const prepared = systemClock.monotonic()
  const { summary, candidates } = differencePrepared(compute, science, reference, { clock: systemClock })
  if (candidates.length === 0) throw new NightjarError('bench/chain', 'the measurement found no candidate')
  const { total: _, ...steps } = summary.timingsMs
  return {
    'calibrate to solution': examined - start,
    prepare: prepared - examined,
    ...steps,
    total: systemClock.monotonic() - start,
  }
}

async function measure(folder: string, threads: number, count: number): Promise<ChainCost> {
  using compute = createCompute({ threads })
  const { frame, ...measured } = readMeasured(compute, join(folder, 'reference.fits'))
  const reference = prepare(compute, frame, { measured, inPlace: true })
  await runChain(compute, folder, reference)
  const all: ChainCost[] = []
  for (let run = 0; run < count; run++) {
    const cpu = process.cpuUsage()
    const { total = Number.NaN, ...steps } = await runChain(compute, folder, reference)
    const used = process.cpuUsage(cpu)
    all.push({ ms: total, cpuMs: (used.user + used.system) / 1000, steps, rssMiB: 0 })
  }
  const middle = all.toSorted((a, b) => a.ms - b.ms)[all.length >> 1]!
  return { ...middle, rssMiB: process.resourceUsage().maxRSS / 1024 }
}

if (import.meta.main) {
  const [folder = '', threads, count = String(runs)] = process.argv.slice(2)
  process.stdout.write(JSON.stringify(await measure(folder, Number(threads), Number(count))))
}

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
import { chainCamera, chainField, makeChainScene } from './chainScene.ts'

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

interface ChainCost {
  readonly ms: number
  readonly rssMiB: number
  readonly steps: Readonly<Record<string, number>>
}

export async function benchChain(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const size of frames) {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-chain-'))
    try {
      makeChainScene(folder, size)
      rows.push(...(await chainRows(folder, `${size.width}x${size.height}`)))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return rows
}

async function chainRows(folder: string, frame: string): Promise<BenchRow[]> {
  const threads = availableParallelism()
  const ours = await inChild(process.execPath, [fileURLToPath(import.meta.url), folder, String(threads)])
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
  rows.push({ ...alone, figure: 'raw to candidates, peak RSS', value: ours.rssMiB, unit: 'MiB' })
  for (const [step, value] of Object.entries(ours.steps))
    rows.push({ ...alone, figure: `step ${step}`, value, unit: 'ms' })
  return rows
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

async function measure(folder: string, threads: number): Promise<ChainCost> {
  using compute = createCompute({ threads })
  const { frame, ...measured } = readMeasured(compute, join(folder, 'reference.fits'))
  const reference = prepare(compute, frame, { measured, inPlace: true })
  await runChain(compute, folder, reference)
  const all: Record<string, number>[] = []
  for (let run = 0; run < runs; run++) all.push(await runChain(compute, folder, reference))
  const middle = all.toSorted((a, b) => a['total']! - b['total']!)[all.length >> 1]!
  const { total = Number.NaN, ...steps } = middle
  return { ms: total, rssMiB: process.resourceUsage().maxRSS / 1024, steps }
}

if (import.meta.main) {
  const [folder = '', threads] = process.argv.slice(2)
  process.stdout.write(JSON.stringify(await measure(folder, Number(threads))))
}

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
import { benchTiles } from './benchTiles.ts'
import { type Compute, createCompute } from './compute.ts'
import { convolveSeparable, gaussianTaps } from './convolve.ts'
import { planFft } from './fft.ts'
import { openFits, readImage } from './fits/read.ts'
import { encodeFits } from './fits/write.ts'
import { median } from './statistics.ts'

/** What pixels cost: reading, decoding, transforming, convolving and sorting frames, beside numpy, scipy and astropy. */
const sides = [2048, 4096] as const
const runs = 7
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_peers.py', import.meta.url))

/** The peer's package for each figure, for when it is not there. */
const packages: Readonly<Record<string, string>> = {
  'read u16 file': 'python3-astropy',
  'encode f32 with checksums': 'python3-astropy',
  'decode u16': 'python3-numpy',
  median: 'python3-numpy',
  rfft2: 'python3-scipy',
  irfft2: 'python3-scipy',
  'irfft2, spectrum kept': 'python3-scipy',
  'convolution 9x9, separable': 'python3-scipy',
}

interface Timed {
  readonly ms: number
  readonly cpuMs: number
}

interface PeerTime extends Timed {
  readonly peer: string
  readonly threads: number
}

/** figure → file → what each peer needed. */
type PeerTimes = Readonly<Record<string, Readonly<Record<string, readonly PeerTime[]>>>>

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Medians of `runs` after one run to warm up. CPU time is that of all threads of this process. */
function timed(work: () => void): Timed {
  work()
  const walls: number[] = []
  const cpus: number[] = []
  for (let run = 0; run < runs; run++) {
    const cpu = process.cpuUsage()
    const start = systemClock.monotonic()
    work()
    walls.push(systemClock.monotonic() - start)
    const used = process.cpuUsage(cpu)
    cpus.push((used.user + used.system) / 1000)
  }
  return { ms: middle(walls), cpuMs: middle(cpus) }
}

/** A star-less sky with noise: medians and transforms do not care. */
function writeSky(folder: string, side: number): string {
  const random = createRandom(side)
  const noise = Float32Array.from({ length: 4099 }, () => 20 * random.normal())
  const data = new Uint16Array(side * side)
  for (let i = 0; i < data.length; i++) data[i] = 1000 + (noise[i % noise.length] as number)
  const path = join(folder, `sky-${side}.fits`)
  writeFileSync(path, encodeFits([{ data: { width: side, height: side, data } }]))
  return path
}

/** The work of each figure on one file; every one does what its peer does. */
function figures(compute: Compute, path: string, side: number): Readonly<Record<string, () => void>> {
  const file = openFits(path)
  const plane = readImage(compute, file)
  const raw = compute.allocate(side * side * 2)
  file.readInto(file.hdus[0]?.dataOffset ?? 0, new Uint8Array(compute.memory.buffer, raw, side * side * 2))
  const out = compute.float32(side, side)
  const plan = planFft(compute, side, side)
  const spectrum = plan.spectrum()
  plan.forward(plane, spectrum)
  const taps = gaussianTaps(1.5, 4)
  const read = (): void => {
    using _scratch = compute.scope()
    readImage(compute, openFits(path))
  }
  return {
    'read u16 file': read,
    'decode u16': () => compute.rows('decodeI16', side, [raw, out.pointer, side, 1, 32768, 0x40000000, 1]),
    'encode f32 with checksums': () => void encodeFits([{ data: plane }]),
    rfft2: () => plan.forward(plane, spectrum),
    irfft2: () => plan.inverse(spectrum, out),
    'irfft2, spectrum kept': () => plan.inverse(spectrum, out, { keep: true }),
    'convolution 9x9, separable': () => void convolveSeparable(compute, plane, taps, taps, out),
    median: () => void median(compute, plane),
  }
}

/** The quickest peer with that many threads. */
function quickest(times: PeerTimes, figure: string, path: string, threads: number): PeerTime | undefined {
  const found = (times[figure]?.[path] ?? []).filter((time) => time.threads === threads)
  return found.sort((a, b) => a.ms - b.ms)[0]
}

function rowsOf(figure: string, side: number, threads: number, ours: Timed, peer: PeerTime | undefined): BenchRow[] {
  const missing = threads === 1 ? `apt-get install ${packages[figure]}` : null
  const row = (name: string, unit: string, value: number, peerValue: number | undefined): BenchRow => ({
    room: 'frames',
    figure: name,
    value,
    unit,
    threads,
    frame: `${side}x${side}`,
    peer: peer?.peer ?? missing,
    peerValue: peerValue ?? null,
    ratio: peerValue === undefined || peerValue === 0 ? null : value / peerValue,
    n: runs,
  })
  return [row(figure, 'ms', ours.ms, peer?.ms), row(figure, 'CPU ms', ours.cpuMs, peer?.cpuMs)]
}

function memoryRow(compute: Compute, side: number): BenchRow {
  return {
    room: 'frames',
    figure: 'pixel memory for all of these, peak',
    value: compute.usage().peakBytes / 1048576,
    unit: 'MiB',
    threads: compute.threads,
    frame: `${side}x${side}`,
    peer: null,
    peerValue: null,
    ratio: null,
    n: 1,
  }
}

/** Empty without Python. A script that fails is a fault of ours and not an absent peer: it throws `bench/peers`. */
async function peerTimes(paths: readonly string[]): Promise<PeerTimes> {
  if (!existsSync(python)) return {}
  try {
    const { stdout } = await promisify(execFile)(python, [peerScript, String(runs), ...paths], { timeout: 240_000 })
    return JSON.parse(stdout) as PeerTimes
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

/** Figures of this room on 2048² and 4096² frames, on one thread and on all, and its peers in the same call. */
export async function benchFrames(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-frames-'))
  try {
    const files = sides.map((side) => ({ side, path: writeSky(folder, side) }))
    const times = await peerTimes(files.map((file) => file.path))
    const rows: BenchRow[] = []
    for (const { side, path } of files) {
      for (const threads of new Set([1, availableParallelism()])) {
        using compute = createCompute({ threads })
        for (const [figure, work] of Object.entries(figures(compute, path, side))) {
          rows.push(...rowsOf(figure, side, threads, timed(work), quickest(times, figure, path, threads)))
        }
        if (threads === 1) rows.push(memoryRow(compute, side))
      }
    }
    rows.push(...(await benchTiles()))
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from './compute.ts'
import { type PackOptions, packFits } from './fits/pack.ts'
import { openFits, readImage } from './fits/read.ts'
import { encodeFits } from './fits/write.ts'

/**
 * Tile compression from file to file and back into memory, beside astropy (cfitsio within) and fpack / funpack, which writes a
 * file in place of filling memory. Every reader reads the same file.
 */
const sides = [2048, 4096] as const
const threadCounts = [1, 2] as const
const runs = 5
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_tiles_peers.py', import.meta.url))
const peerTimeoutMs = 300_000
const missing = 'apt-get install python3-astropy libcfitsio-bin'

const packings = [
  { name: 'u16, RICE_1', type: 'u16', options: { packing: 'RICE_1' } },
  { name: 'f32 quantized with dither, RICE_1', type: 'f32', options: { packing: 'RICE_1', quantizeLevel: 4 } },
  { name: 'f32 bit for bit, GZIP_2', type: 'f32', options: { packing: 'GZIP_2', quantizeLevel: 0 } },
] as const satisfies readonly { name: string; type: 'u16' | 'f32'; options: PackOptions }[]

interface Times {
  readonly ms: number
  readonly cpuMs: number
}

/** Figure → what each peer needed. */
type PeerTimes = Readonly<Record<string, readonly (Times & { readonly peer: string })[]>>

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function timed(work: () => void): Times {
  work()
  const [walls, cpus]: [number[], number[]] = [[], []]
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

/** A sky of 1000 ADU with noise of 20, as whole numbers and as floats with a fraction. */
function writeSkies(folder: string, side: number): void {
  const random = createRandom(side)
  const noise = Float32Array.from({ length: 65_521 }, () => 1000 + 20 * random.normal())
  const floats = new Float32Array(side * side)
  for (let i = 0; i < floats.length; i++) floats[i] = noise[i % noise.length]!
  const image = { width: side, height: side }
  writeFileSync(join(folder, 'f32.fits'), encodeFits([{ data: { ...image, data: floats } }]))
  writeFileSync(join(folder, 'u16.fits'), encodeFits([{ data: { ...image, data: Uint16Array.from(floats) } }]))
}

function packedPath(folder: string, k: number): string {
  return join(folder, `packed-${k}.fits.fz`)
}

function ourTimes(compute: Compute, folder: string): Record<string, Times> {
  const times: Record<string, Times> = {}
  for (const [k, { name, type, options }] of packings.entries()) {
    const path = packedPath(folder, k)
    times[`pack ${name}`] = timed(() => {
      using _scratch = compute.scope()
      writeFileSync(path, packFits(compute, join(folder, `${type}.fits`), options))
    })
    times[`unpack ${name}`] = timed(() => {
      using _scratch = compute.scope()
      readImage(compute, openFits(path))
    })
  }
  return times
}

/** Empty without Python. Throws `bench/peers` when the script fails. */
async function peerTimes(folder: string): Promise<PeerTimes> {
  if (!existsSync(python)) return {}
  try {
    const { stdout } = await promisify(execFile)(python, [peerScript, String(runs), folder], { timeout: peerTimeoutMs })
    return JSON.parse(stdout) as PeerTimes
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

/** Beside the peer that is quickest; peers have one thread and stand beside our one. */
function rowsOf(figure: string, side: number, threads: number, ours: Times, peers: PeerTimes): BenchRow[] {
  const quickest = [...(peers[figure] ?? [])].sort((a, b) => a.ms - b.ms)[0]
  const peer = threads === 1 ? quickest : undefined
  const row = (unit: string, value: number, peerValue: number | undefined): BenchRow => ({
    room: 'frames',
    figure,
    value,
    unit,
    threads,
    frame: `${side}x${side}`,
    peer: peer?.peer ?? (threads === 1 ? missing : null),
    peerValue: peerValue ?? null,
    ratio: peerValue ? value / peerValue : null,
    n: runs,
  })
  return [row('ms', ours.ms, peer?.ms), row('CPU ms', ours.cpuMs, peer?.cpuMs)]
}

/** Figures of tile compression of 2048² and 4096² frames. */
export async function benchTiles(): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const side of sides) {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-tiles-'))
    try {
      writeSkies(folder, side)
      const ours = threadCounts.map((threads) => {
        using compute = createCompute({ threads })
        return ourTimes(compute, folder)
      })
      const peers = await peerTimes(folder)
      for (const [k, threads] of threadCounts.entries()) {
        for (const [figure, times] of Object.entries(ours[k]!))
          rows.push(...rowsOf(figure, side, threads, times, peers))
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  return rows
}

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { registerStars, type StarPosition } from './register.ts'
import { affine, applyTransform } from './transform.ts'
import { warp } from './warp.ts'

/** What it costs to bring two frames onto one grid: resampling beside SWarp, matching of star lists beside astroalign. */
const sides = [2048, 4096] as const
const runs = 5
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_warp.py', import.meta.url))

interface Timed {
  readonly ms: number
  readonly cpuMs: number
}
type Peers = Readonly<Record<string, Readonly<Record<string, Timed & { readonly peer: string }>>>>

/** The best of several after one to warm up; CPU time is that of all threads. */
function timed(clock: Clock, work: () => void): Timed {
  work()
  let best: Timed = { ms: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY }
  for (let run = 0; run < runs; run++) {
    const cpu = process.cpuUsage()
    const start = clock.monotonic()
    work()
    const used = process.cpuUsage(cpu)
    const [ms, cpuMs] = [clock.monotonic() - start, (used.user + used.system) / 1000]
    best = { ms: Math.min(best.ms, ms), cpuMs: Math.min(best.cpuMs, cpuMs) }
  }
  return best
}

function warpTimes(clock: Clock, compute: Compute, side: number): Timed {
  using _scratch = compute.scope()
  const random = createRandom('bench/warp')
  const science = compute.float32(side, side)
  const values = Float32Array.from({ length: 65_521 }, () => 20 * random.normal())
  for (let i = 0; i < science.data.length; i++) science.data[i] = values[i % values.length]!
  const source = { science, mask: compute.uint16(side, side), variance: undefined }
  const [c, s] = [Math.cos(0.003), Math.sin(0.003)]
  const turn = affine([1.3, c, -s, -2.4, s, c])
  return timed(clock, () => {
    using _scratch = compute.scope()
    warp(compute, source, turn, { width: side, height: side })
  })
}

function starLists(count: number): { science: StarPosition[]; reference: StarPosition[] } {
  const random = createRandom('bench/register')
  const [c, s] = [Math.cos(0.002), Math.sin(0.002)]
  const map = affine([2048 - 2048 * c + 2048 * s + 3.3, c, -s, 2048 - 2048 * s - 2048 * c - 4.7, s, c])
  const science: StarPosition[] = []
  const reference: StarPosition[] = []
  const seen = (x: number, y: number, fluxAdu: number): StarPosition => ({
    ...{
      x: x + 0.03 * random.normal(),
      y: y + 0.03 * random.normal(),
      fluxAdu: fluxAdu * (1 + 0.03 * random.normal()),
    },
    snr: Math.min(500, fluxAdu / 10),
  })
  for (let n = 0; n < count; n++) {
    const [x, y] = [4096 * random.next(), 4096 * random.next()]
    const flux = 100 * (1e-6 + random.next()) ** -1.4
    science.push(seen(x, y, flux))
    reference.push(seen(...applyTransform(map, x, y), flux))
  }
  return { science, reference }
}

function registerTimes(clock: Clock, count: number): Timed {
  const size = { width: 4096, height: 4096 }
  const lists = starLists(count)
  return timed(clock, () => {
    registerStars({ ...lists, scienceSize: size, referenceSize: size })
  })
}

async function peerTimes(): Promise<Peers> {
  if (!existsSync(python)) return {}
  try {
    const args = [peerScript, '3', ...sides.map(String)]
    const { stdout } = await promisify(execFile)(python, args, { timeout: 300_000 })
    return JSON.parse(stdout) as Peers
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (/No module named/.test(reason)) return {}
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

function row(
  figure: string,
  side: number,
  threads: number,
  ours: Timed,
  peer: (Timed & { readonly peer: string }) | undefined,
  install: string | null,
): BenchRow {
  return {
    ...{ room: 'differencing', figure, unit: 'CPU ms', threads, frame: `${side}x${side}`, n: runs },
    value: ours.cpuMs,
    peer: peer?.peer ?? install,
    peerValue: peer?.cpuMs ?? null,
    ratio: peer ? ours.cpuMs / peer.cpuMs : null,
  }
}

/** Figures on 2048² and 4096² frames, on one thread and on all, with the peers in the same call. */
export async function benchWarp(clock: Clock): Promise<BenchRow[]> {
  const peers = await peerTimes()
  const out: BenchRow[] = []
  for (const side of sides) {
    for (const threads of new Set([1, availableParallelism()])) {
      using compute = createCompute({ threads })
      const ours = warpTimes(clock, compute, side)
      const peer = threads === 1 ? peers['warp']?.[side] : undefined
      const install = threads === 1 ? 'apt-get install swarp python3-numpy' : null
      const name = 'warp, quintic B-spline in memory'
      out.push(row(name, side, threads, ours, peer, install))
      out.push({ ...row(name, side, threads, ours, undefined, null), unit: 'ms', value: ours.ms })
    }
  }
  const match = 'apt-get install python3-astroalign'
  out.push(row('match of 600 stars in each list', 4096, 1, registerTimes(clock, 600), peers['match']?.[4096], match))
  out.push(row('match of 12,000 stars in each list', 4096, 1, registerTimes(clock, 12_000), undefined, null))
  return out
}

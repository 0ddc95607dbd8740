import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { BenchRow } from '../contract/bench.ts'

/** Timing of our kernels and of Python's peers on the same data, and the rows that come of it. */
export interface Timed {
  readonly ms: number
  readonly cpuMs: number
  readonly n: number
  /** CPU time of the calling thread alone, least of the runs: what free cores would take, whatever else the machine does. */
  readonly callerMs: number
}

export type PeerTime = Omit<Timed, 'callerMs'> & { readonly peer: string }
/** Figure, then side of the frame. */
export type PeerTimes = Readonly<Record<string, Readonly<Record<string, PeerTime>>>>

const python = '/usr/bin/python3'
const peerTimeoutMs = 600_000

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** Medians of `n` runs after one to warm up. CPU time is that of all threads of this process. */
export function timed(clock: Clock, n: number, work: () => void): Timed {
  work()
  const walls: number[] = []
  const cpus: number[] = []
  const callers: number[] = []
  for (let run = 0; run < n; run++) {
    const cpu = process.cpuUsage()
    const caller = process.threadCpuUsage()
    const start = clock.monotonic()
    work()
    walls.push(clock.monotonic() - start)
    const used = process.cpuUsage(cpu)
    cpus.push((used.user + used.system) / 1000)
    const own = process.threadCpuUsage(caller)
    callers.push((own.user + own.system) / 1000)
  }
  return { ms: middle(walls), cpuMs: middle(cpus), n, callerMs: Math.min(...callers) }
}

/**
 * What the script of scripts/reference prints; empty without Python. A script that fails is a fault of ours and not an absent
 * peer: throws `bench/peers`.
 */
export async function pythonPeers(name: string, args: readonly string[]): Promise<PeerTimes> {
  if (!existsSync(python)) return {}
  const script = fileURLToPath(new URL(`../../../scripts/reference/${name}`, import.meta.url))
  try {
    const { stdout } = await promisify(execFile)(python, [script, ...args], { timeout: peerTimeoutMs })
    return JSON.parse(stdout) as PeerTimes
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${script} failed: ${reason}`, { cause })
  }
}

export interface Figure {
  readonly figure: string
  readonly side: number
  readonly threads: number
  /** Debian package of the peer; undefined where there is none. */
  readonly peerPackage: string | undefined
}

/** Wall and CPU time; peers have one thread and stand beside our one. */
export function figureRows({ figure, side, threads, peerPackage }: Figure, ours: Timed, times: PeerTimes): BenchRow[] {
  const peer = threads === 1 ? times[figure]?.[side] : undefined
  const missing = threads === 1 && peerPackage ? `apt-get install ${peerPackage}` : null
  const row = (unit: string, value: number, peerValue: number | undefined): BenchRow => ({
    room: 'preprocessing',
    figure,
    value,
    unit,
    threads,
    frame: `${side}x${side}`,
    peer: peer?.peer ?? missing,
    peerValue: peerValue ?? null,
    ratio: peerValue === undefined || peerValue === 0 ? null : value / peerValue,
    n: ours.n,
  })
  return [row('ms', ours.ms, peer?.ms), row('CPU ms', ours.cpuMs, peer?.cpuMs)]
}

/** The calling thread's CPU time with one thread over that with two, for each figure that both have. */
export function secondThreadRows(
  side: number,
  one: Readonly<Record<string, Timed>>,
  two: Readonly<Record<string, Timed>>,
): BenchRow[] {
  return Object.entries(one).flatMap(([figure, alone]) => {
    const both = two[figure]
    if (!both) return []
    const common = {
      room: 'preprocessing',
      threads: 2,
      frame: `${side}x${side}`,
      peer: null,
      peerValue: null,
      ratio: null,
    }
    const value = alone.callerMs / both.callerMs
    return [{ ...common, figure: `${figure}: one thread / two, CPU of the caller`, value, unit: 'x', n: both.n }]
  })
}

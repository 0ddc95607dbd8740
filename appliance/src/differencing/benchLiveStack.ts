import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { addToLiveStack, beginLiveStack } from './liveStack.ts'
import { drawLiveStack } from './liveStackPicture.ts'
import { type Prepared, prepare } from './prepare.ts'

/** What it costs to let a measured frame join the live stack, each size in a process of its own: its memory is only its own. */
const sizes = [
  [2048, 2048],
  [4096, 4096],
  [6000, 4000],
] as const
const runs = 5
const starsPerMpix = 80

export interface LiveStackCost {
  readonly addMs: number
  readonly addCpuMs: number
  readonly drawMs: number
  readonly rssMiB: number
}

/** `script` calls `measureLiveStack` with the arguments behind its own name and prints what it returns. */
export async function benchLiveStack(script: string): Promise<BenchRow[]> {
  const rows: BenchRow[] = []
  for (const [width, height] of sizes) {
    for (const threads of [1, 2]) {
      const args = [script, 'liveStack', String(width), String(height), String(threads)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 200_000 })
      const { addMs, addCpuMs, drawMs, rssMiB } = JSON.parse(stdout) as LiveStackCost
      const row = (figure: string, unit: string, value: number): BenchRow => ({
        ...{ room: 'differencing', figure, value, unit, threads, frame: `${width}x${height}` },
        ...{ peer: null, peerValue: null, ratio: null, n: runs },
      })
      rows.push(
        row('live stack, a frame joins', 'ms', addMs),
        row('live stack, a frame joins', 'CPU ms', addCpuMs),
        row('live stack, picture', 'ms', drawMs),
        row('live stack, peak RSS', 'MiB', rssMiB),
      )
    }
  }
  return rows
}

export function measureLiveStack(clock: Clock, width: number, height: number, threads: number): LiveStackCost {
  using compute = createCompute({ threads })
  const frame = drawFrame(compute, width, height)
  const prepared = prepare(compute, frame, { inPlace: true })
  const stack = joined(compute, prepared)
  const timed = (work: (n: number) => void): { readonly ms: number; readonly cpuMs: number } => {
    const spent = Array.from({ length: runs + 1 }, (_, n) => {
      const cpu = process.cpuUsage()
      const start = clock.monotonic()
      work(n)
      const used = process.cpuUsage(cpu)
      return { ms: clock.monotonic() - start, cpuMs: (used.user + used.system) / 1000 }
    }).slice(1)
    const least = (key: 'ms' | 'cpuMs'): number => Math.min(...spent.map((one) => one[key]))
    return { ms: least('ms'), cpuMs: least('cpuMs') }
  }
  const add = timed((n) => {
    addToLiveStack(compute, stack, prepared, { frameId: `again-${n}`, exposureSeconds: 60 })
  })
  const draw = timed(() => drawLiveStack(compute, stack))
  return { addMs: add.ms, addCpuMs: add.cpuMs, drawMs: draw.ms, rssMiB: process.resourceUsage().maxRSS / 1024 }
}

function joined(compute: Compute, prepared: Prepared): ReturnType<typeof beginLiveStack> {
  const result = addToLiveStack(compute, beginLiveStack(compute, prepared), prepared, {
    frameId: 'first',
    exposureSeconds: 60,
  })
  if (result.ok) return result.stack
  throw new NightjarError('bench/live-stack', result.reason)
}

/** A sky of 1000 ADU with round stars of 3 px. */
function drawFrame(compute: Compute, width: number, height: number): Frame {
  const random = createRandom('live stack')
  const science = compute.float32(width, height)
  const noise = Float32Array.from({ length: 65_537 }, () => 15 * random.normal())
  for (let i = 0; i < science.data.length; i++) science.data[i] = 1000 + noise[i % noise.length]!
  const stars = Math.round((starsPerMpix * width * height) / 1e6)
  for (let n = 0; n < stars; n++) {
    const [x0, y0] = [10 + (width - 20) * random.next(), 10 + (height - 20) * random.next()]
    const peak = Math.min(30_000, 300 / random.next())
    for (let y = Math.round(y0) - 6; y <= y0 + 6; y++) {
      for (let x = Math.round(x0) - 6; x <= x0 + 6; x++) {
        science.data[y * width + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 3.25)
      }
    }
  }
  const header = FitsHeader.from({ EGAIN: 1.5, EXPTIME: 60 })
  return { header, width, height, science, mask: compute.uint16(width, height), variance: undefined }
}

import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { RawFrame } from '../frames/fits/rawImage.ts'
import type { Plane } from '../frames/plane.ts'
import { figureRows, type PeerTimes, pythonPeers, secondThreadRows, type Timed, timed } from './benchPeers.ts'
import { calibrate, signalOf } from './calibrate.ts'
import { stackClipped } from './stack.ts'

/**
 * Calibration from the bytes of a raw 16-bit file, beside numpy on the same bytes with buffers that are there already: science
 * alone and with mask and variance, each beside the same arithmetic. A clipped stack of ten beside ccdproc's Combiner.
 */
const sides = [2048, 4096] as const
const runs = 9
const stackRuns = 3
const stackFrames = 10
/** Rows of noise, repeated over the frame: only that values differ matters. */
const noiseLength = 65_521

function noise(): Float32Array {
  const random = createRandom('calibrate')
  return Float32Array.from({ length: noiseLength }, () => 23 * random.normal())
}

/** A raw frame as its file has it: big-endian int16, BZERO 32768, sky of 700 ADU. */
function rawFrame(compute: Compute, side: number, values: Float32Array): RawFrame {
  const pointer = compute.allocate(side * side * 2)
  const bytes = new DataView(compute.memory.buffer, pointer, side * side * 2)
  for (let i = 0; i < side * side; i++) bytes.setInt16(2 * i, Math.round(700 + values[i % noiseLength]!) - 32768)
  const pixels = { kind: 'int16', pointer, width: side, height: side, zero: 32768, blank: undefined } as const
  const header = FitsHeader.from({ EXPTIME: 30 })
  return { header, width: side, height: side, pixels, mask: undefined, saturationAdu: 65535 }
}

function constant(compute: Compute, side: number, value: number): Plane {
  const plane = compute.view(Float32Array, compute.allocate(side * side * 4), side, side)
  plane.data.fill(value)
  return plane
}

/** What numpy does for each figure of calibration is told in its script. */
const full = 'calibrate, with mask and variance'
const againstPlain = 'calibrate, with mask and variance; numpy takes that of the pixel alone'
/** Memory's share: no arithmetic to speak of. */
const stream = 'memory: two float planes read, one written'

type Work = () => void

function calibrateWork(compute: Compute, side: number): Record<string, Work> {
  const raw = rawFrame(compute, side, noise())
  const masters = {
    bias: constant(compute, side, 100),
    dark: { plane: constant(compute, side, 10), exposureSeconds: 60 },
    flat: constant(compute, side, 0.9),
  }
  const camera = { gainElectronsPerAdu: 1.5, readNoiseElectrons: 6, saturationAdu: 60_000 }
  const scoped = (work: Work) => (): void => {
    using _planes = compute.scope()
    work()
  }
  const out = constant(compute, side, 0)
  const [bias, flat] = [masters.bias.pointer, masters.flat.pointer]
  return {
    'calibrate, science alone': scoped(() => void signalOf(compute, raw, masters, camera)),
    [full]: scoped(() => void calibrate(compute, raw, masters, camera)),
    // A float is two of a mask's pixels.
    [stream]: () => compute.rows('uniteMasks', side, [bias, flat, out.pointer, 2 * side]),
  }
}

/** Ten frames of different noise, as the peer's; a twentieth per mille of their pixels hit by a cosmic ray. */
function stackWork(compute: Compute, side: number): Record<string, Work> {
  const values = noise()
  const planes = Array.from({ length: stackFrames }, (_, k) => {
    const plane = compute.view(Float32Array, compute.allocate(side * side * 4), side, side)
    for (let i = 0; i < plane.data.length; i++) {
      plane.data[i] = 600 + values[(i + 7919 * k) % noiseLength]! + (i % 20_011 === 1009 * k ? 5000 : 0)
    }
    return plane
  })
  return {
    'stack of 10, clipped': () => {
      using _planes = compute.scope()
      stackClipped(compute, planes)
    },
  }
}

function measured(clock: Clock, side: number, threads: number): Record<string, Timed> {
  const times = (make: (compute: Compute, side: number) => Record<string, Work>, n: number): [string, Timed][] => {
    using compute = createCompute({ threads })
    return Object.entries(make(compute, side)).map(([figure, work]) => [figure, timed(clock, n, work)])
  }
  return Object.fromEntries([...times(calibrateWork, runs), ...times(stackWork, stackRuns)])
}

function peerPackageOf(figure: string): string | undefined {
  if (figure === stream) return undefined
  return figure.startsWith('stack') ? 'python3-ccdproc' : 'python3-numpy'
}

function rowsOf(side: number, threads: number, ours: Record<string, Timed>, times: PeerTimes): BenchRow[] {
  const figures: [string, Timed][] = [...Object.entries(ours)]
  if (threads === 1) figures.splice(2, 0, [againstPlain, ours[full]!])
  return figures.flatMap(([figure, time]) =>
    figureRows({ figure, side, threads, peerPackage: peerPackageOf(figure) }, time, times),
  )
}

/** Figures of calibration and stacking with their peers, and what a second thread brings. */
export async function benchCalibrate({ clock }: { readonly clock: Clock }): Promise<BenchRow[]> {
  const times = await pythonPeers('bench_calibrate_peers.py', [String(runs), ...sides.map(String)])
  return sides.flatMap((side) => {
    const [one, two] = [measured(clock, side, 1), measured(clock, side, 2)]
    return [...rowsOf(side, 1, one, times), ...rowsOf(side, 2, two, times), ...secondThreadRows(side, one, two)]
  })
}

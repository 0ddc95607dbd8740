import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { measureApertures } from './aperture.ts'
import { measureBackground } from './background.ts'
import { timed as timedCaller } from './benchPeers.ts'
import { injectedLimit } from './limitingMagnitude.ts'
import { limitingMagnitude } from './photometry.ts'
import { measureMoments } from './starMoments.ts'
import { measureStars } from './stars.ts'

/** Aperture photometry of 1000 stars beside sep and photutils on the same frame, and what the limit by injection costs. */
const sides = [2048, 4096] as const
const runs = 15
const count = 1000
const python = '/usr/bin/python3'
const peerScript = fileURLToPath(new URL('../../../scripts/reference/bench_photometry_peers.py', import.meta.url))
const packages = { sep: 'python3-sep', photutils: 'python3-photutils' } as const
const aperture = { radiiPixels: [5], innerPixels: 9, outerPixels: 14 }
const fwhm = 3
const [sky, noise] = [400, 10]

interface Timed {
  readonly ms: number
  readonly cpuMs: number
  readonly n: number
}
type Peers = Readonly<Record<string, Readonly<Record<string, Timed & { peer: string; scatterPercent: number }>>>>

interface Truth {
  readonly x: number
  readonly y: number
  readonly flux: number
}

/** Gaussian stars on a jittered grid, so that each ring of sky is its own. */
function draw(side: number, into: Plane): Truth[] {
  const random = createRandom(`apertures ${side}`)
  for (let i = 0; i < into.data.length; i++) into.data[i] = sky + noise * random.normal()
  const columns = Math.ceil(Math.sqrt(count))
  const cell = side / columns
  const variance = (fwhm / 2.354820045) ** 2
  return Array.from({ length: count }, (_, n) => {
    const x = ((n % columns) + 0.4 + 0.2 * random.next()) * cell
    const y = (Math.floor(n / columns) + 0.4 + 0.2 * random.next()) * cell
    const flux = 20_000 + 80_000 * random.next()
    for (let v = Math.round(y) - 9; v <= y + 9; v++) {
      for (let u = Math.round(x) - 9; u <= x + 9; u++) {
        const light = Math.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * variance))
        into.data[v * side + u]! += (flux / (2 * Math.PI * variance)) * light
      }
    }
    return { x, y, flux }
  })
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function timed(clock: Clock, work: () => void): Timed {
  work()
  const each = Array.from({ length: runs }, () => {
    const [cpu, start] = [process.cpuUsage(), clock.monotonic()]
    work()
    const used = process.cpuUsage(cpu)
    return { ms: clock.monotonic() - start, cpuMs: (used.user + used.system) / 1000 }
  })
  return { ms: middle(each.map(({ ms }) => ms)), cpuMs: middle(each.map(({ cpuMs }) => cpuMs)), n: runs }
}

async function peersOn(files: readonly string[]): Promise<Peers> {
  if (!existsSync(python)) return {}
  try {
    const { stdout } = await promisify(execFile)(python, [peerScript, String(runs), ...files], { timeout: 300_000 })
    return JSON.parse(stdout) as Peers
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/peers', `${peerScript} failed: ${reason}`, { cause })
  }
}

/** Beside the peers one thread: a star is the unit of work, and a series has enough frames for the others. */
export async function benchPhotometry({ clock }: { readonly clock: Clock }): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-photometry-'))
  try {
    const rows: BenchRow[] = []
    for (const side of sides) rows.push(...(await benchSide(clock, side, folder)))
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function benchSide(clock: Clock, side: number, folder: string): Promise<BenchRow[]> {
  using compute = createCompute({ threads: 1 })
  const science = compute.float32(side, side)
  const truth = draw(side, science)
  const paths = [join(folder, `${side}.f32`), join(folder, `${side}.f64`)] as const
  writeFileSync(paths[0], science.data)
  writeFileSync(paths[1], Float64Array.from(truth.flatMap(({ x, y, flux }) => [x, y, flux])))
  const peers = await peersOn([String(side), ...paths])
  let ratios: number[] = []
  const ours = timed(clock, () => {
    const fluxes = measureApertures(compute, science, undefined, truth, aperture)
    ratios = truth.map(({ flux }, star) => fluxes[star]!.fluxAdu[0]! / flux)
  })
  const centre = middle(ratios)
  const scatter = 148.26 * middle(ratios.map((ratio) => Math.abs(ratio - centre)))
  const background = measureBackground(compute, science, undefined)
  const stars = measureStars(compute, science, undefined, background).slice(0, count)
  const shapes = timed(clock, () => {
    measureMoments(compute, science, undefined, background, stars)
  })
  const aboutFluxAdu = 10 ** (-0.4 * limitingMagnitude(0, noise, fwhm))
  const limit = timed(clock, () => {
    injectedLimit(compute, science, undefined, stars, { fwhmPixels: fwhm, aboutFluxAdu })
  })
  const rows: BenchRow[] = [rowOf('limiting magnitude by injection', 'CPU ms', side, limit.cpuMs, null, undefined)]
  for (const name of ['sep', 'photutils'] as const) {
    const peer = peers[name]?.[side]
    const label = peer?.peer ?? `apt-get install ${packages[name]}`
    rows.push(rowOf(`apertures of ${count} stars`, 'CPU ms', side, ours.cpuMs, label, peer?.cpuMs))
    rows.push(rowOf('scatter of aperture fluxes', '%', side, scatter, label, peer?.scatterPercent))
  }
  const peer = peers.sepShapes?.[side]
  const shapeLabel = peer?.peer ?? `apt-get install ${packages.sep}`
  rows.push(
    rowOf(
      `half-light radii, windowed places, isophotes of ${count} stars`,
      'CPU ms',
      side,
      shapes.cpuMs,
      shapeLabel,
      peer?.cpuMs,
    ),
  )
  for (const threads of [1, 2]) {
    const ms = apertureMs(clock, side, truth, threads)
    rows.push({ ...rowOf(manyFigure, 'CPU ms of the caller', side, ms, null, undefined), threads })
  }
  return rows
}

/** Enough stars for two threads to share. */
const manyTimes = 20
const manyFigure = `apertures of ${manyTimes * count} stars`

function apertureMs(clock: Clock, side: number, truth: readonly Truth[], threads: number): number {
  using compute = createCompute({ threads })
  const science = compute.float32(side, side)
  draw(side, science)
  const many = Array.from({ length: manyTimes }, () => truth).flat()
  return timedCaller(clock, runs, () => {
    measureApertures(compute, science, undefined, many, aperture)
  }).callerMs
}

function rowOf(
  figure: string,
  unit: string,
  side: number,
  value: number,
  peer: string | null,
  peerValue: number | undefined,
): BenchRow {
  return {
    room: 'preprocessing',
    figure,
    value,
    unit,
    threads: 1,
    frame: `${side}x${side}`,
    peer,
    peerValue: peerValue ?? null,
    ratio: peerValue ? value / peerValue : null,
    n: runs,
  }
}

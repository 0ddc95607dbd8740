import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { createCompute } from '../frames/compute.ts'
import { paintSpline } from '../frames/mesh.ts'
import { measureBackground } from './background.ts'
import { figureRows, type PeerTimes, pythonPeers, secondThreadRows, type Timed, timed } from './benchPeers.ts'
import { measureStars } from './stars.ts'

/** Sky and stars beside sep: 1,500 stars per megapixel, and 12,000 as they lie in the Milky Way. */
const sides = [2048, 4096] as const
const runs = 5
const fields = [
  { name: '', starsPerMpix: 1500 },
  { name: ', crowded', starsPerMpix: 12_000 },
] as const
/**
 * sep.extract compares the filtered image with 1.5 × the noise of the image before the filter. Its 3 × 3 filter (1 2 1, 2 4 2,
 * 1 2 1 over 16) leaves 3/8 of white noise: that is 4 standard deviations of the filtered image, in which our threshold is.
 */
const equalThreshold = 1.5 / 0.375
const defaultThreshold = 5

/** Sky of 600 ADU with noise and Gaussian stars of FWHM 3 px, N(> F) ∝ F^−0.7. */
function drawSky(side: number, starsPerMpix: number): Float32Array {
  const random = createRandom(`sky ${side} ${starsPerMpix}`)
  const pixels = new Float32Array(side * side)
  for (let i = 0; i < pixels.length; i++) pixels[i] = 600 + 23 * random.normal()
  const sigma = 3 / 2.354820045
  for (let n = 0; n < (starsPerMpix * side * side) / 1e6; n++) {
    const peak = Math.min(3e6, 150 * random.next() ** (-1 / 0.7)) / (2 * Math.PI * sigma * sigma)
    const [x0, y0] = [side * random.next(), side * random.next()]
    for (let y = Math.max(0, Math.floor(y0) - 8); y <= Math.min(side - 1, y0 + 8); y++) {
      for (let x = Math.max(0, Math.floor(x0) - 8); x <= Math.min(side - 1, x0 + 8); x++) {
        pixels[y * side + x]! += peak * Math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma * sigma))
      }
    }
  }
  return pixels
}

interface Field {
  readonly side: number
  readonly name: string
  readonly pixels: Float32Array
}

function measured(clock: Clock, { side, name, pixels }: Field, threads: number): Record<string, Timed> {
  using compute = createCompute({ threads })
  const science = compute.float32(side, side)
  science.data.set(pixels)
  const painted = compute.view(Float32Array, compute.allocate(side * side * 4), side, side)
  const stars = (thresholdSigma: number) => (): void => {
    using _planes = compute.scope()
    measureStars(compute, science, undefined, measureBackground(compute, science, undefined), { thresholdSigma })
  }
  const figures = {
    [`background, painted${name}`]: (): void => {
      using _planes = compute.scope()
      paintSpline(compute, measureBackground(compute, science, undefined).level, painted)
    },
    [`background and stars, 1.5 sigma of sep${name}`]: stars(equalThreshold),
    [`background and stars, 5 sigma${name}`]: stars(defaultThreshold),
  }
  return Object.fromEntries(Object.entries(figures).map(([figure, work]) => [figure, timed(clock, runs, work)]))
}

function fieldRows(clock: Clock, field: Field, times: PeerTimes): BenchRow[] {
  const { side } = field
  const [one, two] = [measured(clock, field, 1), measured(clock, field, 2)]
  const rows = [one, two].flatMap((ours, k) =>
    Object.entries(ours).flatMap(([figure, time]) =>
      figureRows({ figure, side, threads: k + 1, peerPackage: 'python3-sep' }, time, times),
    ),
  )
  return [...rows, ...secondThreadRows(side, one, two)]
}

/** Figures of sky and stars with their peer, and what a second thread brings. */
export async function benchStars({ clock }: { readonly clock: Clock }): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-stars-'))
  try {
    const rows: BenchRow[] = []
    for (const side of sides) {
      for (const { name, starsPerMpix } of fields) {
        const field = { side, name, pixels: drawSky(side, starsPerMpix) }
        const path = join(folder, 'sky.f32')
        writeFileSync(path, field.pixels)
        const times = await pythonPeers('bench_stars_peers.py', [String(runs), String(side), name, path])
        rows.push(...fieldRows(clock, field, times))
      }
    }
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

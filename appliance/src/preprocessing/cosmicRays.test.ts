import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { cosmicRays } from './cosmicRays.ts'

const size = 400
const settings = { gainElectronsPerAdu: 1, readNoiseElectrons: 6 }

interface Scene {
  readonly frame: Frame
  /** Number of the track at each pixel, 0 where there is none. */
  readonly track: Int32Array
  readonly tracks: number
  readonly stars: readonly { readonly x: number; readonly y: number }[]
}

/** Moffat stars (β = 3, FWHM 2.8 px) of all brightnesses on a sky of 500 e⁻, saturated at 60000, with short tracks. */
function scene(compute: Compute): Scene {
  const random = createRandom('cosmic rays')
  const light = new Float64Array(size * size).fill(500)
  const alpha = 2.8 / (2 * Math.sqrt(2 ** (1 / 3) - 1))
  const stars = Array.from({ length: 200 }, () => ({ x: size * random.next(), y: size * random.next() }))
  for (const star of stars) {
    const flux = Math.min(2e6, 200 * random.next() ** -1.4)
    for (let y = Math.max(0, Math.round(star.y) - 20); y <= Math.min(size - 1, Math.round(star.y) + 20); y++) {
      for (let x = Math.max(0, Math.round(star.x) - 20); x <= Math.min(size - 1, Math.round(star.x) + 20); x++) {
        for (let k = 0; k < 9; k++) {
          const [dx, dy] = [x + ((k % 3) - 1) / 3 - star.x, y + (Math.floor(k / 3) - 1) / 3 - star.y]
          light[y * size + x]! += ((flux * 2) / Math.PI / alpha ** 2 / 9) * (1 + (dx * dx + dy * dy) / alpha ** 2) ** -3
        }
      }
    }
  }
  const science = compute.float32(size, size)
  const mask = compute.uint16(size, size)
  for (let i = 0; i < light.length; i++) {
    science.data[i] = Math.min(60000, random.poisson(light[i]!) + 6 * random.normal())
    if (science.data[i]! >= 60000) mask.data[i] = MaskFlag.saturated
  }
  const track = new Int32Array(size * size)
  const tracks = 30
  for (let n = 1; n <= tracks; n++) drawTrack(science.data, track, n, random)
  return {
    frame: { header: FitsHeader.empty, width: size, height: size, science, mask, variance: undefined },
    track,
    tracks,
    stars,
  }
}

function drawTrack(pixels: Float32Array, track: Int32Array, n: number, random: ReturnType<typeof createRandom>): void {
  const [x0, y0] = [10 + (size - 20) * random.next(), 10 + (size - 20) * random.next()]
  const angle = Math.PI * random.next()
  const electrons = 400 * Math.exp(0.5 * random.normal())
  for (let step = 0; step < 1 + 10 * random.next(); step += 0.5) {
    const at = Math.round(y0 + step * Math.sin(angle)) * size + Math.round(x0 + step * Math.cos(angle))
    if (!(at >= 0 && at < track.length) || track[at] !== 0) continue
    track[at] = n
    pixels[at]! += electrons
  }
}

function marked(frame: Frame, at: number): boolean {
  return (frame.mask.data[at]! & MaskFlag.cosmicRay) !== 0
}

describe('cosmic rays', () => {
  test('are found as often as astroscrappy finds them, and stars are left alone', () => {
    using compute = createCompute({ threads: 2 })
    const { frame, track, tracks, stars } = scene(compute)
    const { frame: flagged, hits } = cosmicRays(compute, frame, settings)
    const seen = new Set<number>()
    let falsePixels = 0
    track.forEach((n, at) => {
      if (!marked(flagged, at)) return
      const near = [0, 1, -1, size, -size, size + 1, size - 1, 1 - size, -1 - size].some((step) => track[at + step])
      if (n > 0) seen.add(n)
      else if (!near) falsePixels++
    })
    // astroscrappy 1.1 (sigclip 4.5, objlim 5) on 1 Mpix made like this: 60 of 60 tracks, 68 pixels that no track touched.
    expect(seen.size / tracks).toBeGreaterThanOrEqual(0.93)
    expect(falsePixels).toBeLessThanOrEqual(10)
    const struck = stars.filter(({ x, y }) => {
      const at = Math.round(y) * size + Math.round(x)
      return marked(flagged, at) && track[at] === 0
    })
    expect(struck.length).toBeLessThanOrEqual(1)
    expect(hits).toBe(flagged.mask.data.filter((bits) => (bits & MaskFlag.cosmicRay) !== 0).length)
  })

  test('are marked, not replaced, and the frame that was given stays as it was', () => {
    using compute = createCompute({ threads: 1 })
    const { frame } = scene(compute)
    const before = frame.mask.data.slice()
    const { frame: flagged, hits } = cosmicRays(compute, frame, { ...settings, iterations: 2 })
    expect(flagged.science).toBe(frame.science)
    expect(frame.mask.data).toEqual(before)
    expect(flagged.header.lines('HISTORY').join(' ')).toContain(`${hits} pixels`)
  })

  test('are the same for any number of threads', () => {
    const masks = [1, 3].map((threads) => {
      using compute = createCompute({ threads })
      return cosmicRays(compute, scene(compute).frame, settings).frame.mask.data.slice()
    })
    expect(masks[1]).toEqual(masks[0])
  })
})

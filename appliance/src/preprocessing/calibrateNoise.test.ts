import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { calibrate } from './calibrate.ts'
import { masterBias, masterDark, masterFlat } from './masters.ts'

/**
 * A camera with everything that calibration takes out: a level that wanders from row to row and shows in the overscan, a
 * bias pattern, a dark current, vignetting, a response that bends by 6 % at 30,000 ADU, and whole ADU.
 */
const [side, overscanColumns, gain, readNoise, bend] = [320, 132, 1.3, 5, 2e-6]
const darkSeconds = 60
const random = createRandom('pulls')
const vignetting = (i: number): number =>
  1 - 0.35 * (((i % side) / side - 0.5) ** 2 + (Math.floor(i / side) / side - 0.5) ** 2)
/** e⁻/s; one pixel in 97 is warm. */
const darkPerSecond = (i: number): number => (i % 97 === 0 ? 4 : 0.3 + 0.015 * ((i * 7919) % 13))
const meanVignetting = Array.from({ length: side * side }, (_, i) => vignetting(i)).reduce((a, b) => a + b) / side ** 2

/** The converter's whole number for a pixel's electrons. */
function read(electrons: number, level: number): number {
  const linear = random.poisson(electrons) / gain
  const bent = (-1 + Math.sqrt(1 + 4 * bend * linear)) / (2 * bend)
  return Math.round(level + bent + (readNoise * random.normal()) / gain)
}

function expose(compute: Compute, seconds: number, light: (i: number) => number): Frame {
  const width = side + overscanColumns
  const science = compute.float32(width, side)
  for (let y = 0; y < side; y++) {
    const level = 400 + 20 * Math.sin(y / 30) + 10 * random.next()
    for (let x = 0; x < width; x++) {
      const i = y * side + x
      const pattern = x < side ? 6 * Math.sin(x / 5) : 0
      const electrons = x < side ? light(i) + darkPerSecond(i) * seconds : 0
      science.data[y * width + x] = read(electrons, level + pattern)
    }
  }
  const sections = { TRIMSEC: `[1:${side},1:${side}]`, BIASSEC: `[${side + 1}:${width},1:${side}]` }
  const header = FitsHeader.from({ EXPTIME: seconds, ...sections })
  return { header, width, height: side, science, mask: compute.uint16(width, side), variance: undefined }
}

const several = (make: () => Frame): Frame[] => Array.from({ length: 5 }, make)

/** Mean and width of (calibrated − truth) / √variance. */
function pullsOf({ science, variance }: Frame, truth: (i: number) => number): { mean: number; width: number } {
  let [sum, squares] = [0, 0]
  for (let i = 0; i < science.data.length; i++) {
    const pull = (science.data[i]! - truth(i)) / Math.sqrt(variance!.data[i]!)
    sum += pull
    squares += pull * pull
  }
  const mean = sum / science.data.length
  return { mean, width: Math.sqrt(squares / science.data.length - mean * mean) }
}

test('pulls of faint and bright skies have mean 0 and width 1 with masters of five frames, overscan and a bent response', () => {
  using compute = createCompute({ threads: 1 })
  const nonLinearity = [bend]
  const bias = masterBias(
    compute,
    several(() => expose(compute, 0, () => 0)),
  )
  const flats = several(() => expose(compute, 1, (i) => 24000 * vignetting(i)))
  const { readNoiseAdu } = bias
  const saturationAdu = 65535
  const ofBias = { bias: bias.plane, biasNoise: bias.noise, nonLinearity }
  const flat = masterFlat(compute, flats, { ...ofBias, readNoiseAdu, saturationAdu })
  const gainElectronsPerAdu = flat.gainElectronsPerAdu!
  expect(Math.abs(gainElectronsPerAdu / gain - 1)).toBeLessThan(0.01)
  // Whole ADU add 1/12 ADU² (Janesick 2007, section 3.3.3), and the overscan's level 1/128 of the reading's variance.
  const expected = Math.hypot(readNoise / gain, Math.sqrt(1 / 12)) * Math.sqrt(1 + 1 / 128)
  expect(Math.abs(readNoiseAdu / expected - 1)).toBeLessThan(0.01)
  const darks = several(() => expose(compute, darkSeconds, () => 0))
  const dark = masterDark(compute, darks, bias.plane, { nonLinearity, gainElectronsPerAdu })
  const masters = {
    ...ofBias,
    dark: { plane: dark.plane, exposureSeconds: darkSeconds, noise: dark.noise! },
    flat: flat.plane,
    flatNoise: flat.noise,
  }
  const camera = { gainElectronsPerAdu, readNoiseElectrons: readNoise, saturationAdu, nonLinearity }
  for (const electrons of [0, 10, 100, 3000, 35000]) {
    const out = calibrate(
      compute,
      expose(compute, 30, (i) => electrons * vignetting(i)),
      masters,
      camera,
    )
    expect([out.width, out.height]).toEqual([side, side])
    const { mean, width } = pullsOf(out, () => (electrons * meanVignetting) / gain)
    expect(Math.abs(mean), `mean pull at ${electrons} e⁻`).toBeLessThan(0.02)
    expect(Math.abs(width - 1), `width of pulls at ${electrons} e⁻`).toBeLessThan(0.03)
  }
})

import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { SimulatedExposure } from '@nightjar/firmware-bridge/simulators/camera.ts'
import { expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import type { Plane } from '../frames/plane.ts'
import { gainOfPair } from '../preprocessing/photonTransfer.ts'
import { radiusHolding } from './light.ts'
import { type Optics, psfOf, renderFrame, type SkyScene, trueWcs } from './renderFrame.ts'
import { createSensor, defaultSensor } from './sensor.ts'

const size = 512
const sensor = createSensor(
  { ...defaultSensor, width: size, height: size, vignetting: 0, dustSpecks: 0, prnu: 0.006, cosmicRayRate: 0 },
  'test',
)
const optics: Optics = {
  focalLengthMillimetres: 400,
  zeroMagElectronsPerSecond: 4e8,
  skyMagPerSquareArcsec: 20,
  seeingArcsec: 5,
  smearArcsec: 0,
  rotationDeg: 30,
  focusSteps: 50_000,
  bestFocusSteps: 50_000,
  defocusArcsecPerStep: 0.002,
}
const empty: SkyScene = { points: [], galaxies: [], streaks: [] }
const exposure = (change: Partial<SimulatedExposure> = {}): SimulatedExposure => ({
  seconds: 10,
  frameType: 'light',
  gainSetting: 0,
  offsetSetting: 50,
  binX: 1,
  binY: 1,
  roi: { x: 0, y: 0, width: size, height: size },
  temperatureC: -10,
  filterSlot: 1,
  startedAtMs: 0,
  ...change,
})
const wcs = trueWcs(optics, sensor, 150, 20)
const take = (scene: SkyScene, change: Partial<SimulatedExposure>, seed: string | number, see = optics): Uint16Array =>
  renderFrame(scene, wcs, see, sensor, exposure(change), createRandom(seed))
const mean = (values: ArrayLike<number>): number =>
  (Array.prototype.reduce.call(values, (sum, value) => (sum as number) + (value as number), 0) as number) /
  values.length

test.each([0, 60, 100])(
  'the gain measured from two flats by photon transfer is the gain set (setting %d)',
  (gainSetting) => {
    using compute = createCompute({ threads: 1 })
    const plane = (pixels: Uint16Array): Plane => {
      const made = compute.float32(size, size)
      for (let i = 0; i < pixels.length; i++) made.data[i] = pixels[i]! - 500
      return made
    }
    const flat = (seed: number): Plane => plane(take(empty, { frameType: 'flat', seconds: 1.5, gainSetting }, seed))
    const gain = sensor.gainAt(gainSetting)
    const measured = gainOfPair(compute, flat(1), flat(2), defaultSensor.readNoiseElectrons / gain)
    expect(Math.abs(measured / gain - 1)).toBeLessThan(0.02)
  },
)

test('bias frames have the offset and read noise set', () => {
  const a = take(empty, { frameType: 'bias' }, 1)
  const b = take(empty, { frameType: 'bias' }, 2)
  expect(Math.abs(mean(a) - 500)).toBeLessThan(0.1)
  const variance = varianceOf(a, b)
  // σ²(B₁ − B₂)/2 = (r/g)² + 1/12 of the converter's steps.
  const want = (defaultSensor.readNoiseElectrons / sensor.gainAt(0)) ** 2 + 1 / 12
  expect(Math.abs(variance / 2 / want - 1)).toBeLessThan(0.02)
})

function varianceOf(a: Uint16Array, b: Uint16Array): number {
  let [sum, square] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    const d = a[i]! - b[i]!
    sum += d
    square += d * d
  }
  return square / a.length - (sum / a.length) ** 2
}

test('dark current grows with time and doubles every 6 °C, hot pixels stand out', () => {
  const dark = (seconds: number, temperatureC: number): number =>
    mean(take(empty, { frameType: 'dark', seconds, temperatureC }, 5)) - 500
  const short = dark(300, 20)
  expect(Math.abs(dark(600, 20) / short - 2)).toBeLessThan(0.05)
  expect(Math.abs(dark(300, 26) / short - 2)).toBeLessThan(0.05)
  const hot = take(empty, { frameType: 'dark', seconds: 300, temperatureC: 0 }, 5).filter((value) => value > 600).length
  expect(hot).toBeGreaterThan(0.5 * defaultSensor.hotPixelShare * size * size)
})

test('a star brings the electrons that its magnitude promises, at the place that its coordinates say', () => {
  const star = { raDeg: 150.05, decDeg: 20.03, mag: 11 }
  const lit = take({ ...empty, points: [star] }, {}, 7)
  const dark = take(empty, {}, 7)
  let [sum, sx, sy] = [0, 0, 0]
  for (let i = 0; i < lit.length; i++) {
    const d = lit[i]! - dark[i]!
    const [x, y] = [i % size, Math.floor(i / size)]
    if (Math.hypot(x - reference.x, y - reference.y) > 25) continue
    sum += d
    sx += d * x
    sy += d * y
  }
  const promised = (optics.zeroMagElectronsPerSecond * 10 * 10 ** (-0.4 * 11)) / sensor.gainAt(0)
  // A Moffat profile of beta 3 holds all but (1 + (r/α)²)⁻² of its light within r.
  const alpha = psfOf(optics, 1.93888).fwhmX / (2 * Math.sqrt(2 ** (1 / 3) - 1))
  expect(Math.abs(sum / (promised * (1 - (1 + (25 / alpha) ** 2) ** -2)) - 1)).toBeLessThan(0.01)
  expect(Math.hypot(sx / sum - reference.x, sy / sum - reference.y)).toBeLessThan(0.1)
})

/** astropy 5.2.1, by scripts/reference/simulation.py. */
const reference = { x: 207.8216, y: 347.3613 }

test('charge above the full well bleeds along the column and the converter stops at its top', () => {
  const frame = take({ ...empty, points: [{ raDeg: 150, decDeg: 20, mag: 4 }] }, {}, 9)
  const level = defaultSensor.fullWellElectrons / sensor.gainAt(0) + 500
  const column = Math.round((size - 1) / 2)
  const run = Array.from({ length: size }, (_, y) => frame[y * size + column]!).filter(
    (value) => value > 0.97 * level,
  ).length
  const across = Array.from({ length: size }, (_, x) => frame[column * size + x]!).filter(
    (value) => value > 0.97 * level,
  ).length
  expect(run).toBeGreaterThan(3 * across)
  const amplified = take({ ...empty, points: [{ raDeg: 150, decDeg: 20, mag: 4 }] }, { gainSetting: 60 }, 9)
  expect(amplified.reduce((most, value) => Math.max(most, value), 0)).toBe(65535)
})

test('binning and the region of interest give the frames that were asked for', () => {
  const binned = take(empty, { binX: 2, binY: 2 }, 1)
  expect(binned.length).toBe((size / 2) ** 2)
  const sky = mean(take(empty, {}, 1)) - 500
  expect(Math.abs((mean(binned) - 500) / sky - 4)).toBeLessThan(0.02)
  expect(take(empty, { roi: { x: 10, y: 20, width: 100, height: 50 } }, 1).length).toBe(5000)
})

test('a filter takes its share of the sky, of the stars and of the flat lamp', () => {
  const star = { ...empty, points: [{ raDeg: 150, decDeg: 20, mag: 9 }] }
  const level = (frameType: 'light' | 'flat', transmission: number): number =>
    mean(take(star, { frameType, seconds: 2 }, 1, { ...optics, transmission })) - 500
  expect(level('light', 0.3) / level('light', 1)).toBeCloseTo(0.3, 2)
  expect(level('flat', 0.3) / level('flat', 1)).toBeCloseTo(0.3, 2)
})

test('a flat that is saturated everywhere is all at the full well', () => {
  const flat = take(empty, { frameType: 'flat', seconds: 60 }, 1)
  const level = defaultSensor.fullWellElectrons / sensor.gainAt(0) + 500
  expect(Math.abs(mean(flat) / level - 1)).toBeLessThan(0.001)
})

test('moving the focuser away blurs the stars', () => {
  expect(psfOf({ ...optics, focusSteps: 52_500 }, 2).fwhmX).toBeCloseTo(Math.hypot(5, 5) / 2, 6)
})

test('half of a galaxy lies within its half-light radius', () => {
  // By definition for every Sérsic index; 80 % of an exponential disc lies within 1.784 half-light radii.
  expect(radiusHolding(0.5, 1)).toBeCloseTo(1, 1)
  expect(radiusHolding(0.5, 4)).toBeCloseTo(1, 0)
  expect(radiusHolding(0.8, 1)).toBeCloseTo(1.784, 1)
})

test('the same seed makes the same frame', () => {
  expect(Buffer.from(take(empty, {}, 3).buffer).equals(Buffer.from(take(empty, {}, 3).buffer))).toBe(true)
})

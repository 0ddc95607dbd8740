import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import type { SimulatedExposure } from '@nightjar/firmware-bridge/simulators/camera.ts'
import type { ElectronImage } from './light.ts'

export interface SensorFacts {
  readonly width: number
  readonly height: number
  readonly pixelMicrometres: number
  /** At gain setting 0; each 60 steps of the setting halve it (0.1 dB a step). */
  readonly gainElectronsPerAdu: number
  readonly readNoiseElectrons: number
  readonly fullWellElectrons: number
  /** At 0 °C; doubles every 6 °C. */
  readonly darkElectronsPerSecond: number
  readonly hotPixelShare: number
  /** 1 σ of the pixels' unequal sensitivity. */
  readonly prnu: number
  /** Light lost in the corner. */
  readonly vignetting: number
  readonly dustSpecks: number
  /** Per square centimetre and second. */
  readonly cosmicRayRate: number
}

type Roi = SimulatedExposure['roi']

/** The silicon: everything that belongs to the camera and not to the sky. Its pattern is a function of the seed. */
export interface Sensor extends SensorFacts {
  gainAt(setting: number): number
  /** Vignetting, dust and unequal pixels. */
  applyResponse(image: ElectronImage, roi: Roi): void
  addDark(image: ElectronImage, roi: Roi, seconds: number, temperatureC: number): void
  addCosmicRays(image: ElectronImage, seconds: number, random: Random): void
  /** Charge above the full well runs along the column, both ways. */
  bloom(image: ElectronImage): void
  /** Bins, reads, amplifies and digitises. */
  read(image: ElectronImage, exposure: SimulatedExposure, random: Random): Uint16Array
}

export const defaultSensor: Omit<SensorFacts, 'width' | 'height'> = {
  pixelMicrometres: 3.76,
  gainElectronsPerAdu: 1.25,
  readNoiseElectrons: 4,
  fullWellElectrons: 75_000,
  darkElectronsPerSecond: 0.02,
  hotPixelShare: 2e-4,
  prnu: 0.006,
  vignetting: 0.18,
  dustSpecks: 6,
  cosmicRayRate: 0.025,
}

/** ADU per step of the offset setting. */
const aduPerOffset = 10
const converterTop = 65535

export function createSensor(facts: SensorFacts, seed: number | string): Sensor {
  const { width, height } = facts
  const response = responseOf(facts, createRandom(`${seed}/response`))
  const darkFactor = darkPattern(facts, createRandom(`${seed}/dark`))
  const gainAt = (setting: number): number => facts.gainElectronsPerAdu * 2 ** (-setting / 60)
  return {
    ...facts,
    gainAt,
    applyResponse: (image, roi) => eachPixel(image, roi, width, (i, at) => (image.data[i]! *= response[at]!)),
    addDark(image, roi, seconds, temperatureC) {
      const electrons = facts.darkElectronsPerSecond * 2 ** (temperatureC / 6) * seconds
      if (electrons > 0) eachPixel(image, roi, width, (i, at) => (image.data[i]! += electrons * darkFactor[at]!))
    },
    addCosmicRays: (image, seconds, random) => addCosmicRays(image, facts, seconds, random),
    bloom: (image) => bloom(image, facts.fullWellElectrons),
    read: (image, exposure, random) =>
      read(image, exposure, gainAt(exposure.gainSetting), facts.readNoiseElectrons, random),
  }

  function responseOf(sensor: SensorFacts, random: Random): Float32Array {
    const map = new Float32Array(width * height)
    const corner = (width / 2) ** 2 + (height / 2) ** 2
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const r2 = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / corner
        map[i] = (1 - sensor.vignetting * r2) * (1 + sensor.prnu * random.normal())
      }
    }
    for (let k = 0; k < sensor.dustSpecks; k++) addDust(map, random)
    return map
  }

  /** The shadow of a speck out of focus: a ring. */
  function addDust(map: Float32Array, random: Random): void {
    const [cx, cy] = [random.next() * width, random.next() * height]
    const outer = (0.015 + 0.025 * random.next()) * Math.max(width, height)
    const depth = 0.03 + 0.05 * random.next()
    for (let y = Math.max(0, Math.floor(cy - outer)); y < Math.min(height, cy + outer); y++) {
      for (let x = Math.max(0, Math.floor(cx - outer)); x < Math.min(width, cx + outer); x++) {
        const r = Math.hypot(x - cx, y - cy) / outer
        if (r < 1) map[y * width + x]! *= 1 - depth * Math.exp(-(((r - 0.7) / 0.2) ** 2))
      }
    }
  }
}

/** `use(index in the image, index on the sensor)`. */
function eachPixel(image: ElectronImage, roi: Roi, sensorWidth: number, use: (i: number, at: number) => void): void {
  for (let y = 0, i = 0; y < image.height; y++) {
    let at = (roi.y + y) * sensorWidth + roi.x
    for (let x = 0; x < image.width; x++) use(i++, at++)
  }
}

/** Dark current relative to the mean; hot pixels make 50 to 5000 times as much. */
function darkPattern(sensor: SensorFacts, random: Random): Float32Array {
  const map = new Float32Array(sensor.width * sensor.height)
  for (let i = 0; i < map.length; i++) map[i] = Math.max(0.2, 1 + 0.15 * random.normal())
  const hot = Math.round(sensor.hotPixelShare * map.length)
  for (let k = 0; k < hot; k++) map[random.integer(map.length)] = 50 * 100 ** random.next()
  return map
}

function addCosmicRays(image: ElectronImage, sensor: SensorFacts, seconds: number, random: Random): void {
  const areaCm2 = (image.width * image.height * sensor.pixelMicrometres ** 2) / 1e8
  const hits = random.poisson(sensor.cosmicRayRate * areaCm2 * seconds)
  for (let k = 0; k < hits; k++) addTrack(image, random)
}

/** A straight track of a few pixels; 80 electrons a micrometre spread log-normally over its pixels. */
function addTrack(image: ElectronImage, random: Random): void {
  const angle = random.next() * 2 * Math.PI
  const length = 1 - 5 * Math.log(1 - random.next())
  let x = random.next() * image.width
  let y = random.next() * image.height
  const steps = Math.max(1, Math.round(length * 2))
  const perStep = 0.5 * 400 * Math.exp(0.6 * random.normal())
  for (let k = 0; k < steps; k++) {
    const [column, row] = [Math.floor(x), Math.floor(y)]
    if (column >= 0 && row >= 0 && column < image.width && row < image.height)
      image.data[row * image.width + column]! += perStep
    x += Math.cos(angle) / 2
    y += Math.sin(angle) / 2
  }
}

/** One pass each way along every column, so that a frame which is saturated everywhere takes no longer than any other. */
function bloom({ width, height, data }: ElectronImage, fullWell: number): void {
  const excess = new Float32Array(height)
  for (const x of saturatedColumns(data, width, fullWell)) {
    for (let y = 0, at = x; y < height; y++, at += width) {
      const over = Math.max(0, data[at]! - fullWell)
      excess[y] = over / 2
      if (over > 0) data[at] = fullWell
    }
    spill(data, x, width, excess, fullWell)
    spill(data, x + (height - 1) * width, -width, excess.reverse(), fullWell)
  }
}

function saturatedColumns(data: Float32Array, width: number, fullWell: number): Set<number> {
  const columns = new Set<number>()
  for (let i = 0; i < data.length; i++) if (data[i]! > fullWell) columns.add(i % width)
  return columns
}

/** Carries each pixel's excess along the column until it finds room; what reaches the end is lost. */
function spill(data: Float32Array, start: number, stride: number, excess: Float32Array, fullWell: number): void {
  let carried = 0
  for (let k = 0, at = start; k < excess.length; k++, at += stride) {
    const taken = Math.min(carried, fullWell - data[at]!)
    data[at]! += taken
    carried += excess[k]! - taken
  }
}

function read(
  image: ElectronImage,
  exposure: SimulatedExposure,
  gain: number,
  readNoise: number,
  random: Random,
): Uint16Array {
  const { binX, binY, offsetSetting } = exposure
  const width = Math.floor(image.width / binX)
  const height = Math.floor(image.height / binY)
  const bias = offsetSetting * aduPerOffset
  const out = new Uint16Array(width * height)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      let electrons = 0
      for (let j = 0; j < binY; j++)
        for (let k = 0; k < binX; k++) electrons += image.data[(y * binY + j) * image.width + x * binX + k]!
      const adu = Math.round(bias + (electrons + readNoise * random.normal()) / gain)
      out[i] = Math.max(0, Math.min(converterTop, adu))
    }
  }
  return out
}

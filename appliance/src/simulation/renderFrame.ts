import type { Random } from '@nightjar/firmware-bridge/random.ts'
import type { SimulatedExposure } from '@nightjar/firmware-bridge/simulators/camera.ts'
import { skyToPixel, type Wcs } from '../frames/wcs.ts'
import { addGalaxy, addStar, addStreak, type ElectronImage, type Psf } from './light.ts'
import type { Sensor } from './sensor.ts'

/** A point of light; magnitudes are those of the star catalogue (Tycho V_T). */
export interface PointSource {
  readonly raDeg: number
  readonly decDeg: number
  readonly mag: number
}

export interface GalaxySource extends PointSource {
  /** Half of the light is within this. */
  readonly radiusArcsec: number
  readonly axisRatio: number
  readonly angleDeg: number
  /** 1 = exponential disc, 4 = de Vaucouleurs. */
  readonly sersicIndex: 1 | 4
}

/** A satellite's path during the exposure. */
export interface StreakSource {
  readonly from: { readonly raDeg: number; readonly decDeg: number }
  readonly to: { readonly raDeg: number; readonly decDeg: number }
  /** Of the whole path. */
  readonly mag: number
}

/** What is in the sky while the shutter is open. */
export interface SkyScene {
  readonly points: readonly PointSource[]
  readonly galaxies: readonly GalaxySource[]
  readonly streaks: readonly StreakSource[]
}

export interface Optics {
  readonly focalLengthMillimetres: number
  /** Electrons per second from a star of magnitude 0, through the whole system. */
  readonly zeroMagElectronsPerSecond: number
  /** Share of the light that the filter in the beam lets through; 1 when absent. */
  readonly transmission?: number
  readonly skyMagPerSquareArcsec: number
  readonly seeingArcsec: number
  /** Movement of the stars during the exposure, 1 σ along x, from imperfect tracking. */
  readonly smearArcsec: number
  readonly rotationDeg: number
  readonly focusSteps: number
  readonly bestFocusSteps: number
  /** Blur added per step from best focus, in quadrature. */
  readonly defocusArcsecPerStep: number
}

/** Flat field lamp or dusk sky: electrons per second and pixel. */
const flatElectronsPerSecond = 12_000
const moffatBeta = 3

/** Arc seconds per unbinned pixel. */
export const pixelScale = (optics: Optics, sensor: Sensor): number =>
  (206.264806 * sensor.pixelMicrometres) / optics.focalLengthMillimetres

/** The true world coordinates of an unbinned full frame whose centre looks at a place. North is along +y at rotation 0. */
export function trueWcs(optics: Optics, sensor: Sensor, raDeg: number, decDeg: number): Wcs {
  const scaleDeg = pixelScale(optics, sensor) / 3600
  const cos = Math.cos((optics.rotationDeg * Math.PI) / 180)
  const sin = Math.sin((optics.rotationDeg * Math.PI) / 180)
  return {
    referencePixel: [(sensor.width - 1) / 2, (sensor.height - 1) / 2],
    raDeg,
    decDeg,
    cd: [-scaleDeg * cos, scaleDeg * sin, scaleDeg * sin, scaleDeg * cos],
  }
}

/**
 * The ADU values that the camera would deliver for this exposure: photons of sky, stars, galaxies and satellites through
 * optics with vignetting and dust onto pixels of unequal sensitivity, dark current and hot pixels, cosmic rays, photon
 * noise, blooming above the full well, binning, read noise, gain and the 16-bit converter. Row-major, the region of
 * interest over the binning wide and high.
 */
export function renderFrame(
  scene: SkyScene,
  wcs: Wcs,
  optics: Optics,
  sensor: Sensor,
  exposure: SimulatedExposure,
  random: Random,
): Uint16Array {
  const { roi } = exposure
  const image: ElectronImage = { width: roi.width, height: roi.height, data: new Float32Array(roi.width * roi.height) }
  const seconds = exposure.frameType === 'bias' ? 0 : exposure.seconds
  if (exposure.frameType === 'light') addSky(image, scene, wcs, optics, sensor, exposure)
  if (exposure.frameType === 'flat') image.data.fill(flatElectronsPerSecond * (optics.transmission ?? 1) * seconds)
  if (exposure.frameType === 'light' || exposure.frameType === 'flat') sensor.applyResponse(image, roi)
  sensor.addDark(image, roi, seconds, exposure.temperatureC)
  addNoise(image.data, random.fork('photons'))
  sensor.addCosmicRays(image, Math.max(seconds, 0), random.fork('cosmic rays'))
  sensor.bloom(image)
  return sensor.read(image, exposure, random.fork('read'))
}

function addSky(
  image: ElectronImage,
  scene: SkyScene,
  wcs: Wcs,
  optics: Optics,
  sensor: Sensor,
  exposure: SimulatedExposure,
): void {
  const scale = pixelScale(optics, sensor)
  const zero = optics.zeroMagElectronsPerSecond * (optics.transmission ?? 1) * exposure.seconds
  const electrons = (mag: number): number => zero * 10 ** (-0.4 * mag)
  image.data.fill(electrons(optics.skyMagPerSquareArcsec) * scale * scale)
  const psf = psfOf(optics, scale)
  const place = (raDeg: number, decDeg: number): { x: number; y: number } | undefined => {
    const pixel = skyToPixel(wcs, raDeg, decDeg)
    return pixel && { x: pixel.x - exposure.roi.x, y: pixel.y - exposure.roi.y }
  }
  for (const star of scene.points) {
    const at = place(star.raDeg, star.decDeg)
    if (at) addStar(image, at.x, at.y, electrons(star.mag), psf)
  }
  for (const galaxy of scene.galaxies) {
    const at = place(galaxy.raDeg, galaxy.decDeg)
    if (at)
      addGalaxy(image, at.x, at.y, electrons(galaxy.mag), { ...galaxy, radiusPixels: galaxy.radiusArcsec / scale }, psf)
  }
  for (const streak of scene.streaks) {
    const from = place(streak.from.raDeg, streak.from.decDeg)
    const to = place(streak.to.raDeg, streak.to.decDeg)
    if (from && to) addStreak(image, from, to, electrons(streak.mag), psf)
  }
}

/** Seeing, focus and tracking in quadrature; tracking lengthens the image along x. */
export function psfOf(optics: Optics, scaleArcsec: number): Psf {
  const blur = Math.abs(optics.focusSteps - optics.bestFocusSteps) * optics.defocusArcsecPerStep
  const round = Math.hypot(optics.seeingArcsec, blur) / scaleArcsec
  const long = Math.hypot(round, (2.3548 * optics.smearArcsec) / scaleArcsec)
  return { fwhmX: long, fwhmY: round, beta: moffatBeta }
}

/** Poisson below 25 electrons, above it the normal deviate of the same mean and variance. */
function addNoise(data: Float32Array, random: Random): void {
  for (let i = 0; i < data.length; i++) {
    const mean = data[i]!
    if (mean > 25) data[i] = mean + Math.sqrt(mean) * random.normal()
    else if (mean > 0) data[i] = random.poisson(mean)
  }
}

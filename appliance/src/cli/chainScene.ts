import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { PointSource } from '../differencing/quality/profiles.ts'
import { makeScene } from '../differencing/testScene.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { skyToPixel, type Wcs } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'

/** A raw frame, its masters and its reference as files, for the measurement of the whole way from one to candidates. */

export const chainField = { raDeg: 73, decDeg: 41, scaleArcsecPerPixel: 1.5 } as const
export const chainCamera = {
  gainElectronsPerAdu: 1,
  readNoiseElectrons: 6,
  saturationAdu: 58_000,
  pixelMicrometres: 3.76,
  // 206.264806 × 3.76 µm / 1.5″
  focalLengthMillimetres: 517.037,
} as const

/** A catalogue star of magnitude 11 has so many electrons; fainter ones in proportion. */
const electronsAtMag11 = 60_000
/** What the catalogue leaves out is fainter. */
const brightestStarElectrons = 40_000
const exposureSeconds = 60
const biasAdu = 300
const darkAdu = 12
const raysPerMpix = 60

export interface ChainSize {
  readonly width: number
  readonly height: number
  readonly starsPerMpix?: number
}

/** Writes raw, bias, dark, flat and reference into `folder`. */
export function makeChainScene(folder: string, { width, height, starsPerMpix = 1500 }: ChainSize): void {
  mkdirSync(folder, { recursive: true })
  using compute = createCompute({ threads: 1 })
  const { science, reference } = makeScene(compute, {
    width,
    height,
    seed: `chain-${width}`,
    starsPerMpix,
    brightestStarElectrons,
    fwhmReferencePixels: 2.6,
    transientsPerMpix: 10,
    cosmicRays: Math.round((raysPerMpix * width * height) / 1e6),
    addedStars: catalogueStars(width, height),
  })
  const [bias, dark, flat] = masters(compute, width, height)
  for (let i = 0; i < science.science.data.length; i++) {
    const light = science.science.data[i]! * flat!.data[i]! + dark!.data[i]! + bias!.data[i]!
    science.science.data[i] = Math.min(65_535, Math.max(0, Math.round(light)))
  }
  const header = FitsHeader.from({ EXPTIME: [exposureSeconds, 's'], SATURATE: chainCamera.saturationAdu })
  const raw = encodeFits([{ header, data: science.science, bitpix: 16, bzero: 32_768 }])
  writeFileSync(join(folder, 'raw.fits'), raw)
  for (const [name, data] of Object.entries({ bias, dark, flat })) {
    writeFileSync(join(folder, `${name}.fits`), encodeFits([{ header, data: data! }]))
  }
  writeFileSync(join(folder, 'reference.fits'), encodeFits([{ header: reference.header, data: reference.science }]))
}

function masters(compute: Compute, width: number, height: number) {
  const random = createRandom('chain masters')
  return ['bias', 'dark', 'flat'].map((name) => {
    const plane = compute.float32(width, height)
    for (let i = 0; i < plane.data.length; i++) {
      const [u, v] = [(i % width) / width - 0.5, Math.floor(i / width) / height - 0.5]
      if (name === 'bias') plane.data[i] = biasAdu + 0.5 * random.normal()
      else if (name === 'dark') plane.data[i] = darkAdu + 0.5 * random.normal()
      else plane.data[i] = (1.04 - 0.25 * (u * u + v * v)) * (1 + 0.002 * random.normal())
    }
    return plane
  })
}

function catalogueStars(width: number, height: number): PointSource[] {
  const { raDeg, decDeg, scaleArcsecPerPixel } = chainField
  const scaleDeg = scaleArcsecPerPixel / 3600
  const wcs: Wcs = {
    referencePixel: [(width - 1) / 2, (height - 1) / 2],
    raDeg,
    decDeg,
    cd: [-scaleDeg, 0, 0, scaleDeg],
  }
  const near = openStarCatalogue().starsNear(raDeg, decDeg, 0.5 * Math.hypot(width, height) * scaleDeg)
  return near.flatMap((star) => {
    const at = skyToPixel(wcs, star.raDeg, star.decDeg)
    if (!at || at.x < 0 || at.y < 0 || at.x >= width || at.y >= height) return []
    return [{ ...at, flux: Math.min(8e6, electronsAtMag11 * 10 ** (-0.4 * (star.mag - 11))) }]
  })
}

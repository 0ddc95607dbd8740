import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { encodeGreyPng } from '../../frames/png.ts'

/** A star, galaxy or transient of the test sky; pixels and ADU. */
export interface Source {
  readonly x: number
  readonly y: number
  readonly fluxAdu: number
  readonly sigmaPixels: number
  /** Axis ratio and angle; 1 and 0 for stars. */
  readonly axisRatio: number
  readonly angleRad: number
}

/** Stars with the usual steep number counts and a few galaxies, from a seed. */
export function drawSources(seed: string, width: number, height: number): Source[] {
  const random = createRandom(seed)
  const place = () => ({ x: random.next() * width, y: random.next() * height })
  const stars = Array.from({ length: Math.round((width * height) / 1800) }, () => ({
    ...place(),
    fluxAdu: Math.min(900_000, 900 * (1 - random.next()) ** -1.15),
    sigmaPixels: 1.25,
    axisRatio: 1,
    angleRad: 0,
  }))
  const galaxies = Array.from({ length: Math.round((width * height) / 40_000) }, () => ({
    ...place(),
    fluxAdu: 30_000 + random.next() * 160_000,
    sigmaPixels: 3 + random.next() * 6,
    axisRatio: 0.35 + random.next() * 0.6,
    angleRad: random.next() * Math.PI,
  }))
  return [...stars, ...galaxies]
}

/** Renders sources over a flat sky with Gaussian noise; ADU, row-major. */
export function renderSky(sources: readonly Source[], width: number, height: number, seed: string): Float32Array {
  const random = createRandom(seed)
  const pixels = new Float32Array(width * height)
  for (let i = 0; i < pixels.length; i++) pixels[i] = 1200 + 14 * random.normal()
  for (const source of sources) addSource(pixels, width, height, source)
  return pixels
}

function addSource(pixels: Float32Array, width: number, height: number, source: Source): void {
  const { x, y, fluxAdu, sigmaPixels, axisRatio, angleRad } = source
  const reach = Math.ceil(sigmaPixels * 5)
  const peak = fluxAdu / (2 * Math.PI * sigmaPixels ** 2 * axisRatio)
  const cos = Math.cos(angleRad)
  const sin = Math.sin(angleRad)
  for (let row = Math.max(0, Math.ceil(y - reach)); row <= Math.min(height - 1, y + reach); row++) {
    for (let column = Math.max(0, Math.ceil(x - reach)); column <= Math.min(width - 1, x + reach); column++) {
      const along = (column - x) * cos + (row - y) * sin
      const across = ((row - y) * cos - (column - x) * sin) / axisRatio
      pixels[row * width + column]! += peak * Math.exp(-(along ** 2 + across ** 2) / (2 * sigmaPixels ** 2))
    }
  }
}

/** A 16-bit FITS file (BITPIX 16, BZERO 32768) of `pixels`. */
export function fitsBytes(pixels: Float32Array, width: number, height: number): Buffer {
  const cards = [
    'SIMPLE  =                    T',
    'BITPIX  =                   16',
    'NAXIS   =                    2',
    `NAXIS1  = ${String(width).padStart(20)}`,
    `NAXIS2  = ${String(height).padStart(20)}`,
    'BSCALE  =                  1.0',
    'BZERO   =              32768.0',
    'END',
  ]
  const header = Buffer.from(
    cards
      .map((card) => card.padEnd(80))
      .join('')
      .padEnd(2880),
    'latin1',
  )
  const data = Buffer.alloc(Math.ceil((pixels.length * 2) / 2880) * 2880)
  pixels.forEach((value, i) => {
    data.writeInt16BE(Math.max(0, Math.min(65535, Math.round(value))) - 32768, i * 2)
  })
  return Buffer.concat([header, data])
}

const stampPixels = 63

/** The three stamps of one transient in a small host galaxy, as PNG. */
export function drawStamps(seed: string, fluxAdu: number): Record<'science' | 'reference' | 'difference', Uint8Array> {
  const random = createRandom(seed)
  const star = { sigmaPixels: 1.6, axisRatio: 1, angleRad: 0 }
  const host = { x: 31 + 5 * random.normal(), y: 31 + 5 * random.normal(), fluxAdu: 90_000, sigmaPixels: 6 }
  const sky: Source[] = [{ ...host, axisRatio: 0.55, angleRad: random.next() * 3 }]
  for (let i = 0; i < 5; i++) {
    sky.push({ x: random.next() * 63, y: random.next() * 63, fluxAdu: 3000 * (1 - random.next()) ** -1, ...star })
  }
  const transient = { x: 31, y: 31, fluxAdu, ...star }
  const science = renderSky([...sky, transient], stampPixels, stampPixels, `${seed}/science`)
  const reference = renderSky(sky, stampPixels, stampPixels, `${seed}/reference`)
  const difference = science.map((value, i) => value - reference[i]!)
  return {
    science: stamp(science, 1150, 1150 + 1400),
    reference: stamp(reference, 1150, 1150 + 1400),
    difference: stamp(difference, -120, 320),
  }
}

function stamp(pixels: Float32Array, low: number, high: number): Uint8Array {
  const curve = (value: number): number => Math.asinh(3 * Math.max(0, value)) / Math.asinh(3)
  const grey = Uint8Array.from(pixels, (value) => Math.min(255, 255 * curve((value - low) / (high - low))))
  return encodeGreyPng(grey, stampPixels, stampPixels)
}

import type { Compute } from '../frames/compute.ts'
import { type FitsHeader, type HeaderEntries, real } from '../frames/fits/header.ts'
import type { RawFrame } from '../frames/fits/rawImage.ts'
import type { Frame } from '../frames/frame.ts'
import type { Plane } from '../frames/plane.ts'
import { allocateCalibrated, type CalibratedPlanes, type CameraFacts, calibrate, type Masters } from './calibrate.ts'
import { preprocessingError } from './errors.ts'
import { geometryOf } from './overscan.ts'

/**
 * Colour cameras: behind a mosaic of 2 × 2 colours (BAYERPAT) neighbouring pixels see different light, so that nothing can be
 * measured on them. A super-pixel is the mean of each 2 × 2 pixels: it sees all colours wherever the mosaic begins and
 * whichever way its rows run, so that the pattern's phase is not needed.
 */

/** The mosaic's colours as BAYERPAT names them, or undefined for a camera without. Throws `preprocessing/mosaic` for others. */
export function mosaicOf(header: FitsHeader): string | undefined {
  const text = header.text('BAYERPAT')?.trim().toUpperCase()
  if (text === undefined || text === '' || text === 'NONE' || text === 'F') return undefined
  if (/^[RGBCMYW]{4}$/.test(text) || text === 'TRUE' || text === 'T') return text
  throw preprocessingError(
    'mosaic',
    `BAYERPAT is ${JSON.stringify(text)}: mosaics of 2 × 2 colours (RGGB, BGGR, GRBG, GBRG …) can be read; turn others into luminance first`,
  )
}

/** Planes for the super-pixels of a calibrated frame of this size; an odd last row or column is left out. */
export function allocateSuperPixels(
  compute: Compute,
  size: { readonly width: number; readonly height: number },
): CalibratedPlanes {
  const [width, height] = [size.width >> 1, size.height >> 1]
  const floats = (): Plane => compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  return {
    science: floats(),
    variance: floats(),
    mask: compute.view(Uint16Array, compute.allocate(width * height * 2), width, height),
  }
}

/** Planes for what `lightOf` makes of a raw frame of this size. Throws as `mosaicOf` and `allocateCalibrated`. */
export function allocateLight(
  compute: Compute,
  raw: { readonly header: FitsHeader; readonly width: number; readonly height: number },
  camera: Pick<CameraFacts, 'overscan'>,
): CalibratedPlanes {
  if (mosaicOf(raw.header) === undefined) return allocateCalibrated(compute, raw, camera)
  const { trim } = geometryOf(raw.header, raw.width, raw.height, camera.overscan)
  return allocateSuperPixels(compute, { width: trim.x1 - trim.x0, height: trim.y1 - trim.y0 })
}

/** A raw frame calibrated (see `calibrate`), a colour camera's as super-pixels. Scratch planes are left to the caller's scope. */
export function lightOf(
  compute: Compute,
  raw: RawFrame,
  masters: Masters,
  camera: CameraFacts,
  into: CalibratedPlanes,
): Frame {
  if (mosaicOf(raw.header) === undefined) return calibrate(compute, raw, masters, camera, into)
  return superPixels(compute, calibrate(compute, raw, masters, camera), into)
}

/**
 * A frame of super-pixels: science in ADU is the mean of the four, variance their sum / 16, the mask all of their bits. Gain,
 * read noise, pixel size, binning and WCS are those of the larger pixels. Throws `preprocessing/shape` for planes of another
 * size than half the frame's, and as `mosaicOf`.
 */
export function superPixels(
  compute: Compute,
  frame: Frame,
  into: CalibratedPlanes = allocateSuperPixels(compute, frame),
): Frame {
  const { science, variance, mask } = into
  const { width, height } = science
  if (width !== frame.width >> 1 || height !== frame.height >> 1) {
    const sizes = `${width} × ${height} pixels for a mosaic of ${frame.width} × ${frame.height}`
    throw preprocessingError('shape', `${sizes}: super-pixels take planes of half its size`)
  }
  compute.rows('superPixels', height, [
    frame.science.pointer,
    frame.variance?.pointer ?? 0,
    frame.mask.pointer,
    frame.width,
    science.pointer,
    variance.pointer,
    mask.pointer,
    width,
  ])
  const header = superPixelHeader(frame.header)
  return { header, width, height, science, mask, variance: frame.variance && variance }
}

/** A frame that can be measured: one of a colour camera as super-pixels, any other as it is. Throws as `mosaicOf`. */
export function withoutMosaic(compute: Compute, frame: Frame): Frame {
  return mosaicOf(frame.header) === undefined ? frame : superPixels(compute, frame)
}

/** Cards that hold a length in pixels' worth of micrometres or arc seconds. */
const doubled = [
  'XPIXSZ',
  'YPIXSZ',
  'PIXSIZE1',
  'PIXSIZE2',
  'SCALE',
  'PIXSCALE',
  'SECPIX',
  'SECPIX1',
  'SECPIX2',
] as const
const mosaicCards = ['BAYERPAT', 'XBAYROFF', 'YBAYROFF', 'BAYOFFX', 'BAYOFFY', 'COLORTYP'] as const

/** The header of the super-pixels of a frame; a frame that is none is refused as by `mosaicOf`. */
export function superPixelHeader(header: FitsHeader): FitsHeader {
  const colours = mosaicOf(header) ?? 'none'
  const scaled = (key: string, factor: number): HeaderEntries => {
    const value = header.number(key)
    return value === undefined ? {} : { [key]: real(value * factor) }
  }
  return header
    .without(...mosaicCards)
    .withAll({
      MOSAIC: [colours, 'colours of 2 x 2 pixels, averaged to one'],
      XBINNING: 2 * (header.number('XBINNING') ?? 1),
      YBINNING: 2 * (header.number('YBINNING') ?? 1),
      ...Object.assign({}, ...doubled.map((key) => scaled(key, 2))),
      // The mean of four has four times the electrons to the ADU, and the noise of four readings.
      ...scaled('EGAIN', 4),
      ...scaled('RDNOISE', 2),
      ...wcsCards(header, scaled),
    })
    .withHistory('nightjar mosaic 1: mean of each 2 x 2 pixels')
}

type Scaled = (key: string, factor: number) => HeaderEntries

/** The middle of the first super-pixel, (1.5, 1.5) as FITS counts, becomes (1, 1). SIP: Shupe et al. 2005, ASP 347, 491. */
function wcsCards(header: FitsHeader, scaled: Scaled): HeaderEntries {
  const reference = (key: string): HeaderEntries => {
    const value = header.number(key)
    return value === undefined ? {} : { [key]: real((value + 0.5) / 2) }
  }
  const linear = ['CD1_1', 'CD1_2', 'CD2_1', 'CD2_2', 'CDELT1', 'CDELT2'].map((key) => scaled(key, 2))
  const bent = header.cards.flatMap(({ key }) => {
    const [, p, q] = /^(?:A|B|AP|BP)_(\d)_(\d)$/.exec(key) ?? []
    return p === undefined || q === undefined ? [] : [scaled(key, 2 ** (Number(p) + Number(q) - 1))]
  })
  return Object.assign({}, reference('CRPIX1'), reference('CRPIX2'), ...linear, ...bent) as HeaderEntries
}

/** The four colours of a mosaic apart, each a plane of a quarter of its pixels; `of` has the mosaic's shape. */
export function colourPlanes(compute: Compute, of: Plane): Plane[] {
  const [width, height] = [of.width >> 1, of.height >> 1]
  return [0, 1, 2, 3].map((colour) => {
    const plane = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
    const start = (colour >> 1) * of.width + (colour & 1)
    for (let y = 0; y < height; y++) {
      const row = start + 2 * y * of.width
      for (let x = 0; x < width; x++) plane.data[y * width + x] = of.data[row + 2 * x]!
    }
    return plane
  })
}

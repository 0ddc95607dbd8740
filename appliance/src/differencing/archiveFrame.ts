import type { Compute } from '../frames/compute.ts'
import { real } from '../frames/fits/header.ts'
import { readFrame } from '../frames/fits/read.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import { skyToPixel, type Wcs, wcsToHeader } from '../frames/wcs.ts'
import { type MeasuredFrame, measureFrame } from '../preprocessing/measuredFrame.ts'
import type { PictureRequest } from './archives/archive.ts'
import { lookAtPicture } from './archives/picture.ts'
import { frameFwhm, photometricStars } from './prepare.ts'

/**
 * An archive's picture as a reference: its pixels summed to about the scale of the frames (registration and warp do the
 * rest when it is used), what has no value masked, its sky and stars measured.
 */
export interface ArchiveFrame extends MeasuredFrame {
  readonly ok: true
  /** Share of the field that has values. */
  readonly coverage: number
  readonly bin: number
  readonly scaleArcsecPerPixel: number
  readonly fwhmPixels: number
}

export type ArchiveFrameResult = ArchiveFrame | { readonly ok: false; readonly reason: string }

/** Below this the field would hardly be searched. */
const leastCoverage = 0.6
/** Fewer clean stars cannot be registered and give no PSF. */
const leastStars = 8
/** Services fill what they lack with exact zeros where they do not with NaN; a measured zero is rarer than this. */
const fillShare = 0.002
/** Points along each axis at which the field is looked up. */
const grid = 60
/** Of the picture as it was: they say nothing true of pixels that were summed, or of a stack of many frames. */
const outdated = ['SATURATE', 'EGAIN', 'GAIN', 'RDNOISE', 'READNOIS', 'BLANK', 'FRAMEID', 'NIGHTID', 'REFID']

/** Planes are allocated from `compute`. What an archive may send is a reason; throws nothing that it can bring about. */
export function archiveFrame(
  compute: Compute,
  bytes: Uint8Array,
  request: PictureRequest,
  name: string,
): ArchiveFrameResult {
  const looked = lookAtPicture(bytes, request, name)
  if (!looked.ok) return looked
  const { bin, wcs, scaleArcsecPerPixel } = looked.facts
  const given = readFrame(compute, bytes, { name })
  maskFill(given)
  const binned = bin === 1 ? given : summed(compute, given, bin)
  const place = binnedWcs(wcs, bin)
  const covered = coverageOf(binned, place, request)
  if (covered < leastCoverage) {
    const percent = `${Math.round(100 * covered)} %`
    return { ok: false, reason: `${name}: only ${percent} of the field has values in it, the rest is blank` }
  }
  const measured = measureFrame(compute, binned)
  const clean = photometricStars(measured.stars).length
  if (clean < leastStars)
    return { ok: false, reason: `${name}: ${clean} clean stars in it, and ${leastStars} are needed to align frames` }
  const fwhm = frameFwhm(measured.stars)
  const header = wcsToHeader(given.header.without(...outdated), place)
    .with('REFFWHM', real(fwhm > 0 ? fwhm : 0), 'pixels, of the stars')
    .with('REFRMS', real(measured.background.globalRmsAdu), 'ADU, noise of the sky')
    .with('REFCOVER', real(covered), 'share of the field with a value')
    .with('REFBIN', bin, 'pixels of the archive summed along each axis')
  const facts = { coverage: covered, bin, scaleArcsecPerPixel: scaleArcsecPerPixel * bin, fwhmPixels: fwhm }
  return { ok: true, frame: { ...binned, header, variance: undefined }, ...measured, ...facts }
}

/** Marks exact zeros where they are too many to have been measured. */
function maskFill({ science, mask }: Frame): void {
  let zeros = 0
  for (let i = 0; i < science.data.length; i++) if (science.data[i] === 0) zeros++
  if (zeros <= fillShare * science.data.length) return
  for (let i = 0; i < science.data.length; i++) if (science.data[i] === 0) mask.data[i]! |= MaskFlag.noData
}

/** Sums bin × bin pixels; bits of any of them count, so that a sum that lacks a pixel has no value. */
function summed(compute: Compute, { header, science, mask, width: from }: Frame, bin: number): Frame {
  const [width, height] = [Math.floor(science.width / bin), Math.floor(science.height / bin)]
  const sums = compute.float32(width, height)
  const bits = compute.uint16(width, height)
  for (let y = 0; y < height * bin; y++) {
    const row = Math.floor(y / bin) * width
    for (let x = 0; x < width * bin; x++) {
      const at = row + Math.floor(x / bin)
      sums.data[at]! += science.data[y * from + x]!
      bits.data[at]! |= mask.data[y * from + x]!
    }
  }
  return { header, width, height, science: sums, mask: bits, variance: undefined }
}

/** The same places on the sky in larger pixels; SIP works in pixels, so its terms are scaled by their order. */
export function binnedWcs(wcs: Wcs, bin: number): Wcs {
  if (bin === 1) return wcs
  const [x, y] = wcs.referencePixel.map((pixel) => (pixel + 0.5) / bin - 0.5) as [number, number]
  const cd = wcs.cd.map((value) => value * bin) as unknown as Wcs['cd']
  const { sip } = wcs
  const scaled = (terms: NonNullable<Wcs['sip']>['a']) =>
    terms.map(({ p, q, value }) => ({ p, q, value: value * bin ** (p + q - 1) }))
  return { ...wcs, referencePixel: [x, y], cd, ...(sip && { sip: { a: scaled(sip.a), b: scaled(sip.b) } }) }
}

/** Share of the field's area that has values, on a grid along parallels and meridians through its centre. */
function coverageOf({ width, height, mask }: Frame, wcs: Wcs, field: PictureRequest): number {
  let inside = 0
  const cos = Math.max(0.01, Math.cos((field.decDeg * Math.PI) / 180))
  for (let j = 0; j < grid; j++)
    for (let i = 0; i < grid; i++) {
      const raDeg = field.raDeg + (((i + 0.5) / grid - 0.5) * field.widthDeg) / cos
      const decDeg = field.decDeg + ((j + 0.5) / grid - 0.5) * field.heightDeg
      const pixel = Math.abs(decDeg) <= 90 ? skyToPixel(wcs, raDeg, decDeg) : undefined
      if (!pixel) continue
      const [x, y] = [Math.round(pixel.x), Math.round(pixel.y)]
      if (x < 0 || y < 0 || x >= width || y >= height) continue
      if ((mask.data[y * width + x]! & MaskFlag.noData) === 0) inside++
    }
  return inside / grid ** 2
}

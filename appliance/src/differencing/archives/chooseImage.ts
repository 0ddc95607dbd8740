import type { PictureRequest } from './archive.ts'
import { wavelengthOf } from './bands.ts'
import { coverage, type Footprint } from './footprint.ts'

/** One image of an archive's list. */
export interface ListedImage {
  readonly title: string
  readonly url: string
  readonly footprint: Footprint | undefined
  /** Name of the filter as the archive spells it. */
  readonly band: string | undefined
  /** Of the bandpass, nm. */
  readonly fromNm: number | undefined
  readonly toNm: number | undefined
  readonly scaleArcsecPerPixel: number | undefined
  readonly seeingArcsec: number | undefined
  readonly exposureSeconds: number | undefined
  readonly observedAtMs: number | undefined
  readonly bytes: number | undefined
}

export type ImageChoice =
  | { readonly ok: true; readonly image: ListedImage; readonly reason: string }
  | { readonly ok: false; readonly reason: string }

/** Less of the field than this is no reference for it. */
const leastCoverage = 0.6
/** Of two images that cover so much the same, the deeper one counts. */
const coverageStep = 0.1
/** Pixels more than this many times as wide as the frames' lose what the frames show. */
const coarsest = 2
/** Names that say less than a wavelength. */
const farthest = 0.12

/**
 * The image that makes the best reference: it covers the field (the most, in steps of a tenth), was taken through the
 * filter, is not much coarser than the frames; then the deepest by exposure time, the sharpest, the newest. The reason says
 * what decided, or why none will do.
 */
export function chooseImage(images: readonly ListedImage[], request: PictureRequest, limitBytes: number): ImageChoice {
  if (images.length === 0) return { ok: false, reason: 'it has no FITS image there' }
  const wanted = request.survey === undefined ? images : images.filter(({ title, band }) => named(request, title, band))
  if (wanted.length === 0)
    return { ok: false, reason: `none of its ${images.length} images there is called ${request.survey}` }
  const through = wanted.filter((image) => suitsFilter(image, request))
  if (through.length === 0) return { ok: false, reason: noneThrough(wanted, request) }
  const rated = through
    .filter(({ bytes, scaleArcsecPerPixel: scale }) => {
      if ((bytes ?? 0) > limitBytes) return false
      return scale === undefined || scale <= coarsest * request.scaleArcsecPerPixel
    })
    .map((image) => ({ image, share: image.footprint ? coverage(image.footprint, request) : 1 }))
    .filter(({ share }) => share >= leastCoverage)
    .sort((a, b) => compare(a.image, a.share, b.image, b.share))
  const best = rated[0]
  if (!best) return { ok: false, reason: noneCovers(through, request) }
  const percent = `${Math.round(100 * best.share)} % of the field`
  return { ok: true, image: best.image, reason: `${best.image.title}: ${percent}, the best of ${rated.length}` }
}

function named({ survey }: PictureRequest, title: string, band: string | undefined): boolean {
  const wanted = (survey ?? '').toLowerCase()
  return title.toLowerCase().includes(wanted) || band?.toLowerCase() === wanted
}

/** By the bandpass where it is told, else by the filter's name; an image that tells neither may suit. */
function suitsFilter({ fromNm, toNm, band }: ListedImage, { filter, survey }: PictureRequest): boolean {
  const wanted = wavelengthOf(filter)
  if (wanted === undefined || survey !== undefined) return true
  if (fromNm !== undefined && toNm !== undefined) return fromNm <= wanted && wanted <= toNm
  const theirs = band === undefined ? undefined : wavelengthOf(band.replace(/[.:/ ].*$/, ''))
  return theirs === undefined || Math.abs(theirs - wanted) <= farthest * wanted
}

function noneThrough(images: readonly ListedImage[], { filter }: PictureRequest): string {
  const bands = [...new Set(images.flatMap(({ band }) => (band === undefined ? [] : [band])))].slice(0, 8)
  const there = bands.length > 0 ? ` (there are ${bands.join(', ')})` : ''
  return `none of its ${images.length} images there was taken through ${filter}${there}`
}

function noneCovers(images: readonly ListedImage[], { widthDeg, heightDeg }: PictureRequest): string {
  const size = `${widthDeg.toFixed(2)}° × ${heightDeg.toFixed(2)}°`
  return `none of its ${images.length} images there covers ${100 * leastCoverage} % of ${size} in pixels fine enough`
}

function compare(a: ListedImage, shareA: number, b: ListedImage, shareB: number): number {
  const steps = Math.floor(shareB / coverageStep + 1e-9) - Math.floor(shareA / coverageStep + 1e-9)
  if (steps !== 0) return steps
  const known = (value: number | undefined, fallback: number): number => value ?? fallback
  return (
    known(b.exposureSeconds, 0) - known(a.exposureSeconds, 0) ||
    known(a.seeingArcsec, 99) - known(b.seeingArcsec, 99) ||
    known(b.observedAtMs, 0) - known(a.observedAtMs, 0) ||
    shareB - shareA ||
    (a.url < b.url ? -1 : 1)
  )
}

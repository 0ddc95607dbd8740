import type { Download } from './download.ts'

/**
 * Archives of the sky as sources of references: each service is one file that knows how to ask it, and gives FITS bytes
 * with where they came from. What a picture is worth is judged by `picture.ts`, whichever service sent it.
 */

/** What a field's reference must show. */
export interface PictureRequest {
  /** Centre, ICRS. */
  readonly raDeg: number
  readonly decDeg: number
  readonly widthDeg: number
  readonly heightDeg: number
  /** Of the frames that it is for. */
  readonly scaleArcsecPerPixel: number
  /** As the field names it; see `bandOf`. */
  readonly filter: string
  /** In the service's own words; chosen by the filter when absent. */
  readonly survey?: string | undefined
}

/** How the picture came about: plates are not linear and far worse to subtract than anything from a CCD. */
export type PictureKind = 'ccd' | 'plates' | 'unknown'

/** A picture as it came. */
export interface Picture {
  readonly bytes: Uint8Array
  readonly service: string
  readonly survey: string
  /** What was asked last, after redirects. */
  readonly url: string
  /** The words that the archive asks for in a publication. */
  readonly credit: string
  readonly kind: PictureKind
  /** When the archive says so, Unix ms UTC. */
  readonly observedAtMs?: number | undefined
}

export type PictureAnswer =
  | { readonly ok: true; readonly picture: Picture }
  | { readonly ok: false; readonly reason: string }

export interface ReferenceArchive {
  readonly service: string
  /** One picture, or why there is none, in words. Throws only for a defect of ours. */
  ask(request: PictureRequest, download: Download): Promise<PictureAnswer>
}

/** Bytes of one picture: 64 Mpx of float32. */
export const pictureLimitBytes = 256 * 1024 * 1024
/** Bytes of an answer that is text. */
export const textLimitBytes = 16 * 1024 * 1024

export const noPicture = (reason: string): PictureAnswer => ({ ok: false, reason })

/** `base` with these parameters; those that `base` has already stay. */
export function urlWith(base: string, parameters: Readonly<Record<string, string | number>>): string {
  const url = new URL(base)
  for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, String(value))
  return url.href
}

/**
 * Columns and rows at the frames' pixel scale, or coarser where that would be more than `mostPixels`.
 */
export function pictureSize(
  { widthDeg, heightDeg, scaleArcsecPerPixel }: PictureRequest,
  mostPixels: number,
): { readonly width: number; readonly height: number } {
  const [columns, rows] = [widthDeg, heightDeg].map((deg) => (3600 * deg) / scaleArcsecPerPixel) as [number, number]
  const coarser = Math.max(1, Math.sqrt((columns * rows) / mostPixels))
  return { width: Math.max(1, Math.round(columns / coarser)), height: Math.max(1, Math.round(rows / coarser)) }
}

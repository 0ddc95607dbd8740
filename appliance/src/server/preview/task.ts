import { join } from 'node:path'
import sharp from 'sharp'
import type { Stretch } from '../../contract/api.ts'
import type { Compute } from '../../frames/compute.ts'
import { openFits, readImage } from '../../frames/fits/read.ts'
import type { Plane } from '../../frames/plane.ts'
import { type Preview, stretchPreview } from '../../frames/preview.ts'

export interface PreviewRequest {
  readonly folder: string
  /** Of the FITS file, relative to `folder`. */
  readonly path: string
  /** Pixels; the picture is binned by a whole factor to at most this. */
  readonly width: number
  readonly stretch: Stretch
}

/** Share of the `auto` range between black and white: a smaller one shows fainter things and burns out brighter ones. */
const ranges = { soft: 4, hard: 0.3 } as const
const quality = 86
/** Of libwebp's 0 to 6; higher takes a multiple of the time for a few per cent of the bytes. */
const effort = 2

// One picture at a time: the cores belong to the night.
sharp.concurrency(1)

/** Draws a FITS file as WebP, row 0 on top, so that frame pixels map to the picture without a flip. Throws `fits/…`. */
export async function drawPreview(compute: Compute, request: PreviewRequest): Promise<Uint8Array> {
  const plane = readImage(compute, openFits(join(request.folder, request.path)))
  const { pixels, width, height } = stretched(compute, plane, request)
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .webp({ quality, effort })
    .toBuffer()
}

function stretched(compute: Compute, plane: Plane, { width, stretch }: PreviewRequest): Preview {
  const auto = stretchPreview(compute, plane, undefined, {
    maxWidth: width,
    stretch: stretch === 'linear' ? 'linear' : 'asinh',
  })
  if (stretch === 'auto' || stretch === 'linear') return auto
  const white = auto.black + (auto.white - auto.black) * ranges[stretch]
  return stretchPreview(compute, plane, undefined, { maxWidth: width, black: auto.black, white })
}

import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { firstImage, imageHeader, imageSize, openFits } from '../../frames/fits/read.ts'
import { pixelScaleArcsec, pixelToSky, skyToPixel, type Wcs, wcsFromHeader } from '../../frames/wcs.ts'
import type { PictureRequest } from './archive.ts'

/** What an archive's picture must be before its pixels are worth a look. */
export interface PictureFacts {
  readonly width: number
  readonly height: number
  readonly wcs: Wcs
  readonly scaleArcsecPerPixel: number
  /** So many of its pixels along each axis become one, summed, so that it comes nearest to the frames' scale. */
  readonly bin: number
}

export type PictureLook =
  | { readonly ok: true; readonly facts: PictureFacts }
  | { readonly ok: false; readonly reason: string }

/** After binning a pixel may be this many times as wide as the frames'; registration tries scales from 0.5 to 2. */
const coarsest = 2

/** Reads the header: an image with a place on the sky, which is the field's, in pixels that can be brought to the frames'. */
export function lookAtPicture(bytes: Uint8Array, request: PictureRequest, name: string): PictureLook {
  try {
    return look(bytes, request, name)
  } catch (error) {
    if (error instanceof NightjarError && error.code.startsWith('fits/')) return { ok: false, reason: error.message }
    throw error
  }
}

function look(bytes: Uint8Array, request: PictureRequest, name: string): PictureLook {
  const file = openFits(bytes, { name })
  const image = firstImage(file)
  const { width, height } = imageSize(file, image)
  const header = imageHeader(image)
  if (header.has('BSOFTEN'))
    return refused(`${name}: its pixels are asinh magnitudes (BSOFTEN), not fluxes: fetch a cutout instead`)
  const wcs = wcsFromHeader(header)
  if (!wcs) return refused(`${name}: it does not say where it lies on the sky (no TAN, SIP or TPV in its header)`)
  if (/^FK4/.test(header.text('RADESYS') ?? '') || header.number('EQUINOX') === 1950)
    return refused(`${name}: its places are of the equinox 1950: ask for ICRS`)
  const apart = centreApartDeg(wcs, width, height, request)
  const reach = Math.min(request.widthDeg, request.heightDeg) / 2
  if (!(apart <= reach) && !holdsCentre(wcs, width, height, request))
    return refused(`${name}: it shows another place, ${apart.toFixed(2)}° from the field`)
  const scale = pixelScaleArcsec(wcs)
  const bin = Math.max(1, Math.round(request.scaleArcsecPerPixel / scale))
  if ((scale * bin) / request.scaleArcsecPerPixel > coarsest) {
    const [theirs, ours] = [scale, request.scaleArcsecPerPixel].map((value) => value.toFixed(2))
    return refused(`${name}: its pixels of ${theirs}″ are too coarse for frames with ${ours}″`)
  }
  return { ok: true, facts: { width, height, wcs, scaleArcsecPerPixel: scale, bin } }
}

const refused = (reason: string): PictureLook => ({ ok: false, reason })

function centreApartDeg(wcs: Wcs, width: number, height: number, { raDeg, decDeg }: PictureRequest): number {
  const centre = pixelToSky(wcs, (width - 1) / 2, (height - 1) / 2)
  const [a, b] = [(centre.decDeg * Math.PI) / 180, (decDeg * Math.PI) / 180]
  const dRa = ((centre.raDeg - raDeg) * Math.PI) / 180
  const haversine = Math.sin((a - b) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(dRa / 2) ** 2
  return (2 * Math.asin(Math.min(1, Math.sqrt(haversine))) * 180) / Math.PI
}

/** A large image may have the field in a corner. */
function holdsCentre(wcs: Wcs, width: number, height: number, request: PictureRequest): boolean {
  const place = skyToPixel(wcs, request.raDeg, request.decDeg)
  return place !== undefined && place.x > 0 && place.y > 0 && place.x < width - 1 && place.y < height - 1
}

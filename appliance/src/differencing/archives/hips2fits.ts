import {
  noPicture,
  type Picture,
  type PictureAnswer,
  type PictureKind,
  type PictureRequest,
  pictureLimitBytes,
  pictureSize,
  type ReferenceArchive,
  urlWith,
} from './archive.ts'
import { nearestBand, sloanBands, unknownFilter } from './bands.ts'
import type { Download } from './download.ts'
import { notFits } from './words.ts'

/** hips2fits of the CDS (Boch et al. 2020, ADASS XXIX): any survey that is a HiPS, resampled to the grid that is asked for. */
const home = 'https://alasky.cds.unistra.fr/hips-image-services/hips2fits'
const mostPixels = 36e6
/** Pan-STARRS1 saw what is north of this. */
const southLimitDeg = -29.5
const plates = { blue: 450, red: 650, NIR: 800 } as const
const credit =
  'This research made use of hips2fits, a service provided by CDS (https://alasky.cds.unistra.fr/hips-image-services/hips2fits)'

/** A mirror may be given as `base`. */
export function hips2fits(base: string = home): ReferenceArchive {
  return { service: 'hips2fits', ask: (request, download) => ask(base, request, download) }
}

/** The HiPS that suits a filter and a place; undefined for a filter that nothing is known of. */
export function hipsFor({ filter, decDeg, heightDeg }: PictureRequest): string | undefined {
  const band = nearestBand(filter, sloanBands)
  if (band !== undefined && decDeg - heightDeg / 2 > southLimitDeg) return `CDS/P/PanSTARRS/DR1/${band}`
  const plate = nearestBand(filter, plates)
  return plate && `CDS/P/DSS2/${plate}`
}

const kindOf = (hips: string): PictureKind =>
  /DSS|POSS|SERC/i.test(hips)
    ? 'plates'
    : /PanSTARRS|SDSS|DES|skymapper|DECaPS|DECaLS|ZTF/i.test(hips)
      ? 'ccd'
      : 'unknown'

async function ask(base: string, request: PictureRequest, download: Download): Promise<PictureAnswer> {
  const hips = request.survey ?? hipsFor(request)
  if (hips === undefined) return noPicture(`hips2fits: ${unknownFilter(request.filter)}`)
  const { width, height } = pictureSize(request, mostPixels)
  const url = urlWith(base, {
    ...{ hips, width, height, projection: 'TAN', coordsys: 'icrs', rotation_angle: 0 },
    ...{ ra: request.raDeg, dec: request.decDeg, fov: Math.max(request.widthDeg, request.heightDeg), format: 'fits' },
  })
  const answer = await download(url, pictureLimitBytes)
  if (!answer.ok) return noPicture(`hips2fits: ${answer.reason}`)
  const wrong = notFits('hips2fits', answer.bytes)
  if (wrong !== undefined) return noPicture(wrong)
  const picture: Picture = {
    ...{ bytes: answer.bytes, service: 'hips2fits', survey: hips, url: answer.url, credit, kind: kindOf(hips) },
  }
  return { ok: true, picture }
}

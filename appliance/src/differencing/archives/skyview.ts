import {
  noPicture,
  type PictureAnswer,
  type PictureRequest,
  pictureLimitBytes,
  pictureSize,
  type ReferenceArchive,
  urlWith,
} from './archive.ts'
import { nearestBand, unknownFilter } from './bands.ts'
import type { Download } from './download.ts'
import { notFits } from './words.ts'

/** SkyView of NASA's GSFC (McGlynn, Scollick & White 1998), by its batch address: one survey, resampled in TAN, as FITS. */
const home = 'https://skyview.gsfc.nasa.gov/current/cgi/runquery.pl'
/** Larger pictures take it minutes. */
const mostPixels = 9e6
/** Of the whole sky; its other optical surveys see parts and are named by `survey`. */
const surveys = { 'DSS2 Blue': 450, 'DSS2 Red': 650, 'DSS2 IR': 800 } as const
const credit =
  "We acknowledge the use of NASA's SkyView facility (https://skyview.gsfc.nasa.gov) at NASA Goddard Space Flight Center"

export function skyview(base: string = home): ReferenceArchive {
  return { service: 'skyview', ask: (request, download) => ask(base, request, download) }
}

async function ask(base: string, request: PictureRequest, download: Download): Promise<PictureAnswer> {
  const survey = request.survey ?? nearestBand(request.filter, surveys)
  if (survey === undefined) return noPicture(`SkyView: ${unknownFilter(request.filter)}`)
  const { width, height } = pictureSize(request, mostPixels)
  const url = urlWith(base, {
    ...{ Position: `${request.raDeg},${request.decDeg}`, Survey: survey, Coordinates: 'ICRS', Projection: 'Tan' },
    ...{
      Size: `${request.widthDeg},${request.heightDeg}`,
      Pixels: `${width},${height}`,
      Sampler: 'Clip',
      Return: 'FITS',
    },
  })
  const answer = await download(url, pictureLimitBytes)
  if (!answer.ok) return noPicture(`SkyView: ${answer.reason}`)
  const wrong = notFits('SkyView', answer.bytes)
  if (wrong !== undefined) return noPicture(wrong)
  const kind = /dss|digitized/i.test(survey) ? 'plates' : /^sdss/i.test(survey) ? 'ccd' : 'unknown'
  return { ok: true, picture: { bytes: answer.bytes, service: 'skyview', survey, url: answer.url, credit, kind } }
}

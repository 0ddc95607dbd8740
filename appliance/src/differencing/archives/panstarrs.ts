import {
  noPicture,
  type PictureAnswer,
  type PictureRequest,
  pictureLimitBytes,
  type ReferenceArchive,
  textLimitBytes,
  urlWith,
} from './archive.ts'
import { nearestBand, sloanBands, unknownFilter } from './bands.ts'
import type { Download } from './download.ts'
import { notFits, wordsOf } from './words.ts'

/**
 * Pan-STARRS1 3π stacks from MAST (Chambers et al. 2016; Waters et al. 2020) by its image cutout service: `ps1filenames.py`
 * names the stack of a place, `fitscut.cgi` cuts it out, in its own pixels of 0.25″ and with linear fluxes. One cutout comes
 * from one skycell of 26′, so that larger fields are not covered.
 */
const home = 'https://ps1images.stsci.edu/cgi-bin/'
const pixelArcsec = 0.25
const southLimitDeg = -30
const skycellDeg = 0.433
const credit =
  'The Pan-STARRS1 Surveys (PS1) and the PS1 public science archive have been made possible through contributions by the institutions named at https://panstarrs.stsci.edu'

export function panstarrs(base: string = home): ReferenceArchive {
  const folder = base.endsWith('/') ? base : `${base}/`
  return { service: 'panstarrs', ask: (request, download) => ask(folder, request, download) }
}

async function ask(base: string, request: PictureRequest, download: Download): Promise<PictureAnswer> {
  const band = bandFor(request)
  if (band === undefined) return noPicture(`Pan-STARRS: ${unknownFilter(request.filter)} (g, r, i, z or y)`)
  if (request.decDeg < southLimitDeg) return noPicture('Pan-STARRS saw nothing south of declination −30°')
  const largest = Math.max(request.widthDeg, request.heightDeg)
  if (largest > skycellDeg)
    return noPicture(
      `a picture of Pan-STARRS is at most ${skycellDeg}° wide, not ${largest.toFixed(2)}°: take hips2fits`,
    )
  const { raDeg, decDeg } = request
  const names = urlWith(`${base}ps1filenames.py`, { ra: raDeg, dec: decDeg, filters: band, type: 'stack' })
  const table = await download(names, textLimitBytes)
  if (!table.ok) return noPicture(`Pan-STARRS: ${table.reason}`)
  const file = stackIn(table.bytes, band)
  if (!file.ok) return noPicture(`Pan-STARRS: ${file.reason}`)
  const size = Math.ceil((3600 * largest) / pixelArcsec)
  const cut = urlWith(`${base}fitscut.cgi`, { red: file.name, format: 'fits', ra: raDeg, dec: decDeg, size })
  const answer = await download(cut, pictureLimitBytes)
  if (!answer.ok) return noPicture(`Pan-STARRS: ${answer.reason}`)
  const wrong = notFits('Pan-STARRS', answer.bytes)
  if (wrong !== undefined) return noPicture(wrong)
  const survey = `PS1 3pi stack ${band}`
  return {
    ok: true,
    picture: { bytes: answer.bytes, service: 'panstarrs', survey, url: answer.url, credit, kind: 'ccd' },
  }
}

function bandFor({ survey, filter }: PictureRequest): keyof typeof sloanBands | undefined {
  if (survey === undefined) return nearestBand(filter, sloanBands)
  const band = survey.trim().at(-1) ?? ''
  return Object.hasOwn(sloanBands, band) ? (band as keyof typeof sloanBands) : undefined
}

type Stack = { readonly ok: true; readonly name: string } | { readonly ok: false; readonly reason: string }

/** The table is text: names of columns, then a line for each file. */
function stackIn(bytes: Uint8Array, band: string): Stack {
  const [head = '', ...lines] = Buffer.from(bytes).toString('latin1').trim().split(/\r?\n/)
  const columns = head.trim().split(/\s+/)
  const [filter, type, filename] = ['filter', 'type', 'filename'].map((name) => columns.indexOf(name)) as [
    number,
    number,
    number,
  ]
  if (filter < 0 || filename < 0 || type < 0) return { ok: false, reason: `it lists no files: ${wordsOf(bytes)}` }
  const rows = lines.map((line) => line.trim().split(/\s+/)).filter((row) => row.length === columns.length)
  const row = rows.find((one) => one[filter] === band && one[type] === 'stack')
  const name = row?.[filename]
  if (name === undefined) return { ok: false, reason: `it has no stack in ${band} there` }
  return name.startsWith('/') ? { ok: true, name } : { ok: false, reason: `it names no file: ${name.slice(0, 80)}` }
}

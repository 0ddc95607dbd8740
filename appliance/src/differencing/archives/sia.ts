import {
  noPicture,
  type PictureAnswer,
  type PictureRequest,
  pictureLimitBytes,
  type ReferenceArchive,
  textLimitBytes,
  urlWith,
} from './archive.ts'
import { chooseImage, type ListedImage } from './chooseImage.ts'
import type { Download } from './download.ts'
import { footprintOf } from './footprint.ts'
import { readVoTable, type VoField, type VoTable } from './votable.ts'
import { notFits } from './words.ts'

/**
 * The Virtual Observatory's way to images: Simple Image Access 1.0 (IVOA Recommendation 2009-11-11, section 4) and 2.0
 * (2015-12-23, section 2.1, with ObsCore 1.1). A list of images comes as a VOTable; the best one is then fetched by its
 * address.
 */
export interface SiaService {
  readonly version: 1 | 2
  /** Without the query. */
  readonly base: string
  readonly name: string
  readonly credit: string
}

/** MAST's classic service of its high-level products. */
export const mast: SiaService = {
  version: 1,
  base: 'https://archive.stsci.edu/siap/search.php',
  name: 'mast',
  credit:
    'Some of the data presented in this work were obtained from the Mikulski Archive for Space Telescopes (MAST) at STScI',
}

/** Any other service, by its address. */
export function siaService(version: 1 | 2, base: string): SiaService {
  const name = `sia${version} ${new URL(base).host}`
  return { version, base, name, credit: `Image from ${new URL(base).host}; see its terms of use` }
}

const mostImages = 500
const unixEpochMjd = 40587
const dayMs = 86_400_000
const metresToNm = 1e9

export function siaArchive(service: SiaService): ReferenceArchive {
  return { service: service.name, ask: (request, download) => ask(service, request, download) }
}

async function ask(service: SiaService, request: PictureRequest, download: Download): Promise<PictureAnswer> {
  const list = await download(queryOf(service, request), textLimitBytes)
  if (!list.ok) return noPicture(`${service.name}: ${list.reason}`)
  const read = readVoTable(list.bytes)
  if (!read.ok) return noPicture(`the list of images of ${service.name} cannot be used: ${read.reason}`)
  const images = service.version === 1 ? imagesOfSia1(read.table) : imagesOfSia2(read.table)
  const choice = chooseImage(images, request, pictureLimitBytes)
  if (!choice.ok) return noPicture(`${service.name}: ${choice.reason}`)
  const { image } = choice
  if (!URL.canParse(image.url)) return noPicture(`${service.name} gives no address for ${image.title}`)
  const answer = await download(image.url, pictureLimitBytes)
  if (!answer.ok) return noPicture(`${service.name}: ${answer.reason}`)
  const wrong = notFits(service.name, answer.bytes)
  if (wrong !== undefined) return noPicture(wrong)
  const { credit, name } = service
  const kind = /dss|poss/i.test(image.title) ? 'plates' : 'unknown'
  const where = { service: name, survey: choice.reason, url: answer.url, credit, kind } as const
  return { ok: true, picture: { bytes: answer.bytes, ...where, observedAtMs: image.observedAtMs } }
}

/** SIA 1.0, section 4.1: POS and SIZE in degrees, SIZE along the parallel without cos δ; 2.0, section 2.1.1: POS as a shape. */
function queryOf({ version, base }: SiaService, { raDeg, decDeg, widthDeg, heightDeg }: PictureRequest): string {
  if (version === 1) {
    const parallel = widthDeg / Math.max(0.02, Math.cos((decDeg * Math.PI) / 180))
    return urlWith(base, {
      POS: `${raDeg},${decDeg}`,
      SIZE: `${Math.min(360, parallel).toFixed(5)},${heightDeg}`,
      FORMAT: 'image/fits',
      INTERSECT: 'OVERLAPS',
    })
  }
  const radius = (Math.hypot(widthDeg, heightDeg) / 2).toFixed(5)
  const shape = { POS: `CIRCLE ${raDeg} ${decDeg} ${radius}`, DPTYPE: 'image' }
  return urlWith(base, { ...shape, MAXREC: mostImages, RESPONSEFORMAT: 'votable' })
}

type Row = readonly string[]

/** Finds the cells of one column by what it means. */
function column(table: VoTable, means: (field: VoField) => boolean): (row: Row) => string | undefined {
  const index = table.fields.findIndex(means)
  return (row) => (index < 0 || row[index] === '' ? undefined : row[index])
}

const byUcd = (table: VoTable, ucd: string): ((row: Row) => string | undefined) =>
  column(table, (field) => field.ucd === ucd.toLowerCase())

/** Numbers of a cell, parted by blanks. */
function numbers(text: string | undefined): number[] {
  const all = (text ?? '').split(/[\s,]+/).filter((word) => word !== '')
  const values = all.map(Number)
  return values.every(Number.isFinite) ? values : []
}

const number = (text: string | undefined): number | undefined => numbers(text)[0]

/** Columns by their UCD: SIA 1.0, section 4.2. */
function imagesOfSia1(table: VoTable): ListedImage[] {
  const [title, ra, dec, naxis, scale, format, address, flags, size, date, band] = [
    'VOX:Image_Title',
    'POS_EQ_RA_MAIN',
    'POS_EQ_DEC_MAIN',
    'VOX:Image_Naxis',
    'VOX:Image_Scale',
    'VOX:Image_Format',
    'VOX:Image_AccessReference',
    'VOX:Image_PixFlags',
    'VOX:Image_FileSize',
    'VOX:Image_MJDateObs',
    'VOX:BandPass_ID',
  ].map((ucd) => byUcd(table, ucd)) as Array<(row: Row) => string | undefined>
  // Later services name the address by its utype.
  const reference = column(table, ({ utype }) => utype === 'access.reference')
  const [low, high, unit] = ['VOX:BandPass_LoLimit', 'VOX:BandPass_HiLimit', 'VOX:BandPass_Unit'].map((ucd) =>
    byUcd(table, ucd),
  ) as Array<(row: Row) => string | undefined>
  return table.rows.flatMap((row): ListedImage[] => {
    const url = address!(row) ?? reference(row)
    // V in the flags: fit to be looked at, not to be measured.
    if (url === undefined || !/^image\/(x-)?fits$/i.test(format!(row) ?? 'image/fits')) return []
    if (/V/.test(flags!(row) ?? '')) return []
    const steps = numbers(scale!(row)).map(Math.abs)
    const [columns, rows] = numbers(naxis!(row))
    const [raDeg, decDeg] = [number(ra!(row)), number(dec!(row))]
    const width = steps[0] !== undefined && columns !== undefined ? steps[0] * columns : undefined
    const height = rows !== undefined ? (steps[1] ?? steps[0] ?? Number.NaN) * rows : width
    const isPlaced = raDeg !== undefined && decDeg !== undefined && width !== undefined && height !== undefined
    const metres = (text: string | undefined): number | undefined => nanometres(number(text), unit!(row))
    return [
      {
        title: title!(row) ?? 'an image without a title',
        url,
        footprint: isPlaced ? { kind: 'box', raDeg, decDeg, widthDeg: width, heightDeg: height } : undefined,
        band: band!(row),
        fromNm: metres(low!(row)),
        toNm: metres(high!(row)),
        scaleArcsecPerPixel: steps[0] === undefined ? undefined : 3600 * steps[0],
        seeingArcsec: undefined,
        exposureSeconds: undefined,
        observedAtMs: momentOf(number(date!(row))),
        bytes: number(size!(row)),
      },
    ]
  })
}

/** Without a unit the standard's metres; frequencies and energies are left out. */
function nanometres(value: number | undefined, unit: string | undefined): number | undefined {
  const each: Readonly<Record<string, number>> = {
    m: 1e9,
    meters: 1e9,
    metres: 1e9,
    um: 1e3,
    nm: 1,
    angstrom: 0.1,
    a: 0.1,
  }
  const factor = each[(unit ?? 'm').toLowerCase()]
  return value === undefined || factor === undefined ? undefined : value * factor
}

const momentOf = (mjd: number | undefined): number | undefined =>
  mjd === undefined ? undefined : Math.round((mjd - unixEpochMjd) * dayMs)

/** Columns by the names of ObsCore 1.1, table 1. */
function imagesOfSia2(table: VoTable): ListedImage[] {
  const of = (name: string): ((row: Row) => string | undefined) =>
    column(table, (field) => field.name.toLowerCase() === name || field.id.toLowerCase() === name)
  const names = [
    'access_url',
    'access_format',
    'access_estsize',
    'dataproduct_type',
    's_region',
    's_ra',
    's_dec',
    's_fov',
  ]
  const [url, format, size, type, region, ra, dec, fov] = names.map(of) as Array<(row: Row) => string | undefined>
  const more = ['s_resolution', 't_exptime', 't_min', 'em_min', 'em_max', 'obs_collection', 'obs_id', 's_pixel_scale']
  const [seeing, exposure, start, low, high, collection, id, scale] = more.map(of) as Array<
    (row: Row) => string | undefined
  >
  const band = of('filter_name')
  return table.rows.flatMap((row): ListedImage[] => {
    const address = url!(row)
    // An address of links (DataLink) is no image, and compressed or wrapped files are not asked for.
    if (address === undefined || !/^image\/(x-)?fits$|^application\/fits$/i.test(format!(row) ?? '')) return []
    if ((type!(row) ?? 'image') !== 'image') return []
    const [raDeg, decDeg, wide] = [number(ra!(row)), number(dec!(row)), number(fov!(row))]
    const circle =
      raDeg !== undefined && decDeg !== undefined && wide !== undefined
        ? ({ kind: 'circle', raDeg, decDeg, radiusDeg: wide / 2 } as const)
        : undefined
    const kilobytes = number(size!(row))
    return [
      {
        title: [collection!(row), id!(row)].filter((part) => part !== undefined).join(' ') || 'an image without a name',
        url: address,
        footprint: footprintOf(region!(row) ?? '') ?? circle,
        band: band(row),
        fromNm: scaled(number(low!(row)), metresToNm),
        toNm: scaled(number(high!(row)), metresToNm),
        scaleArcsecPerPixel: number(scale!(row)),
        seeingArcsec: number(seeing!(row)),
        exposureSeconds: number(exposure!(row)),
        observedAtMs: momentOf(number(start!(row))),
        bytes: scaled(kilobytes, 1000),
      },
    ]
  })
}

const scaled = (value: number | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : value * factor

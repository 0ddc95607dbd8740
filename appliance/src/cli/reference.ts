import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { FieldSettings, Settings } from '../contract/config.ts'
import { archiveFrame } from '../differencing/archiveFrame.ts'
import type { PictureRequest, ReferenceArchive } from '../differencing/archives/archive.ts'
import { createDownload, type Download } from '../differencing/archives/download.ts'
import { archiveOf, type ServiceName, serviceNames } from '../differencing/archives/services.ts'
import { archivesOf, fetchReference, pixelScaleOf, requestOf } from '../differencing/runArchives.ts'
import { createCompute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { offloadInline } from '../frames/offload.ts'
import { parsePlace } from '../preprocessing/headerHint.ts'
import { listReferences } from '../store/listReferences.ts'
import { openStore } from '../store/openStore.ts'
import { openSettings } from '../store/settings.ts'
import type { ReferenceRecord, Store } from '../store/store.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar reference list [--data DIR] [--field NAME] [--json]
       nightjar reference fetch --field NAME [options]
       nightjar reference fetch --ra RA --dec DEC --radius DEG --scale ARCSEC --out FILE [options]

References: what a field looked like before. "list" shows those of a data folder, newest first, with where they come from; the
first of a field and filter is the one in use. "fetch" asks an archive for a picture of a field that has no reference of its own
frames yet, checks it, sums its pixels to the scale of the frames and makes it the field's reference; own frames take its place
as soon as there are enough. The archive learns where you look; nothing else is sent.

  --data DIR       the daemon's data folder (default: data in this checkout); the daemon must not run on it for "fetch":
                   set references.archives in its settings, and it fetches by itself
  --field NAME     a field of the settings
  --ra RA --dec DEC  a place instead: degrees, or hours and degrees as 2:04:10.3 46:41:16
  --radius DEG     half the width of the picture (default for a field: what its newest frame shows)
  --scale ARCSEC   size of a pixel of the frames (default: by the camera of the settings)
  --filter NAME    default: the field's, else r
  --archive NAME   ${serviceNames.join(', ')}
                   (default: those of the settings, else hips2fits)
  --url URL        its address: of a mirror, or of a service of the Virtual Observatory for sia1 and sia2
  --survey NAME    in the archive's words (CDS/P/DSS2/red, DSS2 Red …); default: by the filter and the place
  --out FILE       writes the picture there instead of making it the reference of a field
  --json           prints JSON

Exits with 1 when no archive has a good picture, or none can be reached.`

const options = {
  data: { type: 'string' },
  field: { type: 'string' },
  ra: { type: 'string' },
  dec: { type: 'string' },
  radius: { type: 'string' },
  scale: { type: 'string' },
  filter: { type: 'string' },
  archive: { type: 'string' },
  url: { type: 'string' },
  survey: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const
const defaultData = fileURLToPath(new URL('../../../data', import.meta.url))

/** What the command touches of the world, so that a test can pass its own. */
export interface ReferenceWorld {
  readonly fetch: typeof fetch
  readonly clock: Clock
}

export async function run(argv: string[], world: ReferenceWorld = { fetch, clock: systemClock }): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv.flatMap(attachNegative), options, allowPositionals: true })
  const [verb, ...more] = positionals
  if (more.length > 0) throw new NightjarError('cli/usage', `${more.join(' ')} is one word too many`)
  if (verb === 'list') return list(values)
  if (verb === 'fetch') return await fetchAsked(values, world)
  throw new NightjarError('cli/usage', 'say what: nightjar reference list, or nightjar reference fetch')
}

/** `--dec -30` would read as an option. */
function attachNegative(argument: string, index: number, all: readonly string[]): string[] {
  const isNegative = (text: string | undefined): boolean => text !== undefined && /^-\d/.test(text)
  if (/^--(ra|dec)$/.test(argument) && isNegative(all[index + 1])) return [`${argument}=${all[index + 1]}`]
  return isNegative(argument) && /^--(ra|dec)$/.test(all[index - 1] ?? '') ? [] : [argument]
}

type Values = { readonly [K in Exclude<keyof typeof options, 'json'>]?: string } & { readonly json: boolean }

function list({ data, field, json }: Values): number {
  const all = listReferences(resolve(data ?? defaultData)).filter((one) => field === undefined || one.fieldId === field)
  if (json) console.log(JSON.stringify(all))
  else if (all.length === 0) console.log('there is no reference')
  else for (const one of all) console.log(lineOf(one))
  return 0
}

function lineOf({
  referenceId,
  fieldId,
  filter,
  version = 1,
  frames,
  fwhmPixels,
  archive,
  path,
}: ReferenceRecord): string {
  const width = fwhmPixels === undefined ? '' : `, FWHM ${fwhmPixels.toFixed(1)} px`
  const from = archive
    ? `${archive.service}, ${archive.survey}, ${archive.scaleArcsecPerPixel.toFixed(2)}″/px${archive.kind === 'plates' ? ', photographic plates' : ''}`
    : `${frames} frames`
  return `${fieldId} ${filter} v${version}: ${from}${width}; ${referenceId} (${path})`
}

async function fetchAsked(values: Values, { fetch: ask, clock }: ReferenceWorld): Promise<number> {
  const folder = resolve(values.data ?? defaultData)
  const { current } = await openSettings(folder)
  const archives = archivesAsked(values, current)
  const download = createDownload({ fetch: ask, clock })
  if (values.out !== undefined) return await toFile(values, values.out, current, archives, download)
  const field = fieldNamed(values, current)
  using store = openFree(folder)
  await using offload = offloadInline(createCompute())
  const request = fieldRequest(values, store, current, field)
  const outcome = await fetchReference({ store, clock, offload, download }, field, request, archives)
  if (!outcome.ok) throw new NightjarError('reference/none', outcome.reason)
  console.log(values.json ? JSON.stringify(outcome.reference) : lineOf(outcome.reference))
  if (!values.json) console.log(`to be said in a publication: ${outcome.reference.archive?.credit}`)
  return 0
}

function archivesAsked({ archive, url }: Values, settings: Settings): ReferenceArchive[] {
  if (archive === undefined) {
    if (url !== undefined) throw new NightjarError('cli/usage', '--url is the address of --archive: name that too')
    const set = archivesOf(settings.references)
    return set.length > 0 ? set : [archiveOf('hips2fits')!]
  }
  if (!(serviceNames as readonly string[]).includes(archive))
    throw new NightjarError('cli/usage', `there is no archive ${archive}; there are: ${serviceNames.join(', ')}`)
  if (url !== undefined && !/^https?:\/\/\S+$/.test(url))
    throw new NightjarError('cli/usage', `--url must begin with https:// or http://, not ${url}`)
  const made = archiveOf(archive as ServiceName, url)
  if (made) return [made]
  throw new NightjarError(
    'cli/usage',
    `${archive} is any service of the Virtual Observatory: give its address by --url`,
  )
}

function fieldNamed({ field: name, filter, ra, dec }: Values, { fields }: Settings): FieldSettings {
  if (ra !== undefined || dec !== undefined)
    throw new NightjarError('cli/usage', 'a place is no field: name the file for its picture by --out')
  const field = fields.find(({ fieldId }) => fieldId === name)
  if (field) return { ...field, filter: filter ?? field.filter }
  const known = fields.map(({ fieldId }) => fieldId).join(', ')
  throw new NightjarError(
    'cli/usage',
    `--field must be one of the settings: ${known === '' ? 'there are none' : known}`,
  )
}

function openFree(folder: string): Store {
  try {
    return openStore(folder)
  } catch (error) {
    if (!(error instanceof NightjarError && error.code === 'store/busy')) throw error
    const fix = 'set references.archives in its settings, and it fetches by itself; or stop it first'
    throw new NightjarError('cli/daemon', `a daemon runs on ${folder}: ${fix}`)
  }
}

function fieldRequest(values: Values, store: Store, settings: Settings, field: FieldSettings): PictureRequest {
  const scale = values.scale === undefined ? pixelScaleOf(settings.camera) : positive('--scale', values.scale)
  const shown = values.radius === undefined ? requestOf(store, settings.camera, field) : undefined
  if (!shown && values.radius === undefined)
    throw new NightjarError('cli/usage', 'no frame was taken yet, so nobody knows how much one shows: give --radius')
  const width = shown ? undefined : 2 * positive('--radius', values.radius!)
  return {
    ...{ raDeg: field.raDeg, decDeg: field.decDeg, filter: field.filter, survey: values.survey },
    ...{ widthDeg: width ?? shown!.widthDeg, heightDeg: width ?? shown!.heightDeg, scaleArcsecPerPixel: scale },
  }
}

async function toFile(
  values: Values,
  out: string,
  settings: Settings,
  archives: readonly ReferenceArchive[],
  download: Download,
): Promise<number> {
  const field = values.field === undefined ? undefined : fieldNamed(values, settings)
  const place = field ?? placeOf(values)
  if (values.radius === undefined) throw new NightjarError('cli/usage', 'say how much it shall show: --radius DEG')
  const width = 2 * positive('--radius', values.radius)
  const scale = values.scale === undefined ? pixelScaleOf(settings.camera) : positive('--scale', values.scale)
  const filter = values.filter ?? field?.filter ?? 'r'
  const request = {
    ...{ raDeg: place.raDeg, decDeg: place.decDeg, filter, survey: values.survey },
    ...{ widthDeg: width, heightDeg: width, scaleArcsecPerPixel: scale },
  }
  const reasons: string[] = []
  for (const archive of archives) {
    const answer = await archive.ask(request, download)
    const reason = answer.ok ? await writePicture(answer.picture, request, out, values.json) : answer.reason
    if (reason === undefined) return 0
    reasons.push(reason)
  }
  throw new NightjarError('reference/none', reasons.join('; '))
}

/** Undefined when it is written; else why it is not worth it. */
async function writePicture(
  {
    bytes,
    service,
    survey,
    url,
    credit,
    kind,
  }: Extract<Awaited<ReturnType<ReferenceArchive['ask']>>, { ok: true }>['picture'],
  request: PictureRequest,
  out: string,
  json: boolean,
): Promise<string | undefined> {
  using compute = createCompute()
  const made = archiveFrame(compute, bytes, request, service)
  if (!made.ok) return made.reason
  const { frame, scaleArcsecPerPixel, fwhmPixels, coverage } = made
  const header = frame.header.withAll({ REFSRC: service, REFSURV: survey, REFURL: url, REFCRED: credit })
  await replaceFile(out, encodeFrame({ ...frame, header }))
  const { width, height } = frame
  const facts = { out, service, survey, url, credit, kind, width, height, scaleArcsecPerPixel, fwhmPixels, coverage }
  const size = `${width} × ${height} pixels of ${scaleArcsecPerPixel.toFixed(2)}″`
  console.log(
    json ? JSON.stringify(facts) : `${out}: ${service}, ${survey}, ${size}\nto be said in a publication: ${credit}`,
  )
  return undefined
}

function placeOf({ ra, dec }: Values): { raDeg: number; decDeg: number } {
  const place = ra === undefined || dec === undefined ? undefined : parsePlace(ra, dec)
  if (place) return place
  throw new NightjarError('cli/usage', 'say where: --field NAME, or --ra and --dec in degrees or as 2:04:10.3 46:41:16')
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${name} must be a positive number, not ${text}`)
}

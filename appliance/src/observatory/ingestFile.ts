import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { FieldSettings, Settings } from '../contract/config.ts'
import type { FrameProvenance, FrameRecord, FrameType } from '../contract/records.ts'
import { fitsDate, imageTypes } from '../frames/fits/facts.ts'
import { glance } from '../frames/fits/glance.ts'
import { type FitsHeader, type HeaderEntries, real } from '../frames/fits/header.ts'
import { frameFromCamera } from '../frames/fits/ingest.ts'
import { firstImage, imageHeader, imageSize, openFits } from '../frames/fits/read.ts'
import { nightIdAt, separationDeg } from '../observations/ephemeris.ts'
import { headerHint } from '../preprocessing/headerHint.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import type { Store } from '../store/store.ts'
import { frameIdAt, recordCaptured } from './capture.ts'
import { type ForeignFacts, foreignFacts } from './foreignHeader.ts'
import { provenanceEntries } from './provenance.ts'

export interface IngestDeps {
  readonly store: Store
  readonly clock: Clock
  readonly settings: () => Pick<Settings, 'site' | 'fields' | 'camera'>
}

/** How a file came here, what it was called there, and what is known of it that its header may not say. */
export interface Origin extends Pick<FrameProvenance, 'source' | 'name' | 'url'> {
  readonly type?: FrameType
  /** The field of a light frame whose header names no place. */
  readonly field?: string
}

export type IngestOutcome =
  | {
      readonly ok: true
      readonly frame: FrameRecord
      /** The file was taken before: nothing changed. */
      readonly known: boolean
    }
  | {
      readonly ok: false
      readonly reason: string
      /** The file was being changed: later it may do. The journal says nothing of it. */
      readonly later?: boolean
    }

/** A larger file is no frame of a camera that Nightjar can work on: 256 Mpx of 16 bits. */
export const ingestLimitBytes = 512 * 1024 * 1024
/** Clocks of two machines may differ by this much, and by time zones that were mistaken for UTC by less. */
const futureLimitMs = 86_400_000
/** A frame shows its field when that lies within this part of the frame's shorter side from the middle. */
const offCentre = 0.5
const arcsecPerRadian = 206264.806

/**
 * Takes one file that the camera here did not make, the same way as a frame of the camera: checked, completed with what
 * says where it came from, written beside, synced, renamed, and committed with its first job. Plain, `.fz` and `.gz`. Its name
 * here follows from its moment and its bytes, so the same file twice is one frame, also when the power went in between.
 * A file that is refused stays where it is, and the journal says why. Throws `store/full`.
 */
export async function ingestFile(
  deps: IngestDeps,
  from: string | Uint8Array,
  origin: Origin,
  limitBytes: number = ingestLimitBytes,
): Promise<IngestOutcome> {
  const bytes = await bytesOf(from, limitBytes)
  const outcome = bytes instanceof Uint8Array ? await ingestBytes(deps, bytes, origin) : bytes
  if (!outcome.ok && !outcome.later) refuse(deps, origin, outcome.reason)
  return outcome
}

/** The journal says what was not taken and why. */
function refuse({ store, clock }: IngestDeps, { source, name }: Origin, reason: string): void {
  store.commit(clock.now(), (tx) => tx.event('frame.refused', { source, name, reason }))
}

/** One file after the other: two that are the same cannot pass each other. */
export function ingestInTurn(deps: IngestDeps): (from: string | Uint8Array, origin: Origin) => Promise<IngestOutcome> {
  let last: Promise<unknown> = Promise.resolve()
  return (from, origin) => {
    const own = last.then(() => deps.clock.during(ingestFile(deps, from, origin)))
    last = own.catch(() => undefined)
    return own
  }
}

async function bytesOf(from: string | Uint8Array, limitBytes: number): Promise<Uint8Array | IngestOutcome> {
  if (typeof from !== 'string') return from.length > limitBytes ? tooLarge(from.length, limitBytes) : from
  try {
    const { size } = await stat(from)
    if (size > limitBytes) return tooLarge(size, limitBytes)
    const bytes = await readFile(from)
    return bytes.length === size ? bytes : { ok: false, later: true, reason: 'it changed while it was read' }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { ok: false, later: true, reason: `it cannot be read: ${reason}` }
  }
}

function tooLarge(bytes: number, limitBytes: number): IngestOutcome {
  const mebibytes = (value: number): string => (value / 1048576).toFixed(value < 1048576 ? 3 : 0)
  return {
    ok: false,
    reason: `it has ${mebibytes(bytes)} MiB, the limit is ${mebibytes(limitBytes)}: pack it with fpack`,
  }
}

async function ingestBytes(deps: IngestDeps, bytes: Uint8Array, origin: Origin): Promise<IngestOutcome> {
  const { source, name, url } = origin
  const place = url === undefined ? {} : { url }
  const provenance: FrameProvenance = { source, name, ...place, sha256: hashBytes(bytes), bytes: bytes.length }
  const seen = look(deps, bytes, origin)
  if (!seen.ok) return seen
  const frame = frameOf(deps, seen, provenance)
  const known = deps.store.frame(frame.frameId) ?? ownFrame(deps.store, seen.header, provenance.sha256)
  if (known) return { ok: true, frame: known, known: true }
  const whole = frameFromCamera(bytes, entriesOf(frame, seen, provenance), origin.name)
  if (!whole.ok) return whole
  await writeDurably(`${deps.store.folder}/${frame.path}`, whole.bytes)
  const stored = { ...frame, bytes: whole.bytes.length, sha256: hashBytes(whole.bytes) }
  recordCaptured(deps.store, deps.clock.now(), stored)
  return { ok: true, frame: stored, known: false }
}

interface Seen {
  readonly ok: true
  readonly header: FitsHeader
  readonly facts: ForeignFacts
  readonly field: FieldSettings | undefined
  readonly width: number
  readonly height: number
}

type Looked = Seen | { readonly ok: false; readonly reason: string }

/** Everything that can be wrong with a file, before anything is written. */
function look(deps: IngestDeps, bytes: Uint8Array, origin: Origin): Looked {
  try {
    return lookInside(deps, bytes, origin)
  } catch (error) {
    if (error instanceof NightjarError && error.code.startsWith('fits/')) return { ok: false, reason: error.message }
    throw error
  }
}

function lookInside({ clock, settings }: IngestDeps, bytes: Uint8Array, origin: Origin): Looked {
  const file = openFits(bytes, { name: origin.name })
  const image = firstImage(file)
  const size = imageSize(file, image)
  const header = imageHeader(image)
  const read = foreignFacts(header, origin.type)
  if (!read.ok) return read
  if (read.facts.capturedAtMs > clock.now() + futureLimitMs)
    return { ok: false, reason: `its DATE-OBS, ${fitsDate(read.facts.capturedAtMs)}, is still to come: correct it` }
  const pixels = glance(file)
  if (!pixels)
    return { ok: false, reason: 'its pixels are 64-bit integers, which no camera sends: convert it to 16 bits' }
  if (pixels.min === pixels.max) return { ok: false, reason: `every pixel is ${pixels.min}: there is no picture in it` }
  const seen = { ok: true, header, facts: read.facts, ...size } as const
  if (read.facts.type !== 'light') return { ...seen, field: undefined }
  const found = fieldOf(settings(), header, read.facts, size, origin.field)
  return typeof found === 'string' ? { ok: false, reason: found } : { ...seen, field: found }
}

/** The nearest field that the frame shows; by its name where the header says no place. Or why there is none. */
function fieldOf(
  { fields, camera }: Pick<Settings, 'fields' | 'camera'>,
  header: FitsHeader,
  { object }: ForeignFacts,
  { width, height }: { readonly width: number; readonly height: number },
  given: string | undefined,
): FieldSettings | string {
  const { place, scaleArcsecPerPixel } = headerHint(header, width, height)
  if (!place) {
    const named = fields.find(({ fieldId }) => plainName(fieldId) === plainName(given ?? object ?? ''))
    if (named) return named
    const called = given ?? object
    const who = called === undefined ? '' : ` and ${called} is none of the fields`
    return `its header does not say where it points${who}: set RA and DEC, or OBJECT to the name of a field`
  }
  const scale =
    scaleArcsecPerPixel ?? (arcsecPerRadian * camera.pixelMicrometres) / camera.focalLengthMillimetres / 1000
  const radiusDeg = (offCentre * Math.min(width, height) * scale) / 3600
  const away = ({ raDeg, decDeg }: FieldSettings): number => separationDeg(place.raDeg, place.decDeg, raDeg, decDeg)
  const near = fields.filter((field) => away(field) <= radiusDeg).sort((a, b) => away(a) - away(b))[0]
  if (near) return near
  const where = `RA ${place.raDeg.toFixed(4)}°, Dec ${place.decDeg.toFixed(4)}°`
  return `it shows none of the fields (${where}, none within ${radiusDeg.toFixed(2)}°): add a field there in Settings`
}

/** M 31, m31 and M-31 are one name. */
const plainName = (name: string): string => name.toLowerCase().replaceAll(/[\s._-]+/g, '')

function frameOf({ settings }: IngestDeps, seen: Seen, provenance: FrameProvenance): FrameRecord {
  const { type, capturedAtMs, exposureSeconds } = seen.facts
  const nightId = nightIdAt(settings().site, capturedAtMs)
  const frameId = `${frameIdAt(nightId, capturedAtMs)}-${provenance.sha256.slice(0, 16)}`
  return {
    frameId,
    nightId,
    fieldId: seen.field?.fieldId ?? 'calibration',
    type,
    state: 'captured',
    capturedAtMs,
    exposureSeconds,
    // A camera without a wheel does not name its filter: the field does.
    filter: seen.facts.filter ?? seen.field?.filter ?? '',
    width: seen.width,
    height: seen.height,
    path: `frames/${nightId}/${frameId}.fits`,
    bytes: provenance.bytes,
    sha256: provenance.sha256,
    provenance,
  }
}

/** A frame that was taken here and comes back as it left. */
function ownFrame(store: Store, header: FitsHeader, sha256: string): FrameRecord | undefined {
  const frame = store.frame(header.text('FRAMEID') ?? '')
  return frame?.sha256 === sha256 ? frame : undefined
}

/** Only what differs from the file's own cards, and what `adoptFrames` asks of a frame. */
function entriesOf(frame: FrameRecord, { header, facts }: Seen, provenance: FrameProvenance): HeaderEntries {
  const sameMoment = Date.parse(`${header.text('DATE-OBS')}Z`) === frame.capturedAtMs
  return {
    IMAGETYP: imageTypes[frame.type],
    OBJECT: frame.fieldId,
    OBJNAME: facts.object === undefined || facts.object === frame.fieldId ? undefined : facts.object,
    'DATE-OBS': sameMoment ? undefined : [fitsDate(frame.capturedAtMs), 'start of exposure'],
    EXPTIME: [real(frame.exposureSeconds), '[s] exposure'],
    FILTER: frame.filter === '' ? undefined : frame.filter,
    NIGHTID: frame.nightId,
    FRAMEID: frame.frameId,
    ...provenanceEntries(provenance),
  }
}

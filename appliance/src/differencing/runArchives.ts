import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { FieldSettings, Settings } from '../contract/config.ts'
import { type Offload, taskIn } from '../frames/offload.ts'
import { hashBytes } from '../store/frameFiles.ts'
import type { ReferenceRecord, Store } from '../store/store.ts'
import type { Picture, PictureRequest, ReferenceArchive } from './archives/archive.ts'
import type { Download } from './archives/download.ts'
import { archiveOf } from './archives/services.ts'

/**
 * References from archives: for a field that has none of its own yet, so that its first night is searched. Nothing waits for
 * an archive; the field's own frames take its place as soon as there are enough of them (`run.ts`).
 */
export interface ArchiveDeps {
  readonly store: Store
  readonly clock: Clock
  readonly offload: Offload
  readonly download: Download
}

export type FetchOutcome =
  | { readonly ok: true; readonly reference: ReferenceRecord }
  | { readonly ok: false; readonly reason: string }

const keepArchivePicture = taskIn<typeof import('./runArchivePixels.ts'), 'keepArchivePicture'>(
  import.meta.resolve('./runArchivePixels.ts'),
  'keepArchivePicture',
)

/** The first of `archives` that has a good picture of the field makes its reference; the reasons of all that had none. */
export async function fetchReference(
  deps: ArchiveDeps,
  field: Pick<FieldSettings, 'fieldId' | 'filter'>,
  request: PictureRequest,
  archives: readonly ReferenceArchive[],
): Promise<FetchOutcome> {
  const { fieldId, filter } = field
  const before = deps.store.reference(fieldId, filter)
  if (before && !before.archive)
    return { ok: false, reason: `${fieldId} has a reference of its own frames in ${filter}, which is better` }
  const reasons: string[] = []
  for (const archive of archives) {
    const answer = await deps.clock.during(archive.ask(request, deps.download))
    const outcome = answer.ok ? await keep(deps, field, request, answer.picture) : answer
    if (outcome.ok) return outcome
    reasons.push(outcome.reason)
  }
  return { ok: false, reason: reasons.join('; ') || 'no archive is named' }
}

async function keep(
  { store, clock, offload }: ArchiveDeps,
  { fieldId, filter }: Pick<FieldSettings, 'fieldId' | 'filter'>,
  request: PictureRequest,
  picture: Picture,
): Promise<FetchOutcome> {
  const before = store.reference(fieldId, filter)
  const version = (before?.version ?? 0) + 1
  const sha = hashBytes(picture.bytes)
  const referenceId = `${fieldId}-${filter}-${picture.service.replaceAll(/[^\w.]+/g, '-')}-${sha.slice(0, 8)}-v${version}`
  const fetchedAtMs = clock.now()
  const cards = {
    REFID: referenceId,
    REFSRC: [picture.service, 'archive that it came from'],
    REFSURV: picture.survey,
    REFURL: picture.url,
    REFTIME: [new Date(fetchedAtMs).toISOString().slice(0, 19), 'UTC, when it was fetched'],
    REFSHA: [sha, 'sha256 of what was fetched'],
    REFCRED: picture.credit,
  } as const
  const input = { bytes: picture.bytes, request, name: picture.service, folder: store.folder, cards }
  const made = await clock.during(offload.run(keepArchivePicture, input))
  if (!made.ok) return made
  // Own frames may have become enough meanwhile.
  if (store.reference(fieldId, filter)?.referenceId !== before?.referenceId)
    return { ok: false, reason: `${fieldId} got another reference meanwhile` }
  const { path, sha256, fwhmPixels, scaleArcsecPerPixel, bin, coverage } = made
  const { service, survey, url, credit, kind, observedAtMs, bytes } = picture
  const reference: ReferenceRecord = {
    ...{ referenceId, fieldId, filter, path, sha256, frames: 1, builtAtMs: clock.now(), version, fwhmPixels },
    ...(before && { replaces: before.referenceId }),
    reason: `from ${service}: ${survey}`,
    archive: {
      ...{ service, survey, url, credit, kind, fetchedAtMs, sha256: sha, bytes: bytes.length },
      ...{ scaleArcsecPerPixel, bin, coverage, ...(observedAtMs !== undefined && { observedAtMs }) },
    },
  }
  store.commit(clock.now(), (tx) => {
    tx.putReference(reference)
    const { reason = '' } = reference
    const replaces = before && { replaces: before.referenceId }
    tx.event('reference.built', {
      referenceId,
      fieldId,
      frames: 1,
      path,
      sha256,
      version,
      reason,
      ...replaces,
      service,
    })
  })
  return { ok: true, reference }
}

/** The archives of the settings, in their order. */
export function archivesOf({ archives = [] }: Settings['references']): ReferenceArchive[] {
  return archives.flatMap(({ service, url }) => archiveOf(service, url) ?? [])
}

const arcsecPerRadian = 206264.806
/** Frames of one field are not all centred alike. */
const margin = 1.15

export function pixelScaleOf({ pixelMicrometres, focalLengthMillimetres }: Settings['camera']): number {
  return (arcsecPerRadian * pixelMicrometres) / focalLengthMillimetres / 1000
}

/** The field as the camera frames it; undefined before it has taken a frame, when its size is not known. */
export function requestOf(store: Store, camera: Settings['camera'], field: FieldSettings): PictureRequest | undefined {
  const frame =
    store.frames({ type: 'light', limit: 1, fieldId: field.fieldId })[0] ?? store.frames({ type: 'light', limit: 1 })[0]
  if (!frame) return undefined
  const scale = pixelScaleOf(camera)
  const { raDeg, decDeg, filter } = field
  const [widthDeg, heightDeg] = [frame.width, frame.height].map((pixels) => (margin * pixels * scale) / 3600)
  return { raDeg, decDeg, widthDeg: widthDeg!, heightDeg: heightDeg!, scaleArcsecPerPixel: scale, filter }
}

export interface KeeperDeps extends ArchiveDeps {
  readonly settings: () => Pick<Settings, 'fields' | 'camera' | 'references'>
  /** Told once for each field and reason. */
  readonly onTrouble: (reason: string) => void
}

const lookMs = 600_000
/** Before a field is asked for again: archives are shared by many. */
const againMs = 86_400_000

/** Fetches a reference for each field that has none, one after the other, until aborted; off while no archive is set. */
export async function keepReferences(deps: KeeperDeps, signal: AbortSignal): Promise<void> {
  const tried = new Map<string, number>()
  while (!signal.aborted) {
    const { fields, camera, references } = deps.settings()
    const archives = archivesOf(references)
    for (const field of archives.length > 0 ? fields : []) {
      const key = `${field.fieldId}/${field.filter}`
      const last = tried.get(key)
      const due = last === undefined || deps.clock.monotonic() - last >= againMs
      const request = due ? requestOf(deps.store, camera, field) : undefined
      if (!request || deps.store.reference(field.fieldId, field.filter) || signal.aborted) continue
      tried.set(key, deps.clock.monotonic())
      const outcome = await fetchReference(deps, field, request, archives).catch(asReason)
      if (!outcome.ok && !signal.aborted) deps.onTrouble(`no reference of ${field.fieldId}: ${outcome.reason}`)
    }
    await deps.clock.sleep(lookMs, signal).catch(() => undefined)
  }
}

/** A full disk, or a worker that died: the night goes on without a picture. */
function asReason(error: unknown): FetchOutcome {
  return { ok: false, reason: error instanceof Error ? error.message : String(error) }
}

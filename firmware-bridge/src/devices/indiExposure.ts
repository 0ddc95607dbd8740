/** One exposure over INDI, from the command to the frame. */
import type { Clock } from '../clock.ts'
import type { ClientEvent, IndiClient } from '../indi/client.ts'
import type { BlobValue } from '../indi/messages.ts'
import { findProperty, lastWords } from '../indi/properties.ts'
import { type Failure, failure } from '../outcome.ts'
import type { ExposedFrame } from './camera.ts'

export interface ExposureTiming {
  /** From the command to the first sign that the exposure runs. */
  readonly startMs: number
  /** From the end of the exposure to the whole frame. */
  readonly deliveryMs: number
  readonly abortMs: number
  readonly wheelMs: number
}

export const exposureTiming: ExposureTiming = {
  startMs: 30_000,
  deliveryMs: 60_000,
  abortMs: 10_000,
  wheelMs: 60_000,
}

export const blobProperty = 'CCD1'
const exposure = 'CCD_EXPOSURE'

export interface ExposureRun {
  readonly client: IndiClient
  readonly clock: Clock
  readonly device: string
  readonly seconds: number
  readonly timing: ExposureTiming
  readonly signal: AbortSignal | undefined
}

export type ExposureEnd = ExposedFrame | (Failure & { readonly stillBusy: boolean })

/**
 * From the command to the frame. The frame comes before the exposure's Ok from most drivers and after it from some, so
 * both are awaited; a frame that comes before the start is acknowledged belongs to an earlier exposure and is ignored.
 */
export async function runExposure(run: ExposureRun): Promise<ExposureEnd> {
  const { client, clock, device, seconds, timing } = run
  const over = new AbortController()
  const starting = new AbortController()
  const ended = Promise.withResolvers<ExposureEnd>()
  const sentAtMs = clock.now()
  let startedAtMs: number | undefined
  let blob: BlobValue | undefined
  /** Came before any Busy: of an earlier exposure, unless the camera never says Busy. */
  let early: BlobValue | undefined
  let shutterClosed = false
  let answers = 0

  const fail = (reason: string, stillBusy = false): void => ended.resolve({ ...failure(reason), stillBusy })
  const words = (otherwise: string): string => lastWords(client.state, device, sentAtMs) ?? otherwise

  const deadline = (ms: number, reason: string, unless = over.signal): void => {
    clock.sleep(ms, unless).then(
      () => fail(reason, true),
      () => undefined,
    )
  }

  const finish = (): void => {
    if (!blob || startedAtMs === undefined) return
    const { bytes, format } = blob
    ended.resolve({ ok: true, bytes, format, startedAtMs, endedAtMs: startedAtMs + seconds * 1000 })
  }

  const onExposure = (state: string | undefined): void => {
    if (state === 'Alert') return fail(words('the camera reports Alert'))
    if (state === 'Busy' && startedAtMs === undefined) {
      startedAtMs = clock.now()
      early = undefined
      starting.abort()
      deadline(seconds * 1000 + timing.deliveryMs, `no frame came within ${timing.deliveryMs / 1000} s of the exposure`)
      return
    }
    if (state === 'Busy') return
    if (startedAtMs === undefined) {
      if (answers === 0) return
      if (!early) return fail(words('the camera did not start'))
      startedAtMs = sentAtMs
      blob = early
    }
    shutterClosed = true
    if (blob) finish()
    else if (state === 'Idle') fail('the exposure was aborted')
  }

  const onEvent = (event: ClientEvent): void => {
    if (event.type === 'closed') return fail('the connection to the server was lost')
    if (!('device' in event) || event.device !== device) return
    if (event.type === 'deviceLost') return fail(`${device} was lost`)
    if (event.type === 'deleted' && event.name === exposure) return fail(`${device} was disconnected`)
    if (event.type === 'blob' && event.name === blobProperty && !isVideo(event.blobs[0])) {
      if (startedAtMs === undefined) {
        early = event.blobs[0]
        return
      }
      blob = event.blobs[0]
      if (shutterClosed) return finish()
      // Some drivers leave CCD_EXPOSURE Busy for a moment, a few for ever.
      clock.sleep(2_000, over.signal).then(finish, () => undefined)
    }
    if ((event.type === 'defined' || event.type === 'updated') && event.name === exposure) {
      if (event.type === 'defined') answers++
      onExposure(findProperty(client.state, device, exposure)?.state)
    }
  }

  const onAbort = (): void => fail(`aborted: ${run.signal?.reason}`, true)
  const unlisten = client.listen(onEvent)
  run.signal?.addEventListener('abort', onAbort, { once: true })
  deadline(timing.startMs, `the camera did not start within ${timing.startMs / 1000} s`, starting.signal)
  if (run.signal?.aborted) onAbort()
  if (!client.open) fail('the server is not connected')
  const elements = [{ name: 'CCD_EXPOSURE_VALUE', value: seconds }]
  client.send({ type: 'new', kind: 'number', device, name: exposure, elements })
  client.readBack(device, exposure)
  try {
    return await ended.promise
  } finally {
    unlisten()
    over.abort()
    starting.abort()
    run.signal?.removeEventListener('abort', onAbort)
  }
}

/** `.stream`, `.stream_jpg`: a frame of the video, not of an exposure. */
export const isVideo = (blob: BlobValue | undefined): boolean => blob?.format.startsWith('.stream') === true

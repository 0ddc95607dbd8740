/** A camera's own video over INDI. */
import { done, failure, type Outcome } from '../outcome.ts'
import type { PreviewFrame } from './camera.ts'
import { type IndiDevice, judgeSwitched } from './indiDevice.ts'
import { blobProperty, isVideo } from './indiExposure.ts'

/** Shows frames until the signal aborts, then turns the video off. Fails when it does not start, and when the device goes. */
export async function preview(
  device: IndiDevice,
  show: (frame: PreviewFrame) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  if (signal.aborted) return failure(`aborted: ${signal.reason}`)
  const ended = Promise.withResolvers<Outcome>()
  const stop = (): void => ended.resolve(done)
  const unlisten = device.client.listen((event) => {
    if (event.type === 'closed') return ended.resolve(failure('the connection to the server was lost'))
    if (!('device' in event) || event.device !== device.name) return
    if (event.type === 'deviceLost') return ended.resolve(failure(`${device.name} was lost`))
    if (event.type === 'deleted' && event.name === 'CCD_VIDEO_STREAM')
      return ended.resolve(failure(`${device.name} was disconnected`))
    if (event.type !== 'blob' || event.name !== blobProperty || signal.aborted) return
    for (const blob of event.blobs) if (isVideo(blob)) show({ bytes: blob.bytes, format: blob.format })
  })
  signal.addEventListener('abort', stop, { once: true })
  try {
    // JPEG where the camera can: plain frames of a large chip fill any network.
    if (device.has('CCD_STREAM_ENCODER', 'MJPEG')) await device.set('CCD_STREAM_ENCODER', { MJPEG: true })
    const started = await device.set('CCD_VIDEO_STREAM', { STREAM_ON: true }, { judge: judgeSwitched })
    if (!started.ok) return started
    const outcome = await ended.promise
    if (!outcome.ok) return outcome
    return await device.set('CCD_VIDEO_STREAM', { STREAM_OFF: true }, { judge: judgeSwitched })
  } finally {
    unlisten()
    signal.removeEventListener('abort', stop)
  }
}

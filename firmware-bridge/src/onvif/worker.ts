/**
 * The npm package onvif, in a thread of its own. It has thrown where nobody can catch (its issues 76 and 183), it never
 * answers after some damaged replies, and it keeps whatever a camera sends: here that ends this thread, not the daemon.
 */
import { parentPort, workerData } from 'node:worker_threads'
import onvif from 'onvif'
import { systemClock } from '../clock.ts'
import type { CameraAddress, OnvifAnswer, OnvifQuestion, OnvifResults } from './messages.ts'

type Callback = (error: Error | null, ...data: unknown[]) => void
type Method = (...args: [...unknown[], Callback]) => void

const { host, port, path, username, password, useWsSecurity } = workerData as CameraAddress
const socketMs = 10_000

const camera = new onvif.Cam({
  hostname: host,
  port,
  ...(path === undefined ? {} : { path }),
  username,
  password,
  timeout: socketMs,
  autoconnect: false,
  // Cameras behind another address name their own in every reply.
  preserveAddress: true,
  useWSSecurity: useWsSecurity,
})

/** Calls a method of the camera and waits for its callback's first value. */
function call(name: string, ...args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const method = (camera as unknown as Record<string, Method>)[name]
    if (!method) return reject(new Error(`onvif has no ${name}`))
    const done: Callback = (error, value) => (error ? reject(error) : resolve(value))
    method.call(camera, ...args, done)
  })
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** What the library adds to the process's running time to get the camera's: its clock in the digests. */
function setClock(cameraMs: number | undefined): void {
  const clock = camera as unknown as { timeShift: number | undefined }
  clock.timeShift = cameraMs === undefined ? undefined : cameraMs - process.uptime() * 1000
}

/** Anew each time: the library would ask once, and a camera's clock may be set meanwhile. */
async function readClock(): Promise<unknown> {
  setClock(undefined)
  try {
    return await call('getSystemDateAndTime')
  } catch {
    // A camera that tells the time only to those who sign: ours may be near enough to its own.
    setClock(systemClock.now())
    const time = await call('getSystemDateAndTime')
    if (time instanceof Date) setClock(time.getTime())
    return time
  }
}

/** Reads the camera's clock first: digests are made with it. */
async function connect(): Promise<OnvifResults['connect']> {
  const time = await readClock()
  const clockOffsetSeconds = time instanceof Date ? (time.getTime() - systemClock.now()) / 1000 : undefined
  await call('connect')
  const device = record(await call('getDeviceInformation'))
  const words = [text(device['manufacturer']), text(device['model'])].filter((word) => word !== undefined)
  const profile = record(record(camera)['defaultProfile'] ?? (record(camera)['profiles'] as unknown[] | undefined)?.[0])
  return {
    model: words.length > 0 ? words.join(' ') : undefined,
    clockOffsetSeconds:
      clockOffsetSeconds !== undefined && Number.isFinite(clockOffsetSeconds) ? clockOffsetSeconds : undefined,
    canTurn: profile['PTZConfiguration'] !== undefined,
    snapshotUri: await uri('getSnapshotUri', {}),
    streamUri: await uri('getStreamUri', { protocol: 'RTSP' }),
  }
}

/** Cameras without the one often have the other. */
async function uri(method: string, options: object): Promise<string | undefined> {
  try {
    return text(record(await call(method, options))['uri'])
  } catch {
    return undefined
  }
}

async function isMoving(): Promise<OnvifResults['isMoving']> {
  const status = record(record(await call('getStatus', {}))['moveStatus'])
  return Object.values(status).includes('MOVING')
}

function answer(question: OnvifQuestion): Promise<unknown> {
  switch (question.method) {
    case 'connect':
      return connect()
    case 'isMoving':
      return isMoving()
    case 'pointTo': {
      const { pan, tilt, zoom } = question
      return call('absoluteMove', { x: pan, y: tilt, zoom })
    }
  }
}

parentPort?.on('message', (question: OnvifQuestion) => {
  const reply = (message: OnvifAnswer): void => parentPort?.postMessage(message)
  answer(question).then(
    (value) => reply({ id: question.id, ok: true, value }),
    (error: unknown) =>
      reply({ id: question.id, ok: false, reason: error instanceof Error ? error.message : String(error) }),
  )
})

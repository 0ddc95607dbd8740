import type { Clock } from '../clock.ts'
import { createOnvifClient } from '../onvif/client.ts'
import type { OnvifResults } from '../onvif/messages.ts'
import { fetchSnapshot } from '../onvif/snapshot.ts'
import { grabFrame, hasFfmpeg } from '../onvif/streamFrame.ts'
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import type { AllSkyCamera, Snapshot } from './allSkyCamera.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import { pollEvery } from './poll.ts'

export const onvifCameraCard = driverCard('allSkyCamera', 'ONVIF', ['snapshot', 'pointTo', 'stream'])

export interface OnvifCameraOptions {
  readonly clock: Clock
  readonly random: Random
  readonly host: string
  readonly port?: number
  /** Of the device service; `/onvif/device_service` by default. */
  readonly path?: string
  readonly username?: string
  readonly password?: string
  /** False for cameras that take HTTP's digest only. */
  readonly useWsSecurity?: boolean
  readonly intervalMs?: number
}

const defaultIntervalMs = 30_000
const missedQuestions = 3
const snapshotMs = 15_000
const turnMs = 60_000
const turnPollMs = 500

type Description = OnvifResults['connect']

/** A network camera that speaks ONVIF. It is asked for what it is again and again; images are fetched when wanted. */
export function createOnvifCamera(options: OnvifCameraOptions): AllSkyCamera {
  const { clock, random, host, port = 80, username = '', password = '', intervalMs = defaultIntervalMs } = options
  const { path, useWsSecurity = true } = options
  const client = createOnvifClient({ host, port, path, username, password, useWsSecurity }, clock)
  const ffmpeg = hasFfmpeg()
  const poll = pollEvery<Description>({
    clock,
    intervalMs,
    staleMs: missedQuestions * intervalMs,
    read: () => client.ask({ method: 'connect' }),
  })

  /** Where the camera says, at the address at which it is: cameras behind another name their own. */
  function reachable(uri: string): URL | undefined {
    if (!URL.canParse(uri)) return undefined
    const url = new URL(uri)
    url.hostname = host
    return url
  }

  async function fromHttp(uri: string, timeoutMs: number): Promise<Snapshot | Failure> {
    const url = reachable(uri)
    if (!url || !/^https?:$/.test(url.protocol)) return failure('the camera’s address of its images is none')
    const how = { clock, random, username, password, timeoutMs }
    const first = await fetchSnapshot(url, how)
    if (first.ok || url.port === (port === 80 ? '' : String(port))) return first
    // The port may be as wrong as the host.
    url.port = String(port)
    const second = await fetchSnapshot(url, how)
    return second.ok ? second : first
  }

  function fromStream(uri: string, timeoutMs: number): Promise<Snapshot | Failure> {
    const url = reachable(uri)
    if (url?.protocol !== 'rtsp:') return Promise.resolve(failure('the camera’s address of its stream is none'))
    if (username !== '') {
      url.username = encodeURIComponent(username)
      url.password = encodeURIComponent(password)
    }
    return grabFrame(url, { clock, timeoutMs })
  }

  async function untilStill(): Promise<Outcome> {
    const deadline = clock.monotonic() + turnMs
    while (clock.monotonic() < deadline) {
      await clock.sleep(turnPollMs)
      const moving = await client.ask({ method: 'isMoving' })
      if (!moving.ok) return moving
      if (!moving.value) return done
    }
    return failure(`the camera still turns after ${turnMs / 1000} s`)
  }

  return {
    state: () => ({
      source: `ONVIF ${host}:${port}`,
      atMs: poll.atMs,
      connected: poll.problem === undefined,
      problem: poll.problem,
      model: poll.value?.model,
      clockOffsetSeconds: poll.value?.clockOffsetSeconds,
    }),
    can() {
      const able = new Set<Capability<'allSkyCamera'>>()
      const streams = poll.value?.streamUri !== undefined && ffmpeg
      if (poll.value?.snapshotUri !== undefined || streams) able.add('snapshot')
      if (poll.value?.canTurn) able.add('pointTo')
      if (streams) able.add('stream')
      return able
    },
    async snapshot(timeoutMs = snapshotMs) {
      if (!poll.value) await poll.refresh()
      const { snapshotUri, streamUri } = poll.value ?? {}
      if (!poll.value) return failure(`${host} is not connected: ${poll.problem}`)
      const fetched = snapshotUri === undefined ? undefined : await fromHttp(snapshotUri, timeoutMs)
      if (fetched?.ok) return fetched
      if (streamUri === undefined || !ffmpeg) return fetched ?? failure('the camera offers no image')
      return fromStream(streamUri, timeoutMs)
    },
    async pointTo(pan, tilt, zoom) {
      if (!(Math.abs(pan) <= 1 && Math.abs(tilt) <= 1 && zoom >= 0 && zoom <= 1)) {
        return failure('pan and tilt are in [-1, 1], zoom in [0, 1]')
      }
      if (poll.value && !poll.value.canTurn) return failure(`${host} does not turn`)
      const taken = await client.ask({ method: 'pointTo', pan, tilt, zoom })
      return taken.ok ? untilStill() : taken
    },
    async [Symbol.asyncDispose]() {
      await poll[Symbol.asyncDispose]()
      await client[Symbol.asyncDispose]()
    },
  }
}

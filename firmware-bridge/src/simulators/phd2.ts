import type { Clock } from '../clock.ts'
import { longestRequestBytes } from '../phd2/messages.ts'
import type { Random } from '../random.ts'
import type { Wire, WireHandlers } from '../wire/wire.ts'

export interface SimulatedPhd2Options {
  readonly clock: Clock
  readonly random: Random
  readonly exposureMs?: number
  /** Arcsec per pixel; undefined when PHD2 was not told the focal length. */
  readonly pixelScaleArcsec?: number | undefined
  /** Standard deviation of the star's position on each axis. */
  readonly seeingPixels?: number
  readonly calibrated?: boolean
}

export interface SimulatedPhd2 {
  accept(open: (handlers: WireHandlers) => Wire): void
  /** Clouds: no star is found while this is true. */
  clouded: boolean
  /** Hears and does not answer. */
  mute: boolean
  /** The equipment that `set_connected` connects is there. */
  powered: boolean
  alert(text: string, severity: 'info' | 'question' | 'warning' | 'error'): void
  /** What it is about, as `get_app_state` says it. */
  readonly appState: string
}

interface SettleParams {
  readonly pixels: number
  readonly time: number
  readonly timeout: number
}

type AppState = 'Stopped' | 'Looping' | 'Calibrating' | 'Guiding' | 'LostLock'
type Answer = { readonly result: unknown } | { readonly error: { readonly code: number; readonly message: string } }

const calibrationSteps = 4
/** How much of an offset one correction takes away. */
const aggressiveness = 0.7
const invalidParams = -32602
const methodNotFound = -32601
const parseError = -32700

/** PHD2's event server with a camera, a mount and a star: the events, requests and manners of PHD2 2.6. */
export function createSimulatedPhd2(options: SimulatedPhd2Options): SimulatedPhd2 {
  const { clock, random, exposureMs = 1_000, pixelScaleArcsec, seeingPixels = 0.2 } = options
  const clients = new Set<Wire>()
  let appState: AppState = 'Stopped'
  let connected = false
  let calibrated = options.calibrated ?? false
  let frame = 0
  /** Of the star from where it should be. */
  let offset = { ra: 0, dec: 0 }
  let run: AbortController | undefined
  let settling: { readonly params: SettleParams; readonly since: number; quietSince: number | undefined } | undefined

  const send = (wire: Wire, message: object): void =>
    void wire.write(Buffer.from(`${JSON.stringify(message)}\r\n`)).catch(() => undefined)
  const event = (name: string, fields: object = {}): object => ({
    Event: name,
    Timestamp: clock.now() / 1000,
    Host: 'SIMULATOR',
    Inst: 1,
    ...fields,
  })
  const tell = (name: string, fields: object = {}): void => {
    for (const wire of clients) send(wire, event(name, fields))
  }

  function stop(): void {
    run?.abort(new Error('stopped'))
    run = undefined
    if (settling) endSettling('Guiding stopped')
    if (appState === 'Guiding' || appState === 'LostLock') tell('GuidingStopped')
    if (appState !== 'Stopped') tell('LoopingExposuresStopped')
    appState = 'Stopped'
  }

  function endSettling(error?: string): void {
    settling = undefined
    tell('SettleDone', {
      Status: error === undefined ? 0 : 1,
      ...(error ? { Error: error } : {}),
      TotalFrames: frame,
      DroppedFrames: 0,
    })
  }

  function beginSettling(params: SettleParams): void {
    settling = { params, since: clock.monotonic(), quietSince: undefined }
    tell('SettleBegin')
  }

  /** One exposure of the guide camera, and what PHD2 makes of it. */
  function step(): void {
    frame++
    if (appState === 'Looping') return tell('LoopingExposures', { Frame: frame })
    if (simulator.clouded) {
      appState = 'LostLock'
      tell('StarLost', { Frame: frame, Time: 1, StarMass: 0, SNR: 0, ErrorCode: 4, Status: 'Star lost - low SNR' })
    } else {
      appState = 'Guiding'
      guideStep()
    }
    if (settling) settleStep(settling)
  }

  function guideStep(): void {
    const raw = { ra: offset.ra + seeingPixels * random.normal(), dec: offset.dec + seeingPixels * random.normal() }
    offset = { ra: offset.ra * (1 - aggressiveness), dec: offset.dec * (1 - aggressiveness) }
    tell('GuideStep', {
      Frame: frame,
      Time: (frame * exposureMs) / 1000,
      Mount: 'On-Camera',
      dx: raw.ra,
      dy: raw.dec,
      RADistanceRaw: raw.ra,
      DECDistanceRaw: raw.dec,
      RADistanceGuide: raw.ra * aggressiveness,
      DECDistanceGuide: raw.dec * aggressiveness,
      StarMass: 56_546,
      SNR: 32,
    })
  }

  function settleStep(now: NonNullable<typeof settling>): void {
    const { params } = now
    const distance = appState === 'Guiding' ? Math.hypot(offset.ra, offset.dec) : Number.POSITIVE_INFINITY
    const at = clock.monotonic()
    now.quietSince = distance <= params.pixels ? (now.quietSince ?? at) : undefined
    const quietSeconds = now.quietSince === undefined ? 0 : (at - now.quietSince) / 1000
    if (quietSeconds >= params.time) return endSettling()
    if (at - now.since > params.timeout * 1000) return endSettling('timed-out waiting for guider to settle')
    const shown = Number.isFinite(distance) ? distance : 99
    tell('Settling', {
      Distance: shown,
      Time: quietSeconds,
      SettleTime: params.time,
      StarLocked: appState === 'Guiding',
    })
  }

  async function guide(params: SettleParams, signal: AbortSignal): Promise<void> {
    if (!calibrated) {
      appState = 'Calibrating'
      tell('StartCalibration', { Mount: 'On-Camera' })
      for (let count = 0; count < calibrationSteps; count++) {
        await clock.sleep(exposureMs, signal)
        if (simulator.clouded) {
          tell('CalibrationFailed', { Mount: 'On-Camera', Reason: 'Lost star' })
          appState = 'Stopped'
          return
        }
        tell('Calibrating', { Mount: 'On-Camera', dir: 'West', step: count })
      }
      calibrated = true
      tell('CalibrationComplete', { Mount: 'On-Camera' })
    }
    appState = 'Guiding'
    tell('StartGuiding')
    beginSettling(params)
    await loop(signal)
  }

  async function loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(exposureMs, signal)
      step()
    }
  }

  function start(work: (signal: AbortSignal) => Promise<void>): void {
    run?.abort(new Error('replaced'))
    run = new AbortController()
    work(run.signal).catch(() => undefined)
  }

  const refuse = (code: number, message: string): Answer => ({ error: { code, message } })

  function answer(method: string, params: readonly unknown[]): Answer {
    switch (method) {
      case 'get_app_state':
        return { result: appState }
      case 'get_connected':
        return { result: connected }
      case 'get_pixel_scale':
        return { result: pixelScaleArcsec ?? null }
      case 'set_connected':
        if (typeof params[0] !== 'boolean') return refuse(invalidParams, 'expected connected boolean param')
        if (params[0] && !simulator.powered) return refuse(1, 'camera connect failed')
        connected = params[0]
        return { result: 0 }
      case 'loop':
        appState = 'Looping'
        start(loop)
        return { result: 0 }
      case 'stop_capture':
        stop()
        return { result: 0 }
      case 'guide':
        return takeGuide(params)
      case 'dither':
        return takeDither(params)
      default:
        return refuse(methodNotFound, 'method not found')
    }
  }

  function takeGuide(params: readonly unknown[]): Answer {
    const settle = readSettle(params[0])
    if (!settle) return refuse(invalidParams, 'expected settle object param')
    if (!connected) return refuse(1, 'equipment is not connected')
    start((signal) => guide(settle, signal))
    return { result: 0 }
  }

  function takeDither(params: readonly unknown[]): Answer {
    const [amount, raOnly] = params
    const settle = readSettle(params[2])
    if (typeof amount !== 'number') return refuse(invalidParams, 'expected dither amount param')
    if (!settle) return refuse(invalidParams, 'expected settle object param')
    if (appState !== 'Guiding') return refuse(1, 'cannot dither if not guiding')
    const by = { ra: amount * (2 * random.next() - 1), dec: raOnly === true ? 0 : amount * (2 * random.next() - 1) }
    offset = { ra: offset.ra + by.ra, dec: offset.dec + by.dec }
    tell('GuidingDithered', { dx: by.ra, dy: by.dec })
    beginSettling(settle)
    return { result: 0 }
  }

  /** As PHD2 reads: one request at a time, and what follows its line break in the same read is dropped. */
  function read(wire: Wire, text: string): void {
    if (simulator.mute) return
    const fail = (code: number, message: string): void =>
      send(wire, { jsonrpc: '2.0', error: { code, message }, id: null })
    if (text.length > longestRequestBytes) return fail(-32603, 'too big')
    try {
      const request = JSON.parse(text) as { method?: unknown; params?: unknown; id?: unknown }
      const params = Array.isArray(request.params) ? (request.params as unknown[]) : []
      const reply = answer(String(request.method), params)
      if (request.id !== undefined) send(wire, { jsonrpc: '2.0', ...reply, id: request.id })
    } catch {
      fail(parseError, 'invalid JSON request')
    }
  }

  const simulator: SimulatedPhd2 = {
    clouded: false,
    mute: false,
    powered: true,
    get appState() {
      return appState
    },
    alert: (text, severity) => tell('Alert', { Msg: text, Type: severity }),
    accept(open) {
      let partial = ''
      const wire = open({
        onBytes(bytes) {
          partial += Buffer.from(bytes).toString()
          const end = partial.search(/[\r\n]/)
          if (end === -1) return
          const line = partial.slice(0, end)
          partial = ''
          read(wire, line)
        },
        onClose: () => void clients.delete(wire),
      })
      send(wire, event('Version', { PHDVersion: '2.6.13', PHDSubver: '', MsgVersion: 1 }))
      if (calibrated) send(wire, event('CalibrationComplete', { Mount: 'On-Camera' }))
      send(wire, event('AppState', { State: appState }))
      clients.add(wire)
    },
  }
  return simulator
}

function readSettle(value: unknown): SettleParams | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { pixels, time, timeout } = value as Record<string, unknown>
  if (typeof pixels !== 'number' || typeof time !== 'number' || typeof timeout !== 'number') return undefined
  return { pixels, time: Math.floor(time), timeout: Math.floor(timeout) }
}

import { describe, expect, it } from 'vitest'
import { createAlpacaDevice } from '../alpaca/device.ts'
import type { AlpacaResponse, AlpacaTransport } from '../alpaca/transport.ts'
import { VirtualClock } from '../clock.ts'
import {
  createAlpacaCoverSimulator,
  createAlpacaRotatorSimulator,
  createAlpacaSafetyMonitorSimulator,
  createAlpacaSwitchSimulator,
  createAlpacaWeatherSimulator,
} from '../simulators/alpacaAccessories.ts'
import { createAlpacaCameraSimulator } from '../simulators/alpacaCamera.ts'
import {
  createAlpacaDomeSimulator,
  createAlpacaFilterWheelSimulator,
  createAlpacaFocuserSimulator,
} from '../simulators/alpacaDevices.ts'
import { createSimulatedAlpacaServer } from '../simulators/alpacaServer.ts'
import { createAlpacaTelescopeSimulator } from '../simulators/alpacaTelescope.ts'
import { alpacaCameraCard, createAlpacaCamera } from './alpacaCamera.ts'
import { alpacaCoverCard, alpacaFlatPanelCard, createAlpacaCover, createAlpacaFlatPanel } from './alpacaCover.ts'
import { alpacaFilterWheelCard, createAlpacaFilterWheel } from './alpacaFilterWheel.ts'
import { alpacaFocuserCard, createAlpacaFocuser } from './alpacaFocuser.ts'
import { alpacaMountCard, createAlpacaMount } from './alpacaMount.ts'
import { alpacaPowerCard, createAlpacaPower } from './alpacaPower.ts'
import { alpacaRoofCard, createAlpacaRoof } from './alpacaRoof.ts'
import { alpacaRotatorCard, createAlpacaRotator } from './alpacaRotator.ts'
import { alpacaSafetyCard, createAlpacaSafety } from './alpacaSafety.ts'
import {
  alpacaSkyQualityCard,
  alpacaWeatherCard,
  createAlpacaSkyQuality,
  createAlpacaWeather,
} from './alpacaWeather.ts'
import { conform, type DeviceOfKind } from './conformance.ts'
import type { DriverCard } from './device.ts'
import { fromIcrs, separationDeg } from './epoch.ts'
import type { Kind } from './kinds.ts'

const startMs = Date.UTC(2026, 0, 1)

function site() {
  const clock = new VirtualClock(startMs)
  const dome = createAlpacaDomeSimulator(clock)
  const safety = createAlpacaSafetyMonitorSimulator()
  const weather = createAlpacaWeatherSimulator()
  const server = createSimulatedAlpacaServer([
    createAlpacaTelescopeSimulator(clock),
    createAlpacaCameraSimulator({ clock, widthPixels: 96, heightPixels: 64 }),
    createAlpacaFocuserSimulator(clock),
    createAlpacaFilterWheelSimulator(clock),
    dome.device,
    safety.device,
    createAlpacaRotatorSimulator(clock),
    createAlpacaCoverSimulator(clock),
    weather.device,
    createAlpacaSwitchSimulator(),
  ])
  return { clock, server, dome, safety, weather, options: { clock, transport: server.transport } }
}

describe('every Alpaca driver', () => {
  async function check<K extends Kind>(
    make: (options: { clock: VirtualClock; transport: AlpacaTransport }) => DeviceOfKind[K],
    card: DriverCard<K>,
  ): Promise<void> {
    const { clock, options } = site()
    const device = make(options)
    await using _ = device as unknown as AsyncDisposable
    const settings = { exposureSeconds: 2, gains: [10, 40], offsets: [20, 30], focusSteps: [20_000, 30_000] } as const
    const report = await clock.run(conform(device, card, clock, settings))
    expect(report.problems).toEqual([])
    expect(report.source).toMatch(/^Alpaca /)
    expect([...report.exercised].sort()).toEqual([...card.can].sort())
  }

  it('of a mount does what its card says', () => check<'mount'>(createAlpacaMount, alpacaMountCard))
  it('of a camera does what its card says', () =>
    check<'camera'>((options) => {
      const wheel = createAlpacaFilterWheel(options)
      return createAlpacaCamera({ ...options, wheel })
    }, alpacaCameraCard))
  it('of a focuser does what its card says', () => check<'focuser'>(createAlpacaFocuser, alpacaFocuserCard))
  it('of a filter wheel does what its card says', () =>
    check<'filterWheel'>(createAlpacaFilterWheel, alpacaFilterWheelCard))
  it('of a roof does what its card says', () => check<'roof'>(createAlpacaRoof, alpacaRoofCard))
  it('of a rotator does what its card says', () => check<'rotator'>(createAlpacaRotator, alpacaRotatorCard))
  it('of a power box does what its card says', () => check<'power'>(createAlpacaPower, alpacaPowerCard))
  it('of a cover does what its card says', () => check<'cover'>(createAlpacaCover, alpacaCoverCard))
  it('of a flat panel does what its card says', () => check<'flatPanel'>(createAlpacaFlatPanel, alpacaFlatPanelCard))
  it('of a weather station does what its card says', () => check<'weather'>(createAlpacaWeather, alpacaWeatherCard))
  it('of a sky quality meter does what its card says', () =>
    check<'skyQuality'>(createAlpacaSkyQuality, alpacaSkyQualityCard))
  it('of a safety monitor does what its card says', () => check<'safety'>(createAlpacaSafety, alpacaSafetyCard))
})

describe('an Alpaca mount', () => {
  it('is sent to coordinates of date, and points in ICRS', async () => {
    const { clock, server, options } = site()
    await using mount = createAlpacaMount(options)
    await clock.advance(100)
    expect(mount.state()).toMatchObject({ connected: true, parked: true, source: 'Alpaca Alpaca Mount' })
    expect(await clock.run(mount.slew(100, 40, 60_000))).toEqual({
      ok: false,
      reason: expect.stringContaining('while parked') as string,
    })
    expect(await clock.run(mount.unpark())).toEqual({ ok: true })
    let sent: Readonly<Record<string, string>> = {}
    server.intercept = (request) => {
      if (request.path.endsWith('slewtocoordinatesasync')) sent = request.parameters
      return undefined
    }
    expect(await clock.run(mount.slew(100, 40, 60_000))).toEqual({ ok: true })
    const date = fromIcrs({ raDeg: 100, decDeg: 40 }, startMs)
    expect(Number(sent['RightAscension']) * 15).toBeCloseTo(date.raDeg, 3)
    expect(Number(sent['Declination'])).toBeCloseTo(date.decDeg, 3)
    expect(separationDeg(mount.state(), { raDeg: 100, decDeg: 40 })).toBeLessThan(0.001)
    expect(mount.state().altitudeDeg).toBeUndefined()
  })

  it('is stopped when a slew takes too long', async () => {
    const { clock, options, server } = site()
    await using mount = createAlpacaMount(options)
    await clock.advance(100)
    await clock.run(mount.unpark())
    expect(await clock.run(mount.slew(200, -60, 2_000))).toMatchObject({ ok: false, reason: /not done within 2 s/ })
    expect(server.log).toContain('PUT telescope/0/abortslew')
    await clock.advance(2_000)
    expect(mount.state().slewing).toBe(false)
  })
})

describe('an Alpaca camera', () => {
  for (const imageBytes of [true, false]) {
    it(`gives FITS rows from the top, by ${imageBytes ? 'ImageBytes' : 'JSON'}`, async () => {
      const clock = new VirtualClock(startMs)
      const simulator = createAlpacaCameraSimulator({ clock, widthPixels: 7, heightPixels: 5, imageBytes })
      const server = createSimulatedAlpacaServer([simulator])
      await using camera = createAlpacaCamera({ clock, transport: server.transport })
      await clock.advance(100)
      const frame = await clock.run(camera.expose({ seconds: 3, frameType: 'light' }))
      expect(frame).toMatchObject({ ok: true, format: '.fits', endedAtMs: startMs + 3_100 })
      if (!frame.ok) return
      const header = Buffer.from(frame.bytes.subarray(0, 2880)).toString('latin1')
      expect(header).toMatch(/^SIMPLE {2}= {20}T.*BITPIX {2}= {19}16 .*NAXIS1 {2}= {20}7 .*NAXIS2 {2}= {20}5 /)
      expect(header).toContain("DATE-OBS= '2026-01-01T00:00:00.100'")
      expect(header).toContain('BZERO   =                32768')
      expect(frame.bytes.length).toBe(2 * 2880)
      // The ramp of the simulator is offset 10 + x + 100 y; FITS 4.0, 4.4.2.5: stored value plus BZERO.
      const view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset + 2880)
      const rows = Array.from({ length: 35 }, (_, index) => view.getInt16(index * 2) + 32768)
      expect(rows).toEqual(Array.from({ length: 35 }, (_, index) => 10 + (index % 7) + 100 * Math.floor(index / 7)))
    })
  }

  it('is aborted by a signal, and exposes again', async () => {
    const { clock, options } = site()
    await using camera = createAlpacaCamera(options)
    await clock.advance(100)
    const cancel = new AbortController()
    const long = camera.expose({ seconds: 600, frameType: 'light', signal: cancel.signal })
    await clock.advance(5_000)
    expect(camera.state()).toMatchObject({ exposing: true })
    expect(camera.state().remainingSeconds).toBeCloseTo(595, 0)
    expect(await camera.expose({ seconds: 1, frameType: 'light' })).toMatchObject({ ok: false })
    cancel.abort('clouds')
    expect(await clock.run(long)).toEqual({ ok: false, reason: 'aborted: clouds' })
    expect(await clock.run(camera.expose({ seconds: 1, frameType: 'dark' }))).toMatchObject({ ok: true })
  })

  it('keeps its region in chip pixels when the binning changes', async () => {
    const { clock, options } = site()
    await using camera = createAlpacaCamera(options)
    await clock.advance(100)
    expect(await clock.run(camera.setRoi({ x: 16, y: 8, widthPixels: 40, heightPixels: 20 }))).toEqual({ ok: true })
    expect(await clock.run(camera.setBinning(2, 2))).toEqual({ ok: true })
    expect(camera.state()).toMatchObject({ widthPixels: 20, heightPixels: 10, binning: { x: 2, y: 2 } })
    expect(await clock.run(camera.setRoi({ x: 90, y: 0, widthPixels: 40, heightPixels: 20 }))).toMatchObject({
      ok: false,
    })
    expect(await clock.run(camera.setRoi(undefined))).toEqual({ ok: true })
    expect(camera.state()).toMatchObject({ widthPixels: 48, heightPixels: 32 })
    expect(await clock.run(camera.setGain(900))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('does not take this value: Gain 900') as string,
    })
  })
})

describe('an Alpaca roof and safety monitor', () => {
  it('are unknown and unsafe when they are not heard', async () => {
    const { clock, server, dome, safety, options } = site()
    await using roof = createAlpacaRoof(options)
    await using monitor = createAlpacaSafety(options)
    await clock.advance(100)
    expect(roof.state().position).toBe('closed')
    expect(monitor.state()).toMatchObject({ safe: true, reasons: [] })
    safety.safe = false
    dome.jammed = true
    await clock.advance(3_000)
    expect(monitor.state()).toMatchObject({ safe: false, reasons: ['Alpaca Alpaca Safety says unsafe'] })
    expect(roof.state()).toMatchObject({ position: 'unknown', fault: 'the shutter reports an error' })
    expect(await clock.run(roof.close())).toEqual({ ok: false, reason: 'the shutter reports an error' })
    safety.safe = true
    server.intercept = () => Promise.reject(new Error('no route'))
    await clock.advance(5_000)
    expect(monitor.state()).toMatchObject({ safe: false, connected: false, problem: 'no route' })
    expect(roof.state()).toMatchObject({ position: 'unknown', connected: false })
    expect(await clock.run(roof.open())).toMatchObject({
      ok: false,
      reason: expect.stringContaining('not connected') as string,
    })
  })
})

describe('an Alpaca weather station', () => {
  it('is as old as its readings, and has only what it measures', async () => {
    const { clock, weather, options } = site()
    weather.ageSeconds = 300
    await using station = createAlpacaWeather(options)
    await clock.advance(100)
    expect(station.state()).toMatchObject({ temperatureC: 8, humidityPercent: 55, gustMetresPerSecond: undefined })
    expect(clock.now() - station.state().atMs).toBeGreaterThanOrEqual(300_000)
  })
})

describe('an Alpaca server', () => {
  const answers = (clock: VirtualClock, answer: (n: number) => AlpacaResponse | Promise<AlpacaResponse>) => {
    let count = 0
    const transport: AlpacaTransport = async () => answer(count++)
    return createAlpacaDevice('focuser', { fixed: [], changing: ['position'] }, { clock, transport })
  }
  const json = (value: object): AlpacaResponse => ({
    status: 200,
    contentType: 'application/json',
    bytes: Buffer.from(JSON.stringify(value)),
  })

  it('that was restarted is connected again', async () => {
    const { clock, server, options } = site()
    await using focuser = createAlpacaFocuser(options)
    await clock.advance(100)
    server.restart()
    await clock.advance(3_000)
    expect(focuser.state()).toMatchObject({ connected: true, positionSteps: 25_000 })
    expect(server.log.filter((line) => line === 'PUT focuser/0/connected')).toHaveLength(2)
  })

  it('that answers another question is not believed', async () => {
    const clock = new VirtualClock(startMs)
    const reply = { Value: true, ErrorNumber: 0, ErrorMessage: '', ClientTransactionID: 99, ServerTransactionID: 1 }
    await using device = answers(clock, () => json(reply))
    await clock.advance(100)
    expect(device).toMatchObject({ connected: false, problem: 'it answered question 99 instead of 1' })
  })

  it('that does not answer costs a property three tries, and a command one', async () => {
    const { clock, server, options } = site()
    await using focuser = createAlpacaFocuser(options)
    await clock.advance(100)
    const asked = { get: 0, put: 0 }
    server.intercept = ({ method }) => {
      asked[method === 'GET' ? 'get' : 'put']++
      return new Promise(() => undefined)
    }
    const move = focuser.moveTo(1_000)
    await clock.advance(4_000)
    expect(await clock.run(move)).toMatchObject({ ok: false, reason: expect.stringContaining('within 5 s') as string })
    expect(asked.put).toBe(1)
    await clock.advance(9_000)
    expect(asked.get).toBe(3)
    expect(focuser.state()).toMatchObject({ connected: false, problem: 'it has not answered for a while' })
  })

  it('says in words what it refuses with HTTP', async () => {
    const clock = new VirtualClock(startMs)
    const text = { status: 400, contentType: 'text/plain', bytes: Buffer.from('no such device') }
    await using device = answers(clock, () => text)
    await clock.advance(100)
    expect(device.problem).toBe('it refused the request with HTTP 400: no such device')
  })
})

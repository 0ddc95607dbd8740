import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { fromIcrs } from '../devices/epoch.ts'
import type { IndiMessage, PropertyState, SetMessage } from '../indi/messages.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCamera, type SimulatedCameraOptions } from './camera.ts'
import type { SimulatedDevice } from './device.ts'
import { createSimulatedFocuser } from './focuser.ts'
import { createSimulatedMount, type SimulatedMountOptions } from './mount.ts'

const startMs = Date.UTC(2026, 10, 21, 22)
const site = { latitudeDeg: 28.76, longitudeDeg: -17.88, elevationMetres: 2396 }

/** A client that is wired straight to the device. */
function client(device: SimulatedDevice) {
  const heard: IndiMessage[] = []
  device.attach((message) => heard.push(message))
  const address = { type: 'new', device: device.name } as const
  return {
    heard,
    turn: (name: string, element: string) =>
      device.receive({ ...address, kind: 'switch', name, elements: [{ name: element, value: true }] }),
    set: (name: string, values: Readonly<Record<string, number>>) =>
      device.receive({
        ...address,
        kind: 'number',
        name,
        elements: Object.entries(values).map(([key, value]) => ({ name: key, value })),
      }),
    /** Everything the device said of one property. */
    said: (name: string): SetMessage[] =>
      heard.filter((message): message is SetMessage => message.type === 'set' && message.name === name),
    state: (name: string): PropertyState | undefined =>
      heard.findLast((message): message is SetMessage => message.type === 'set' && message.name === name)?.state,
    value: (name: string, element: string): unknown =>
      heard
        .findLast((message): message is SetMessage => message.type === 'set' && message.name === name)
        ?.elements.find((item) => item.name === element),
  }
}

function mount(options: Partial<SimulatedMountOptions> = {}) {
  const clock = new VirtualClock(startMs)
  const made = createSimulatedMount({ clock, random: createRandom(1), site, pointingErrorArcsec: 0, ...options })
  const to = client(made.device)
  const stop = new AbortController()
  void made.run(stop.signal)
  to.turn('CONNECTION', 'CONNECT')
  return { clock, to, mount: made, [Symbol.dispose]: () => stop.abort() }
}

/** Where a J2000 place is to be asked for, hours and degrees of date. */
function ofDate(raDeg: number, decDeg: number): { RA: number; DEC: number } {
  const date = fromIcrs({ raDeg, decDeg }, startMs)
  return { RA: date.raDeg / 15, DEC: date.decDeg }
}

const arcsecBetween = (a: { raDeg: number; decDeg: number }, raDeg: number, decDeg: number): number =>
  3600 * Math.hypot((a.raDeg - raDeg) * Math.cos((decDeg * Math.PI) / 180), a.decDeg - decDeg)

describe('the simulated mount', () => {
  it('does not move while it is parked and says why', async () => {
    using at = mount()
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 40))
    await at.clock.advance(20_000)
    expect(at.to.heard).toContainEqual(
      expect.objectContaining({ type: 'message', message: expect.stringContaining('unpark') }),
    )
    expect(at.mount.pointing()).toMatchObject({ parked: true, slewing: false })
  })

  it('slews at its speed, then tracks the place that it was sent to', async () => {
    using at = mount({ slewDegPerSecond: 5 })
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 40))
    expect(at.to.state('EQUATORIAL_EOD_COORD')).toBe('Busy')
    // 50 degrees in declination from the pole at 5 degrees a second.
    await at.clock.advance(9_000)
    expect(at.mount.pointing().slewing).toBe(true)
    await at.clock.advance(40_000)
    expect(at.mount.pointing()).toMatchObject({ slewing: false, tracking: true, parked: false })
    expect(at.to.state('EQUATORIAL_EOD_COORD')).toBe('Ok')
    await at.clock.advance(600_000)
    expect(arcsecBetween(at.mount.pointing(), 30, 40)).toBeLessThan(2)
  })

  it('says Ok only after it has settled', async () => {
    using at = mount({ slewDegPerSecond: 5, settleMs: 20_000 })
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 0))
    // 90 degrees in declination at 5 degrees a second.
    await at.clock.advance(25_000)
    expect(arcsecBetween(at.mount.pointing(), 30, 0)).toBeLessThan(5)
    expect(at.to.state('EQUATORIAL_EOD_COORD')).toBe('Busy')
    await at.clock.advance(15_000)
    expect(at.to.state('EQUATORIAL_EOD_COORD')).toBe('Ok')
  })

  it('is carried along by the Earth at 15.041″ a second while it does not track', async () => {
    using at = mount()
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 0))
    await at.clock.advance(60_000)
    at.to.turn('TELESCOPE_TRACK_STATE', 'TRACK_OFF')
    await at.clock.advance(1_000)
    const before = at.mount.pointing().raDeg
    await at.clock.advance(100_000)
    expect(((at.mount.pointing().raDeg - before) * 3600) / 100).toBeCloseTo(15.041, 2)
  })

  it('misses by its pointing error, and by less after being told where it looks', async () => {
    using at = mount({ pointingErrorArcsec: 60 })
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 40))
    await at.clock.advance(60_000)
    const there = at.mount.pointing()
    expect(arcsecBetween(there, 30, 40)).toBeGreaterThan(5)
    at.to.turn('ON_COORD_SET', 'SYNC')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(there.raDeg, there.decDeg))
    await at.clock.advance(2_000)
    expect(arcsecBetween(at.mount.pointing(), there.raDeg, there.decDeg)).toBeLessThan(0.5)
    const said = at.to.value('EQUATORIAL_EOD_COORD', 'DEC') as { value: number }
    expect(said.value).toBeCloseTo(ofDate(there.raDeg, there.decDeg).DEC, 6)
  })

  it('stops where it is when it is told to abort', async () => {
    using at = mount()
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 0))
    await at.clock.advance(5_000)
    at.to.turn('TELESCOPE_ABORT_MOTION', 'ABORT')
    const { decDeg } = at.mount.pointing()
    expect(decDeg).toBeGreaterThan(30)
    await at.clock.advance(10_000)
    expect(at.mount.pointing()).toMatchObject({ slewing: false })
    expect(at.mount.pointing().decDeg).toBeCloseTo(decDeg, 1)
  })

  it('parks at the pole and stops tracking', async () => {
    using at = mount()
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', ofDate(30, 40))
    await at.clock.advance(60_000)
    at.to.turn('TELESCOPE_PARK', 'PARK')
    expect(at.to.state('TELESCOPE_PARK')).toBe('Busy')
    await at.clock.advance(60_000)
    expect(at.to.state('TELESCOPE_PARK')).toBe('Ok')
    expect(at.mount.pointing()).toMatchObject({ parked: true, tracking: false })
    expect(at.mount.pointing().decDeg).toBeGreaterThan(89.5)
  })

  it('refuses a declination that is none', () => {
    using at = mount()
    at.to.turn('TELESCOPE_PARK', 'UNPARK')
    at.to.set('EQUATORIAL_EOD_COORD', { RA: 1, DEC: 120 })
    expect(at.to.state('EQUATORIAL_EOD_COORD')).toBe('Alert')
    expect(at.mount.pointing().slewing).toBe(false)
  })
})

function camera(options: Partial<SimulatedCameraOptions> = {}) {
  const clock = new VirtualClock(startMs)
  const size = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76 }
  const made = createSimulatedCamera({ clock, ...size, takeFrame: () => new Uint8Array([1, 2, 3]), ...options })
  const to = client(made.device)
  const stop = new AbortController()
  void made.run(stop.signal)
  to.turn('CONNECTION', 'CONNECT')
  return { clock, to, [Symbol.dispose]: () => stop.abort() }
}

describe('the simulated camera', () => {
  it('counts down while it exposes and sends the frame before it says Ok', async () => {
    using at = camera()
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 5 })
    await at.clock.advance(4_500)
    const left = at.to.said('CCD_EXPOSURE').map((message) => (message.elements[0] as { value: number }).value)
    expect(left).toEqual([5, 4, 3, 2, 1])
    expect(at.to.said('CCD1')).toHaveLength(0)
    await at.clock.advance(1_000)
    expect(at.to.state('CCD_EXPOSURE')).toBe('Ok')
    const blob = at.to.heard.findIndex((message) => message.type === 'set' && message.name === 'CCD1')
    const ok = at.to.heard.findIndex(
      (message) => message.type === 'set' && message.name === 'CCD_EXPOSURE' && message.state === 'Ok',
    )
    expect(blob).toBeGreaterThan(-1)
    expect(blob).toBeLessThan(ok)
  })

  it('takes a tenth of the time at a time factor of 0.1, and asks for the whole exposure', async () => {
    const asked: number[] = []
    using at = camera({
      timeFactor: 0.1,
      takeFrame(exposure) {
        asked.push(exposure.seconds)
        return new Uint8Array(1)
      },
    })
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 60 })
    await at.clock.advance(5_900)
    expect(at.to.state('CCD_EXPOSURE')).toBe('Busy')
    await at.clock.advance(200)
    expect([at.to.state('CCD_EXPOSURE'), asked]).toEqual(['Ok', [60]])
  })

  it('sends nothing after an abort', async () => {
    using at = camera()
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 5 })
    await at.clock.advance(2_500)
    at.to.turn('CCD_ABORT_EXPOSURE', 'ABORT')
    await at.clock.advance(10_000)
    expect(at.to.said('CCD1')).toHaveLength(0)
    expect(at.to.state('CCD_EXPOSURE')).toBe('Idle')
  })

  it('says Alert with the reason when the frame cannot be made', async () => {
    using at = camera({
      takeFrame() {
        throw new Error('the shutter is stuck')
      },
    })
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 1 })
    await at.clock.advance(2_000)
    expect(at.to.said('CCD_EXPOSURE').at(-1)).toMatchObject({ state: 'Alert', message: 'the shutter is stuck' })
  })

  it('cools by half a degree a second and says when it has arrived', async () => {
    using at = camera({ ambientC: 10 })
    at.to.set('CCD_TEMPERATURE', { CCD_TEMPERATURE_VALUE: -10 })
    await at.clock.advance(20_000)
    expect(at.to.state('CCD_TEMPERATURE')).toBe('Busy')
    await at.clock.advance(25_000)
    expect(at.to.state('CCD_TEMPERATURE')).toBe('Ok')
    expect(at.to.value('CCD_TEMPERATURE', 'CCD_TEMPERATURE_VALUE')).toMatchObject({ value: -10 })
  })

  it('refuses a subframe that reaches over the sensor, and one that is not a number', () => {
    using at = camera()
    at.to.set('CCD_FRAME', { X: 32, Y: 0, WIDTH: 64, HEIGHT: 48 })
    expect(at.to.state('CCD_FRAME')).toBe('Alert')
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: Number.NaN })
    expect(at.to.state('CCD_EXPOSURE')).toBe('Alert')
  })

  it('shows its properties only while it is connected', () => {
    using at = camera()
    at.to.turn('CONNECTION', 'DISCONNECT')
    expect(at.to.heard).toContainEqual({ type: 'delProperty', device: 'CCD Simulator', name: 'CCD_EXPOSURE' })
    at.to.heard.length = 0
    at.to.set('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 1 })
    expect(at.to.heard).toEqual([])
  })
})

describe('the simulated focuser', () => {
  it('moves to a position and refuses one out of range', async () => {
    const clock = new VirtualClock(startMs)
    const focuser = createSimulatedFocuser({ clock, startSteps: 50_000 })
    const to = client(focuser.device)
    to.turn('CONNECTION', 'CONNECT')
    to.set('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: 70_000 })
    await clock.advance(500)
    expect(to.state('ABS_FOCUS_POSITION')).toBe('Busy')
    await clock.advance(1_000)
    expect([to.state('ABS_FOCUS_POSITION'), focuser.position()]).toEqual(['Ok', 70_000])
    to.set('ABS_FOCUS_POSITION', { FOCUS_ABSOLUTE_POSITION: 200_000 })
    expect([to.state('ABS_FOCUS_POSITION'), focuser.position()]).toEqual(['Alert', 70_000])
  })
})

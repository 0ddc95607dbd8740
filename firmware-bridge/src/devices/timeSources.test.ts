import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { runProgram } from '../clockQuality/program.ts'
import { failure } from '../outcome.ts'
import { createRandom } from '../random.ts'
import { createSimulatedGpsd } from '../simulators/gpsdServer.ts'
import { memoryConnect } from '../wire/memory.ts'
import { chronyTimeSourceCard, createChronyTimeSource } from './chronyTimeSource.ts'
import { conform } from './conformance.ts'
import { createGpsd, gpsdCard, gpsdTimeSourceCard } from './gpsd.ts'
import { createKernelTimeSource, kernelTimeSourceCard } from './kernelTimeSource.ts'
import type { Reading } from './poll.ts'

const startMs = Date.UTC(2026, 0, 1)

describe('chrony as a source of time', () => {
  it('gives offset and uncertainty, says when chronyd is gone or follows nothing, and comes back', async () => {
    const clock = new VirtualClock(startMs)
    const asked: string[][] = []
    let answer: Reading<string> = failure('chronyc: 506 Cannot talk to daemon')
    await using source = createChronyTimeSource({
      clock,
      host: '127.0.0.1',
      port: 3230,
      run: async (program, argv) => {
        asked.push([program, ...argv])
        return answer
      },
    })
    await clock.advance(1)
    expect(asked[0]).toEqual(['chronyc', '-h', '127.0.0.1', '-p', '3230', '-c', '-n', 'tracking'])
    expect(source.state()).toMatchObject({ connected: false, synchronised: false, problem: /506/ })
    answer = { ok: true, value: 'A29FC801,,2,1.0,0.002,0,0,0,0,0,0.010,0.003,64,Normal\n' }
    await clock.advance(10_000)
    expect(source.state()).toMatchObject({
      connected: true,
      synchronised: true,
      offsetSeconds: -0.002,
      uncertaintySeconds: 0.008,
      stratum: 2,
      atMs: startMs + 10_000,
      problem: undefined,
    })
    expect([...source.can()]).toEqual(['offset', 'uncertainty'])
    answer = { ok: true, value: '00000000,,0,0.0,0,0,0,0,0,0,1.0,1.0,0,Not synchronised\n' }
    await clock.advance(10_000)
    expect(source.state()).toMatchObject({ connected: true, synchronised: false, offsetSeconds: undefined })
  })
})

describe('the kernel as a source of time', () => {
  it('says that nothing keeps the clock, and how well it is kept when something does', async () => {
    const clock = new VirtualClock(startMs)
    let status = 64
    await using source = createKernelTimeSource({
      clock,
      run: async () => ({ ok: true, value: `offset: 0\nmaxerror: 12345\nstatus: ${status}\n` }),
    })
    await clock.advance(1)
    expect(source.state()).toMatchObject({ connected: true, synchronised: false, problem: /install chrony/ })
    status = 1
    await clock.advance(10_000)
    expect(source.state()).toMatchObject({ synchronised: true, uncertaintySeconds: 0.012345, problem: undefined })
  })
})

describe('every source of time and place', () => {
  it('does what its card says', async () => {
    const clock = new VirtualClock(startMs)
    const tracking = 'A29FC801,,2,1.0,0.002,0,0,0,0,0,0.010,0.003,64,Normal\n'
    await using chrony = createChronyTimeSource({ clock, run: async () => ({ ok: true, value: tracking }) })
    const printed = 'offset: 0\nmaxerror: 500\nstatus: 1\n'
    await using kernel = createKernelTimeSource({ clock, run: async () => ({ ok: true, value: printed }) })
    const server = createSimulatedGpsd()
    await using gpsd = createGpsd(
      memoryConnect((open) => server.accept(open)),
      { clock, random: createRandom(1) },
    )
    await clock.advance(10)
    server.say({ class: 'TPV', mode: 3, time: '2026-01-01T00:00:00.000Z', lat: 47.5, lon: 19, altMSL: 200 })
    server.say({ class: 'SKY', uSat: 11 })
    server.say({ class: 'TOFF', real_sec: 1, real_nsec: 0, clock_sec: 1, clock_nsec: 1000 })
    const reports = await clock.run(
      Promise.all([
        conform<'timeSource'>(chrony, chronyTimeSourceCard, clock),
        conform<'timeSource'>(kernel, kernelTimeSourceCard, clock),
        conform<'timeSource'>(gpsd.timeSource, gpsdTimeSourceCard, clock),
        conform<'gps'>(gpsd.gps, gpsdCard, clock),
      ]),
    )
    expect(reports.flatMap(({ problems }) => problems)).toEqual([])
    expect(reports.map(({ protocol, exercised }) => [protocol, exercised.length])).toEqual([
      ['chrony', 2],
      ['Linux', 2],
      ['gpsd', 2],
      ['gpsd', 2],
    ])
  })
})

describe('a program that is asked', () => {
  const signal = new AbortController().signal
  it('fails with its own words, or as not installed', async () => {
    expect(await runProgram('no-such-program-here', [], signal)).toEqual(
      failure('no-such-program-here is not installed'),
    )
    expect(await runProgram('sh', ['-c', 'echo broken >&2; exit 3'], signal)).toEqual(failure('sh: broken'))
    expect(await runProgram('sh', ['-c', 'echo fine'], signal)).toEqual({ ok: true, value: 'fine\n' })
  })
})

describe('a receiver behind gpsd', () => {
  const fix = { class: 'TPV', mode: 3, time: '2026-01-01T00:00:00.000Z', lat: 47.5, lon: 19, altMSL: 200 }
  const offset = (clockSeconds: number): Record<string, unknown> => ({
    real_sec: 1000,
    real_nsec: 0,
    clock_sec: 1000 + Math.floor(clockSeconds),
    clock_nsec: Math.round((clockSeconds - Math.floor(clockSeconds)) * 1e9),
  })

  async function setUp(device?: string) {
    const clock = new VirtualClock(startMs)
    const server = createSimulatedGpsd(device)
    const gpsd = createGpsd(
      memoryConnect((open) => server.accept(open)),
      { clock, random: createRandom(1) },
    )
    await clock.advance(10)
    return { clock, server, gpsd }
  }

  it('is a place, a time and the error of the clock', async () => {
    const { clock, server, gpsd } = await setUp()
    await using _ = gpsd
    expect(gpsd.gps.state()).toMatchObject({ connected: false, problem: 'the receiver says nothing', fix: 'none' })
    server.say(fix)
    server.say({ class: 'SKY', uSat: 11 })
    server.say({ class: 'TOFF', ...offset(0.4) })
    await clock.advance(10)
    expect(gpsd.gps.state()).toMatchObject({
      connected: true,
      fix: '3d',
      satellites: 11,
      latitudeDeg: 47.5,
      longitudeDeg: 19,
      elevationMetres: 200,
      utcMs: Date.UTC(2026, 0, 1),
    })
    expect(gpsd.timeSource.state()).toMatchObject({ synchronised: true, offsetSeconds: 0.4, uncertaintySeconds: 1 })
    server.say({ class: 'PPS', ...offset(-0.25) })
    await clock.advance(10)
    expect(gpsd.timeSource.state()).toMatchObject({
      synchronised: false,
      offsetSeconds: -0.25,
      uncertaintySeconds: 0.001,
    })
  })

  it('keeps the time of a fix when a report without one follows', async () => {
    const { clock, server, gpsd } = await setUp()
    await using _ = gpsd
    server.say(fix)
    server.say({ class: 'TPV', mode: 3, lat: 47.5, lon: 19 })
    await clock.advance(10)
    expect(gpsd.gps.state().utcMs).toBe(Date.UTC(2026, 0, 1))
  })

  it('is not connected when it falls silent, and there is no time then', async () => {
    const { clock, server, gpsd } = await setUp()
    await using _ = gpsd
    server.say(fix)
    server.say({ class: 'TOFF', ...offset(0) })
    await clock.advance(12_000)
    expect(gpsd.gps.state()).toMatchObject({ connected: false, fix: 'none' })
    expect(gpsd.timeSource.state()).toMatchObject({ connected: false, synchronised: false, offsetSeconds: undefined })
  })

  it('is missed when gpsd has none', async () => {
    const { gpsd } = await setUp('')
    await using _ = gpsd
    expect(gpsd.gps.state().problem).toContain('no receiver')
  })
})

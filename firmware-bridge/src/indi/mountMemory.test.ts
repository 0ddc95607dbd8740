import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import { failure } from '../outcome.ts'
import { createRandom } from '../random.ts'
import { createSimulatedMount } from '../simulators/mount.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { createIndiClient } from './client.ts'
import { judgeAccepted } from './command.ts'
import { type MountMemoryOptions, type MountReturn, rememberMount } from './mountMemory.ts'
import { findNumber, findSwitch } from './properties.ts'
import { createIndiServer } from './server.ts'

const opened: (AsyncDisposable | Disposable)[] = []
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) {
    if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]()
    else thing[Symbol.dispose]()
  }
})

const device = 'Telescope Simulator'
const site = { latitudeDeg: 28, longitudeDeg: -17, elevationMetres: 2000 }

/** A tracking mount on a server, what cuts the wire to it, and another client that is not cut. */
async function tracking(options: Omit<MountMemoryOptions, 'clock' | 'onReturn'>) {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21))
  const simulated = createSimulatedMount({ clock, random: createRandom(1), site })
  const stop = new AbortController()
  void simulated.run(stop.signal).catch(() => undefined)
  opened.push({ [Symbol.dispose]: () => stop.abort() })
  const server = createIndiServer([simulated.device])
  const dial = memoryConnect((open) => server.accept(open))
  let wire: Wire | undefined
  const connect: Connect = async (handlers) => (wire = await dial(handlers))
  const client = createIndiClient(connect, { clock, random: createRandom(2) })
  const other = createIndiClient(dial, { clock, random: createRandom(3) })
  const mount = createIndiMount(client, device, { clock, site })
  const returns: MountReturn[] = []
  const memory = rememberMount(client, device, { ...options, clock, onReturn: (report) => void returns.push(report) })
  opened.push(server, client, other, memory)
  await clock.advance(2_000)
  expect(await clock.run(mount.unpark())).toEqual({ ok: true })
  const { raDeg, decDeg } = mount.state()
  expect(await clock.run(mount.slew(raDeg, decDeg - 5, 120_000))).toEqual({ ok: true })
  expect(memory.remembered).toMatchObject({ tracking: true, parked: false, slewing: false })
  const cut = async (during?: () => Promise<unknown>): Promise<MountReturn> => {
    await wire?.close()
    if (during) await clock.run(during())
    await clock.advance(30_000)
    expect(returns).toHaveLength(1)
    return returns[0]!
  }
  return { clock, client, other, mount, cut }
}

describe('a mount that was lost and has come back', () => {
  it('is told site and time and tracks again; one that keeps its own position is not synced', async () => {
    const { client, cut } = await tracking({})
    const report = await cut()
    expect(report).toMatchObject({ device, outcome: { ok: true }, wasSlewing: false })
    expect(report.restored).toEqual(['site', 'time', 'tracking'])
    expect(findSwitch(client.state, device, 'TELESCOPE_TRACK_STATE', 'TRACK_ON')).toBe(true)
  })

  it('whose position died with its driver is synced to where its still axes point by now', async () => {
    const { client, cut } = await tracking({ positionIn: 'driver' })
    const before = findNumber(client.state, device, 'EQUATORIAL_EOD_COORD', 'RA')!
    const report = await cut()
    expect(report.restored).toEqual(['site', 'time', 'sync', 'tracking'])
    const seconds = (findNumber(client.state, device, 'EQUATORIAL_EOD_COORD', 'RA')! - before) * 3600
    // Earth turns 1.0027 sidereal seconds in each that it was away.
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan((report.elapsedMs / 1000) * 1.1 + 0.5)
  })

  it('is left as it is when the gate does not permit more', async () => {
    const { cut } = await tracking({
      permit: (action) => (action === 'track' ? failure('the roof is shut') : { ok: true }),
    })
    const report = await cut()
    expect(report.outcome).toEqual({ ok: false, reason: 'tracking was not permitted: the roof is shut' })
    expect(report.restored).toEqual(['site', 'time'])
  })

  it('stays parked when somebody has parked it meanwhile', async () => {
    const { mount, cut, other } = await tracking({ positionIn: 'driver' })
    const report = await cut(() =>
      other.set(device, 'TELESCOPE_PARK', { PARK: true }, { timeoutMs: 120_000, judge: judgeAccepted }),
    )
    expect(report.restored).not.toContain('sync')
    expect(report.outcome).toMatchObject({ ok: false })
    expect(mount.state().tracking).toBe(false)
  })
})

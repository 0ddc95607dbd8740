import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSimulatedNutServer } from '../simulators/nutServer.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { conform } from './conformance.ts'
import { createNutUps, type NutUpsOptions, nutUpsCard } from './nutUps.ts'

const startMs = Date.UTC(2026, 0, 1)

function setUp(options: Partial<NutUpsOptions> = {}, users: Record<string, string> = {}) {
  const clock = new VirtualClock(startMs)
  const server = createSimulatedNutServer({ ups: 'roof', users })
  const wires: Wire[] = []
  const inner = memoryConnect((open) => server.accept(open))
  const connect: Connect = async (handlers, signal) => {
    const wire = await inner(handlers, signal)
    wires.push(wire)
    return wire
  }
  const ups = createNutUps(connect, { clock, random: createRandom(7), ups: 'roof', ...options })
  return { clock, server, ups, wires }
}

describe('a UPS through upsd', () => {
  it('does what its card says', async () => {
    const { clock, ups } = setUp()
    await using _ = ups
    const report = await clock.run(conform(ups, nutUpsCard, clock))
    expect(report).toMatchObject({ protocol: 'NUT', source: 'NUT roof', problems: [], exercised: nutUpsCard.can })
  })

  it('tells mains, charge and runtime, and can what it has told', async () => {
    const { clock, server, ups } = setUp()
    await using _ = ups
    expect(ups.state()).toMatchObject({ connected: false, problem: 'not connected yet', atMs: 0 })
    expect(ups.can().size).toBe(0)
    await clock.advance(100)
    expect(ups.state()).toMatchObject({
      source: 'NUT roof',
      connected: true,
      onMains: true,
      lowBattery: false,
      chargePercent: 95,
      runtimeSeconds: 2400,
      atMs: startMs,
      problem: undefined,
    })
    expect([...ups.can()]).toEqual([...nutUpsCard.can])
    server.variables.set('ups.status', 'OB DISCHRG LB')
    await clock.advance(2_000)
    expect(ups.state()).toMatchObject({ onMains: false, lowBattery: true, flags: ['OB', 'DISCHRG', 'LB'] })
  })

  it('is not connected when upsd’s data is stale, and says why', async () => {
    const { clock, server, ups } = setUp()
    await using _ = ups
    await clock.advance(100)
    server.refuseWith = 'DATA-STALE'
    await clock.advance(2_000)
    expect(ups.state()).toMatchObject({ connected: false, problem: expect.stringContaining('no fresh data') as string })
    server.refuseWith = undefined
    await clock.advance(2_000)
    expect(ups.state().connected).toBe(true)
  })

  it('leaves a server that says nothing, within its deadline, and comes back', async () => {
    const { clock, server, ups, wires } = setUp()
    await using _ = ups
    await clock.advance(100)
    server.mute = true
    await clock.advance(7_000)
    expect(ups.state().connected).toBe(false)
    await clock.advance(2_000)
    expect(wires.length).toBeGreaterThan(1)
    server.mute = false
    await clock.advance(40_000)
    expect(ups.state()).toMatchObject({ connected: true, onMains: true })
  })

  it('comes back after the wire was cut', async () => {
    const { clock, ups, wires } = setUp()
    await using _ = ups
    await clock.advance(100)
    await wires[0]!.close()
    await clock.advance(0)
    expect(ups.state()).toMatchObject({ connected: false, problem: 'closed' })
    await clock.advance(5_000)
    expect(ups.state().connected).toBe(true)
  })

  it('logs in where it is told to, and says when upsd does not take the password, but hears it all the same', async () => {
    const users = { nightjar: 'a "b c' }
    const right = setUp({ username: 'nightjar', password: 'a "b c' }, users)
    await using _ = right.ups
    await right.clock.advance(100)
    expect(right.ups.state().connected).toBe(true)
    const wrong = setUp({ username: 'nightjar', password: 'guess' }, users)
    await using __ = wrong.ups
    await wrong.clock.advance(10_000)
    expect(wrong.ups.state()).toMatchObject({
      connected: true,
      problem: expect.stringContaining('upsd.users') as string,
    })
  })
})

import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { describe, expect, it } from 'vitest'
import type { DaemonView } from './decide.ts'
import type { GuardedDevices, InputReading, MountReading } from './devices.ts'
import { createGuardian } from './guardian.ts'
import { defaultPolicy } from './policy.ts'
import { ownIdentity } from './processes.ts'

/** A clock whose wall time can be set while its other time runs on. */
class SetClock extends VirtualClock {
  offsetMs = 0
  override now(): number {
    return super.now() + this.offsetMs
  }
}

/** A site in memory, whose devices do what they are told and write it down. */
function site() {
  const clock = new SetClock(1_800_000_000_000)
  const commands: string[] = []
  const mount: MountReading = { parked: false, slewing: false, tracking: true }
  const world = {
    mount,
    roof: 'open' as RoofPosition,
    daemon: { link: 'open', beatAgeMs: 0, healthAgeMs: 0, processAlive: true } as DaemonView,
    /** When the devices were last able to tell something. */
    toldAtMs: clock.now(),
    answers: true,
    station: { raining: false, unsafe: false } as InputReading,
    parks: done as Outcome,
  }
  const told = <T>(value: T) => ({ atMs: world.toldAtMs, value })
  const read = (): void => {
    if (world.answers) world.toldAtMs = clock.now()
  }
  const command = async (name: string, outcome: Outcome = done): Promise<Outcome> => {
    commands.push(name)
    return outcome
  }
  const devices: GuardedDevices = {
    mount: {
      reading: () => told(world.mount),
      read,
      async park() {
        const outcome = await command('park', world.parks)
        if (outcome.ok) world.mount = { parked: true, slewing: false, tracking: false }
        return outcome
      },
      abort: () => command('abort'),
      stop: () => command('stop'),
    },
    roof: {
      reading: () => told(world.roof),
      read,
      async close() {
        world.roof = 'closed'
        return command('close')
      },
      abort: () => command('abort roof'),
    },
    inputs: [{ name: 'station', limitMs: 60_000, required: true, tells: ['rain'], reading: () => told(world.station) }],
    parkedSensor: undefined,
    feed: () => command('feed'),
    releaseMount: undefined,
    listen: () => () => undefined,
    async [Symbol.asyncDispose]() {},
  }
  const entries: string[] = []
  const guardian = createGuardian({
    policy: defaultPolicy,
    clock,
    devices,
    daemon: { view: () => world.daemon, toldMount: () => undefined, kill: () => false },
    journal: { write: (event) => entries.push(event), lost: 0 },
    identity: ownIdentity(),
  })
  const over = new AbortController()
  const running = guardian.run(over.signal)
  return {
    clock,
    world,
    guardian,
    entries,
    commands: () => commands.filter((name) => name !== 'feed'),
    fed: () => commands.filter((name) => name === 'feed').length,
    async [Symbol.asyncDispose]() {
      over.abort()
      await running
    },
  }
}

describe('the loop of the guardian', () => {
  it('feeds the controller about once a second while all is well, and does nothing else', async () => {
    await using it = site()
    await it.clock.advance(30_000)
    expect(it.commands()).toEqual([])
    expect(it.fed()).toBeGreaterThanOrEqual(27)
    expect(it.fed()).toBeLessThanOrEqual(31)
  })

  it('parks, reads, closes, and feeds no more once the mount is down', async () => {
    await using it = site()
    await it.clock.advance(5_000)
    it.world.daemon = { ...it.world.daemon, beatAgeMs: 2_001 }
    await it.clock.advance(5_000)
    expect(it.commands()).toEqual(['park', 'close'])
    const fed = it.fed()
    await it.clock.advance(20_000)
    expect(it.fed()).toBe(fed)
    expect(it.guardian.status()).toMatchObject({ phase: 'down', causes: ['the daemon is silent'], mountDown: true })
  })

  it('takes no old reading for a new one when the wall clock is set back an hour', async () => {
    await using it = site()
    await it.clock.advance(2_000)
    it.world.answers = false
    it.clock.offsetMs = -3_600_000
    await it.clock.advance(61_000)
    expect(it.guardian.status().causes).toEqual(['station is silent'])
    expect(it.guardian.status().roof?.ageMs).toBeGreaterThan(60_000)
  })

  it('is not frightened by a wall clock that is set forward an hour', async () => {
    await using it = site()
    await it.clock.advance(2_000)
    it.clock.offsetMs = 3_600_000
    await it.clock.advance(10_000)
    expect(it.guardian.status()).toMatchObject({ phase: 'watching', causes: [] })
    expect(it.commands()).toEqual([])
  })

  it('asks again soon when a command came to nothing, each time after an abort', async () => {
    await using it = site()
    await it.clock.advance(1_000)
    it.world.parks = failure('the server is not connected')
    it.world.daemon = { ...it.world.daemon, link: 'lost', processAlive: false }
    await it.clock.advance(5_000)
    expect(it.commands()).toEqual(['park', 'abort', 'park', 'abort', 'park'])
    it.world.parks = done
    await it.clock.advance(5_000)
    expect(it.commands().slice(-2)).toEqual(['park', 'close'])
    expect(it.entries).toContain('outcome')
  })
})

import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createLx200MountSimulator, type Lx200Simulator, type Lx200SimulatorOptions } from '../simulators/lx200Mount.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { fromIcrs, separationDeg, toIcrs } from './epoch.ts'
import { createLx200Mount, type Lx200Mount, lx200MountCard } from './lx200Mount.ts'

const site = { latitudeDeg: 47.5, longitudeDeg: 19 }
const startMs = Date.UTC(2026, 10, 21, 20)

interface Rig {
  readonly clock: VirtualClock
  readonly simulator: Lx200Simulator
  readonly mount: Lx200Mount
  readonly wires: Wire[]
}

/** A mount and its simulator on a memory wire; the connection may be refused to play an unplugged cable. */
function rig(options: Partial<Lx200SimulatorOptions> = {}, plugged: () => boolean = () => true): Rig {
  const clock = new VirtualClock(startMs)
  const simulator = createLx200MountSimulator({
    clock,
    random: createRandom('simulator'),
    dialect: 'onstep',
    site: { latitudeDeg: 0, longitudeDeg: 0 },
    ...options,
  })
  const wires: Wire[] = []
  const connect: Connect = async (handlers, signal) => {
    if (!plugged()) throw new Error('not plugged in')
    const wire = await memoryConnect(simulator.accept)(handlers, signal)
    wires.push(wire)
    return wire
  }
  const mount = createLx200Mount(connect, { clock, random: createRandom('mount'), site })
  return { clock, simulator, mount, wires }
}

/** Plays a story on the rig's clock and puts everything away. */
async function play(rig: Rig, story: () => Promise<void>): Promise<void> {
  await rig.clock.run(
    (async () => {
      await until(rig, () => rig.mount.state().connected)
      await story()
      await rig.mount[Symbol.asyncDispose]()
    })(),
  )
}

async function until({ clock }: Rig, condition: () => boolean, timeoutMs = 10_000): Promise<number> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(10)
  expect(condition()).toBe(true)
  return clock.monotonic() - start
}

/** A place well above the horizon, `hours` west of the meridian. */
function up({ clock, simulator }: Rig, hours: number, decDeg: number): { raDeg: number; decDeg: number } {
  const here = simulator.pointing()
  const lst = here.raDeg + here.haDeg
  return toIcrs({ raDeg: (lst - hours * 15 + 720) % 360, decDeg }, clock.now())
}

describe.each(['onstep', 'classic'] as const)('an LX200 mount that speaks %s', (dialect) => {
  const product = dialect === 'classic' ? { product: 'Autostar' } : {}

  it('is told its site and the time, and then knows where the sky is', async () => {
    const one = rig({ dialect, ...product })
    one.simulator.knows.clockErrorMs = 5 * 86_400_000
    await play(one, async () => {
      const { knows } = one.simulator
      expect(knows.latitudeDeg).toBe(47.5)
      expect(knows.longitudeDeg).toBe(19)
      expect(knows.utcOffsetHours).toBe(0)
      expect(Math.abs(knows.clockErrorMs)).toBeLessThan(1000)
      const state = one.mount.state()
      expect(state).toMatchObject({ connected: true, parked: false, slewing: false })
      const pointing = one.simulator.pointing()
      expect(separationDeg(fromIcrs(state, one.clock.now()), pointing)).toBeLessThan(0.01)
      expect(state.source).toBe('LX200 memory')
      const told = await one.mount.site()
      expect(told).toMatchObject({ ok: true, latitudeDeg: 47.5, longitudeDeg: 19 })
      one.simulator.knows.utcOffsetHours = 5
      const moved = await one.mount.site()
      for (const belief of [told, moved]) {
        // The clock of the mount, not its local time: the same wherever its zone is.
        expect(belief.ok && Math.abs(belief.utcMs - belief.atMs)).toBeLessThan(2_000)
        expect(belief.ok && belief.utcMs).toBeGreaterThan(startMs)
      }
    })
  })

  it('slews to an ICRS target, tracks there and syncs', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      const target = up(one, -2, 30)
      const started = one.clock.monotonic()
      expect(await one.mount.slew(target.raDeg, target.decDeg, 120_000)).toEqual({ ok: true })
      expect(one.clock.monotonic() - started).toBeGreaterThan(5_000)
      expect(separationDeg(one.mount.state(), target) * 3600).toBeLessThan(dialect === 'onstep' ? 5 : 20)
      expect(one.mount.state()).toMatchObject({ tracking: true, slewing: false })
      await one.clock.sleep(600_000)
      expect(separationDeg(one.mount.state(), target) * 3600).toBeLessThan(30)
      const truth = { raDeg: target.raDeg + 0.2, decDeg: 30.2 }
      expect(await one.mount.sync(truth.raDeg, truth.decDeg)).toEqual({ ok: true })
      expect(separationDeg(one.mount.state(), truth) * 3600).toBeLessThan(20)
    })
  })

  it('says why a target is refused', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      const below = up(one, 12, 10)
      const refused = await one.mount.slew(below.raDeg, below.decDeg, 60_000)
      expect(refused).toMatchObject({ ok: false, reason: expect.stringContaining('below the horizon limit') as string })
      expect(await one.mount.slew(10, Number.NaN, 1_000)).toMatchObject({ ok: false })
    })
  })

  it('stops a slew on the way, at once', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      const target = up(one, -3, 20)
      const slew = one.mount.slew(target.raDeg, target.decDeg, 120_000)
      await until(one, () => one.mount.state().slewing)
      expect(await one.mount.abort()).toEqual({ ok: true })
      expect(await slew).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
      expect(one.simulator.pointing().slewing).toBe(false)
      expect(separationDeg(one.mount.state(), target)).toBeGreaterThan(5)
    })
  })

  it('switches tracking off and on', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      expect(await one.mount.track(false)).toEqual({ ok: true })
      expect(one.mount.state().tracking).toBe(false)
      const { raDeg } = one.simulator.pointing()
      await one.clock.sleep(60_000)
      expect(one.simulator.pointing().raDeg - raDeg).toBeCloseTo(60 * (360 / 86_164.0905), 3)
      expect(await one.mount.track(true)).toEqual({ ok: true })
    })
  })

  it('follows the Sun, the Moon and a comet by the frequency of its drive', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      await one.mount.track(true)
      for (const [rate, hz] of [
        ['solar', 60],
        ['lunar', 57.9],
        ['sidereal', 60.164274],
      ] as const) {
        expect(await one.mount.setTrackRate(rate)).toEqual({ ok: true })
        expect(one.simulator.pointing().trackingHz).toBeCloseTo(hz, 3)
        await one.clock.sleep(3_000)
        expect(one.mount.state().trackRate).toBe(rate)
      }
      // 0.5 arcsec a second eastward: the drive turns 0.5/15.041 slower.
      expect(await one.mount.setTrackRate('custom', { raArcsecPerSecond: 0.5, decArcsecPerSecond: 0 })).toEqual({
        ok: true,
      })
      const { raDeg } = one.simulator.pointing()
      await one.clock.sleep(100_000)
      const drift = (one.simulator.pointing().raDeg - raDeg) * 3600
      expect(Math.abs(drift - 50)).toBeLessThan(dialect === 'onstep' ? 0.1 : 2)
      expect(await one.mount.trackKing()).toEqual({ ok: true })
      expect(one.simulator.pointing().trackingHz).toBeCloseTo(60.136, dialect === 'onstep' ? 6 : 1)
      expect(await one.mount.setTrackRate('custom', { raArcsecPerSecond: 0, decArcsecPerSecond: 1 })).toMatchObject({
        ok: false,
      })
    })
  })

  it('guides by pulses, also by longer ones than four digits hold', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      const target = up(one, -1, 40)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      const before = one.simulator.pointing()
      expect(await one.mount.guide('north', 12_000)).toEqual({ ok: true })
      // Half the stars' rate for 12 s.
      expect((one.simulator.pointing().decDeg - before.decDeg) * 3600).toBeCloseTo(12 * 7.5205, 1)
      expect(await one.mount.guide('west', 2_000)).toEqual({ ok: true })
      expect((before.raDeg - one.simulator.pointing().raDeg) * 3600).toBeCloseTo(2 * 7.5205, 1)
    })
  })

  it('is moved by hand at a speed and stopped', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      const target = up(one, -1, 40)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      expect(await one.mount.move('south', 1)).toEqual({ ok: true })
      await one.clock.sleep(2_000)
      expect(await one.mount.halt()).toEqual({ ok: true })
      const { decDeg } = one.simulator.pointing()
      expect(decDeg).toBeLessThan(34)
      await one.clock.sleep(2_000)
      expect(one.simulator.pointing().decDeg).toBe(decDeg)
      expect(await one.mount.move('south', 0)).toMatchObject({ ok: false })
    })
  })

  it('reads and sets its limits', async () => {
    const one = rig({ dialect, ...product })
    await play(one, async () => {
      expect(await one.mount.setLimits({ horizonDeg: 15, overheadDeg: 85 })).toEqual({ ok: true })
      expect(await one.mount.limits()).toEqual({ ok: true, horizonDeg: 15, overheadDeg: 85 })
    })
  })
})

describe('an OnStep mount', () => {
  it('parks, refuses to slew, unparks and finds its home', async () => {
    const one = rig()
    await play(one, async () => {
      expect(one.mount.can()).toEqual(new Set(lx200MountCard.can))
      const target = up(one, -2, 50)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      expect(one.mount.state().pierSide).toBe('west')
      expect(await one.mount.park()).toEqual({ ok: true })
      expect(one.mount.state()).toMatchObject({ parked: true, tracking: false, slewing: false })
      expect(await one.mount.slew(target.raDeg, target.decDeg, 60_000)).toEqual({
        ok: false,
        reason: 'the mount is parked',
      })
      expect(await one.mount.track(true)).toEqual({
        ok: false,
        reason: 'the mount refuses trackOn: the mount is parked',
      })
      expect(await one.mount.sync(target.raDeg, target.decDeg)).toMatchObject({ ok: false })
      expect(await one.mount.unpark()).toEqual({ ok: true })
      expect(one.mount.state().parked).toBe(false)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      expect(await one.mount.home()).toEqual({ ok: true })
      expect(one.mount.state()).toMatchObject({ atHome: true, tracking: false })
    })
  })

  it('tells its error flags in words', async () => {
    const one = rig()
    await play(one, async () => {
      one.simulator.trouble({ error: 7 })
      await one.clock.sleep(1_500)
      expect(one.mount.state().fault).toBe('the mount is past its meridian limit')
    })
  })

  it('fails a slew that ends short of the target', async () => {
    const one = rig()
    await play(one, async () => {
      one.simulator.trouble({ stuck: true })
      const target = up(one, -2, 30)
      const slew = await one.mount.slew(target.raDeg, target.decDeg, 60_000)
      expect(slew).toMatchObject({
        ok: false,
        reason: expect.stringMatching(/stopped \d+\.\d° from the target/) as string,
      })
    })
  })
})

describe('the first LX200, which has no name and speaks in tenths of a minute', () => {
  it('is switched to seconds and cannot park', async () => {
    const one = rig({ dialect: 'classic', product: undefined, precision: 'low' })
    await play(one, async () => {
      expect(one.simulator.heard).toContain('togglePrecision')
      expect(one.mount.can().has('park')).toBe(false)
      expect(await one.mount.park()).toEqual({ ok: false, reason: 'this LX200 mount cannot park by command' })
    })
  })
})

describe('a mount that starts anew when its port is opened', () => {
  it('is waited for on the same wire, and known by its name', async () => {
    const one = rig()
    one.simulator.trouble({ silent: true })
    void one.clock.sleep(3_300).then(() => one.simulator.trouble({}))
    await play(one, async () => {
      expect(one.clock.monotonic()).toBeLessThan(6_500)
      expect(one.wires).toHaveLength(1)
      expect(one.mount.product()).toBe('On-Step 4.24i')
    })
  })
})

describe('a million bytes of noise instead of answers', () => {
  it('show no place, hold no memory, and end with the noise', async () => {
    const random = createRandom('noise')
    const clock = new VirtualClock(startMs)
    const simulator = createLx200MountSimulator({ clock, random, dialect: 'onstep', site })
    let noise = 0
    const connect: Connect = memoryConnect((open) => {
      if (noise >= 1_000_000) return simulator.accept(open)
      const wire = open({
        onBytes() {
          const bytes = Buffer.from(Array.from({ length: 1 + random.integer(4_000) }, () => random.integer(256)))
          noise += bytes.length
          void wire.write(bytes).catch(() => undefined)
        },
        onClose: () => undefined,
      })
    })
    const mount = createLx200Mount(connect, { clock, random: createRandom('mount'), site })
    await clock.run(
      (async () => {
        let connected = 0
        while (noise < 1_000_000) {
          await clock.sleep(100)
          if (mount.state().connected) connected++
        }
        expect(connected).toBe(0)
        while (!mount.state().connected && clock.monotonic() < 86_400_000) await clock.sleep(100)
        expect(mount.state().connected).toBe(true)
        await mount[Symbol.asyncDispose]()
      })(),
    )
  })
})

describe('a mount with a bad cable', () => {
  it('is asked again when answers are garbled or cut short, and never shows a wrong place', async () => {
    const one = rig()
    await play(one, async () => {
      const target = up(one, -2, 30)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      one.simulator.trouble({ garbled: 0.1, cut: 0.05 })
      let worst = 0
      let seen = 0
      let parked = 0
      for (let n = 0; n < 2_000; n++) {
        await one.clock.sleep(250)
        const state = one.mount.state()
        if (!state.connected) continue
        seen++
        if (state.parked || state.slewing) parked++
        worst = Math.max(worst, separationDeg(state, target))
      }
      expect(seen).toBeGreaterThan(1_500)
      expect(worst).toBeLessThan(1.1)
      expect(parked).toBe(0)
      one.simulator.trouble({})
      await until(one, () => one.mount.state().connected)
      await one.clock.sleep(2_000)
      expect(separationDeg(one.mount.state(), target)).toBeLessThan(0.01)
    })
  })

  it('does not take a late answer for that of the next question', async () => {
    const one = rig()
    await play(one, async () => {
      const target = up(one, -2, 30)
      await one.mount.slew(target.raDeg, target.decDeg, 120_000)
      one.simulator.trouble({ lateMs: 620 })
      await one.clock.sleep(10_000)
      one.simulator.trouble({})
      await one.clock.sleep(10_000)
      expect(one.mount.state().connected).toBe(true)
      expect(separationDeg(one.mount.state(), target)).toBeLessThan(0.01)
    })
  })

  it('is not connected within 2 s of its last word, and is greeted anew when it speaks again', async () => {
    const one = rig()
    await play(one, async () => {
      await one.clock.sleep(3_000)
      one.simulator.trouble({ silent: true })
      const silentMs = await until(one, () => !one.mount.state().connected)
      expect(silentMs).toBeLessThanOrEqual(2_000)
      expect(await one.mount.slew(10, 10, 5_000)).toMatchObject({ ok: false })
      one.simulator.trouble({})
      await until(one, () => one.mount.state().connected, 40_000)
      expect(one.wires.length).toBeGreaterThan(1)
    })
  })

  it('ends a slew as a failure when the cable is pulled, and comes back with it', async () => {
    let plugged = true
    const one = rig({}, () => plugged)
    await play(one, async () => {
      const target = up(one, -2, 30)
      const slew = one.mount.slew(target.raDeg, target.decDeg, 120_000)
      await until(one, () => one.mount.state().slewing)
      plugged = false
      await one.wires.at(-1)!.close()
      expect(await slew).toMatchObject({ ok: false, reason: expect.stringContaining('lost') as string })
      expect(one.mount.state().connected).toBe(false)
      plugged = true
      await until(one, () => one.mount.state().connected, 60_000)
    })
  })
})

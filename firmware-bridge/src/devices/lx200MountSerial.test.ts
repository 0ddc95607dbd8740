import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createLx200MountSimulator } from '../simulators/lx200Mount.ts'
import { connectSerial } from '../wire/serial.ts'
import { servePty, serveTcp } from '../wire/serialServe.ts'
import { connectTcp } from '../wire/tcp.ts'
import { separationDeg, toIcrs } from './epoch.ts'
import { createLx200Mount } from './lx200Mount.ts'

const hasSocat = spawnSync('socat', ['-V']).status === 0
if (!hasSocat) console.log('skipped: pseudo-terminals need socat (apt-get install socat)')

const stack: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function until(condition: () => boolean, timeoutMs = 10_000): Promise<number> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(2)
  expect(condition()).toBe(true)
  return clock.monotonic() - start
}

const site = { latitudeDeg: 47.5, longitudeDeg: 19 }
const mountSimulator = () =>
  createLx200MountSimulator({ clock, random: createRandom('serial'), dialect: 'onstep', site, slewDegPerSecond: 60 })
type Simulator = ReturnType<typeof mountSimulator>

function overhead(simulator: Simulator, hours: number): { raDeg: number; decDeg: number } {
  const { raDeg, haDeg } = simulator.pointing()
  return toIcrs({ raDeg: (raDeg + haDeg - hours * 15 + 720) % 360, decDeg: 45 }, clock.now())
}

describe.skipIf(!hasSocat)('an LX200 mount on a real serial port', () => {
  it('is slewed, lost within two seconds when unplugged in the middle, and found again under another name', async () => {
    const simulator = mountSimulator()
    let port = stack[stack.push(await servePty(simulator.accept, clock)) - 1] as Awaited<ReturnType<typeof servePty>>
    const list = async () => [{ path: port.path, vendorId: '1a86', productId: '7523' }]
    const connect = connectSerial({ path: 'usb:1a86:7523', baudRate: 9600, list })
    const mount = createLx200Mount(connect, { clock, random: createRandom('mount'), site })
    stack.push(mount)
    await until(() => mount.state().connected)
    expect(await mount.unpark()).toEqual({ ok: true })
    const target = overhead(simulator, -2)
    expect(await mount.slew(target.raDeg, target.decDeg, 30_000)).toEqual({ ok: true })
    expect(separationDeg(mount.state(), target) * 3600).toBeLessThan(10)

    const away = overhead(simulator, 4)
    const slew = mount.slew(away.raDeg, away.decDeg, 30_000)
    await until(() => mount.state().slewing)
    port.unplug()
    const goneMs = await until(() => !mount.state().connected)
    expect(await slew).toMatchObject({ ok: false, reason: expect.stringContaining('lost') as string })
    expect(goneMs).toBeLessThan(2_000)

    port = await servePty(simulator.accept, clock)
    stack.push(port)
    const backMs = await until(() => mount.state().connected, 15_000)
    expect(await mount.abort()).toEqual({ ok: true })
    console.log(
      `unplugged: seen after ${(goneMs / 1000).toFixed(3)} s; plugged in again: back after ${(backMs / 1000).toFixed(1)} s`,
    )
  })
})

describe('an LX200 mount behind a network adapter', () => {
  it('is the same mount', async () => {
    const simulator = mountSimulator()
    const served = await serveTcp(simulator.accept)
    stack.push(served)
    const mount = createLx200Mount(connectTcp(served), {
      clock,
      random: createRandom('mount'),
      timing: { pollMs: 100 },
    })
    stack.push(mount)
    await until(() => mount.state().connected)
    expect(mount.product()).toBe('On-Step 4.24i')
    const target = overhead(simulator, -1)
    expect(await mount.slew(target.raDeg, target.decDeg, 30_000)).toEqual({ ok: true })
    expect(await mount.park(30_000)).toEqual({ ok: true })
    expect(simulator.pointing().park).toBe('parked')
  })
})

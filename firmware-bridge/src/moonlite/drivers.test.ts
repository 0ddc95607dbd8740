import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import type { Focuser } from '../devices/focuser.ts'
import { createIndiFocuser } from '../devices/indiFocuser.ts'
import { type DriverPeers, startDriverPeers } from '../lx200/driverPeer.ts'
import { createRandom } from '../random.ts'
import { createMoonliteSimulator, type MoonliteSimulator } from '../simulators/moonliteFocuser.ts'

const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const programs = ['indiserver', 'unshare', 'ip', 'socat', 'cc', 'indi_moonlite_focus']
const missing = programs.filter((program) => !onPath(program))
if (missing.length > 0) {
  console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin socat util-linux iproute2 gcc libc6-dev)`)
}

async function until(condition: () => boolean, timeoutMs = 15_000): Promise<void> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < timeoutMs) await clock.sleep(10)
  expect(condition()).toBe(true)
}

describe.skipIf(missing.length > 0)('our Moonlite simulator as the focuser of Debian’s indi_moonlite_focus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-moonlite-'))
  const device = 'MoonLite'
  let simulator: MoonliteSimulator
  let focuser: Focuser
  let rig: DriverPeers

  beforeAll(async () => {
    const shim = join(folder, 'noflush.so')
    const source = fileURLToPath(new URL('./noflush.c', import.meta.url))
    const built = spawnSync('cc', ['-shared', '-fPIC', '-o', shim, source, '-ldl'], { encoding: 'utf8' })
    expect(built.stderr).toBe('')
    simulator = createMoonliteSimulator({ clock, startSteps: 5_000, temperatureC: 12.5, stepsPerSecond: 2_000 })
    rig = await startDriverPeers({
      clock,
      random: createRandom(1),
      env: { LD_PRELOAD: shim },
      drivers: [{ driver: 'indi_moonlite_focus', device, simulator: simulator.accept }],
    })
    focuser = createIndiFocuser(rig.client, device)
    await until(() => focuser.state().connected && focuser.state().positionSteps === 5_000)
  })

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is connected, with its place and temperature', async () => {
    await until(() => focuser.state().temperatureC === 12.5)
  })

  it('is moved both ways', async () => {
    for (const steps of [6_500, 4_000]) {
      expect(await focuser.moveTo(steps, 20_000)).toEqual({ ok: true })
      expect(simulator.steps()).toBe(steps)
      expect(focuser.state().positionSteps).toBe(steps)
    }
  })

  it('is stopped on its way', async () => {
    const move = focuser.moveTo(30_000, 20_000)
    await until(() => simulator.moving())
    expect(await focuser.abort()).toEqual({ ok: true })
    await until(() => !simulator.moving())
    expect(await move).toMatchObject({ ok: false })
    expect(simulator.steps()).toBeLessThan(30_000)
  })

  it('heard no command that it does not know', () => {
    expect(simulator.heard.filter((command) => command === 'unknown')).toEqual([])
  })
})

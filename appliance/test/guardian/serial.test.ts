import { spawnSync } from 'node:child_process'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiRoof } from '@nightjar/firmware-bridge/devices/indiRoof.ts'
import { createIndiSafety } from '@nightjar/firmware-bridge/devices/indiSafety.ts'
import { createLx200Mount } from '@nightjar/firmware-bridge/devices/lx200Mount.ts'
import { createIndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { createLx200MountSimulator } from '@nightjar/firmware-bridge/simulators/lx200Mount.ts'
import { createSafetyControllerSimulator } from '@nightjar/firmware-bridge/simulators/safetyController.ts'
import { servePty } from '@nightjar/firmware-bridge/wire/serialServe.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { connectTty } from '@nightjar/firmware-bridge/wire/tty.ts'
import { describe, expect, it } from 'vitest'
import { type GuardianConfigFile, guardianPaths } from '../../src/guardian/config.ts'
import { isRunning, killProcess, startTicks } from '../../src/guardian/processes.ts'
import { servedNames } from '../../src/guardian/served.ts'
import {
  closeCommands,
  configFor,
  guard,
  isRoofClosed,
  open,
  startDaemon,
  startObservatory,
  temporaryFolder,
  until,
} from './processes.ts'

const hasSocat = spawnSync('socat', ['-V']).status === 0
if (!hasSocat) console.log('skipped: serial ports need socat (apt-get install socat)')

const site = { latitudeDeg: 47.5, longitudeDeg: 19 }
const random = createRandom('serial')

/** As the daemon does at the beginning of a night. */
async function unpark(path: string): Promise<void> {
  await using mount = createLx200Mount(connectTty({ path, baudRate: 9600 }), { clock, random })
  await until(() => mount.state().connected, 'the mount')
  expect(await mount.unpark()).toEqual({ ok: true })
}

describe.skipIf(!hasSocat)('a guardian with serial ports', { concurrent: true }, () => {
  it('holds the roof’s wire, serves it to the daemon over INDI, and closes it when the daemon dies', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const observatory = stack.use(await startObservatory(folder, 1))
    // The shortest dead man's time that the firmware takes is 5 s.
    const controller = stack.use(
      createSafetyControllerSimulator({
        clock,
        travelSeconds: 1,
        tickMs: 50,
        settings: { 'heartbeat-s': 5, 'pause-ms': 100 },
      }),
    )
    const port = stack.use(await servePty(controller.accept, clock))
    const config: GuardianConfigFile = {
      ...configFor(observatory, 0, folder),
      roof: { kind: 'controller', path: port.path, baudRate: 38_400 },
      inputs: [{ kind: 'controller', limitMs: 3_000, required: true }],
    }
    const guardian = await guard(stack, config)
    const daemon = await startDaemon(stack, folder)
    const connect = connectTcp({ path: guardianPaths(folder).roofSocket })
    const client = stack.use(createIndiClient(connect, { clock, random }))
    const roof = createIndiRoof(client, servedNames.roof, { clock })
    const safety = createIndiSafety(client, servedNames.station, { clock })

    await until(() => daemon.latest()?.mayOpen === true && daemon.latest()?.mountDown === true, 'leave to open')
    await until(() => roof.state().position === 'closed' && safety.state().safe, 'a closed roof, served')
    expect(await roof.open(10_000)).toEqual({ ok: true })
    expect(controller.roof().position).toBe(1)
    // Longer than the controller waits for a heartbeat: the guardian feeds it.
    await clock.sleep(5_500)
    expect(controller.roof()).toEqual({ position: 1, motor: 'still' })

    await observatory.client.connectDevice('Mount 0')
    await observatory.client.set('Mount 0', 'TELESCOPE_PARK', { UNPARK: true })
    await until(() => daemon.latest()?.mountDown === false, 'an unparked mount')
    expect(await roof.close(5_000)).toMatchObject({ ok: false, reason: expect.stringMatching(/not confirmed parked/) })
    expect(controller.roof()).toEqual({ position: 1, motor: 'still' })

    const atMs = clock.now()
    daemon.signal('SIGKILL')
    await until(() => controller.roof().position === 0, 'the closed roof')
    const texts = guardian.journal().filter(({ event }) => event === 'action')
    expect(texts.map(({ text }) => text)).toEqual(['park the mount', 'close the roof'])
    expect(Date.parse(texts[0]?.at ?? '') - atMs).toBeLessThan(2_500)
    await until(() => roof.state().position === 'closed', 'a closed roof, served')
    expect(await roof.open(5_000)).toMatchObject({ ok: false, reason: expect.stringMatching(/the daemon has died/) })
  })

  it('that is killed no longer feeds the controller, which closes by itself', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const settings = { 'heartbeat-s': 5, 'pause-ms': 100 }
    const controller = stack.use(
      createSafetyControllerSimulator({ clock, travelSeconds: 1, tickMs: 50, settings, startsAt: 1 }),
    )
    const port = stack.use(await servePty(controller.accept, clock))
    const config: GuardianConfigFile = {
      folder,
      mount: null,
      roof: { kind: 'controller', path: port.path, baudRate: 38_400 },
      inputs: [{ kind: 'controller', limitMs: 3_000, required: true }],
    }
    const guardian = await guard(stack, config)
    const daemon = await startDaemon(stack, folder)
    await until(() => daemon.latest()?.roof?.position === 'open', 'an open roof')
    await clock.sleep(500)
    expect(controller.roof().position).toBe(1)
    const atMs = clock.monotonic()
    expect(killProcess(guardian)).toBe(true)
    await until(() => controller.roof().motor === 'closing', 'the controller’s own closing')
    console.log(`controller closes ${Math.round(clock.monotonic() - atMs)} ms after the guardian's death (limit 5 s)`)
    expect(clock.monotonic() - atMs).toBeLessThan(6_500)
  })

  it('ends a hung daemon that holds the mount’s port, then parks by that port, then closes', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const observatory = stack.use(await startObservatory(folder, 1))
    const mount = createLx200MountSimulator({ clock, random, dialect: 'onstep', site, slewDegPerSecond: 90 })
    const port = stack.use(await servePty(mount.accept, clock))
    await unpark(port.path)
    const config: GuardianConfigFile = {
      ...configFor(observatory, 0, folder),
      mount: { kind: 'lx200', path: port.path, baudRate: 9600 },
    }
    const guardian = await guard(stack, config)
    const daemon = await startDaemon(stack, folder, '', port.path)
    await open(observatory, 0, 'parked')
    await until(() => daemon.latest()?.mount?.parked === false, 'the mount as the daemon tells it')
    const identity = { pid: daemon.pid, startTicks: startTicks(daemon.pid) ?? '' }
    const atMs = clock.now()
    daemon.signal('SIGSTOP')
    await until(() => !isRunning(identity), 'the end of the hung daemon')
    console.log(`hung daemon with the port ended after ${clock.now() - atMs} ms`)
    expect(clock.now() - atMs).toBeLessThan(2_500)
    await until(() => isRoofClosed(observatory, 0, atMs), 'the closed roof', 20_000)
    expect(mount.heard).toContain('park')
    const actions = guardian.journal().filter(({ event }) => event === 'action')
    expect(actions.map(({ type }) => type)).toEqual(['killDaemon', 'park', 'closeRoof'])
    expect(closeCommands(observatory, 0, atMs)).toHaveLength(1)
  })
})

import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import {
  buildHost,
  firmwarePackages,
  missingForFirmware,
  openFirmwareBuild,
  type Simavr,
  startSimavr,
} from '@nightjar/firmware-bridge/safety-controller/simavr.ts'
import { createSimulatedCamera } from '@nightjar/firmware-bridge/simulators/camera.ts'
import { createSimulatedMount } from '@nightjar/firmware-bridge/simulators/mount.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { killProcess } from '../../src/guardian/processes.ts'
import { unsafeReasons } from '../../src/observatory/gate/safety.ts'
import { until } from '../guardian/processes.ts'
import { actionsSince, openSite, type Site, safe, seconds, site, target } from './site.ts'

/** The roof hangs on the real firmware, which runs in simavr with its serial line on a pseudo-terminal. */

const missing = missingForFirmware()
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install ${firmwarePackages})`)

/** From end to end. */
const roofMs = 2_000
/** As delivered, and the longest that the firmware takes. */
const deadManMs = 30_000
/** How much faster than the clock on the wall the chip runs while nobody feeds it. */
const hurry = 6

describe.skipIf(missing.length > 0)('a site whose roof hangs on our safety controller', () => {
  const all = new AsyncDisposableStack()
  let files = { host: '', elf: '' }

  beforeAll(async () => {
    const build = all.use(openFirmwareBuild())
    files = { host: await buildHost(build), elf: await build.chip('firmware.elf') }
  }, 60_000)
  afterAll(() => all.disposeAsync())

  interface Wired extends Site {
    readonly chip: Simavr
    motor(): string
  }

  async function wire(stack: AsyncDisposableStack): Promise<Wired> {
    const chip = stack.use(await startSimavr(files.host, files.elf))
    chip.tell(`ROOF ${roofMs} 0`)
    chip.free(1)
    const mount = createSimulatedMount({ clock, random: createRandom(1), site, slewDegPerSecond: 60, settleMs: 200 })
    const optics = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76, takeFrame: () => new Uint8Array() }
    const camera = createSimulatedCamera({ clock, ...optics })
    const over = new AbortController()
    const running = [mount.run(over.signal), camera.run(over.signal), press(chip, mount.pointing, over.signal)]
    stack.defer(async () => {
      over.abort()
      await Promise.all(running)
    })
    const server = stack.use(createIndiServer([mount.device, camera.device]))
    const port = Number((await server.listen({ host: '127.0.0.1', port: 0 })).split(':').at(-1))
    const indi = (device: string) => ({ kind: 'indi', host: '127.0.0.1', port, device }) as const
    const controller = { kind: 'controller' } as const
    const opened = await openSite(stack, {
      devices: {
        mount: indi('Telescope Simulator'),
        camera: indi('CCD Simulator'),
        roof: controller,
        safety: controller,
        weather: controller,
        power: controller,
        controller: { path: chip.path, baudRate: 38_400 },
      },
      inputs: { roof: 'required', safety: 'required', rain: ['safety'], mountParkedSensor: 'required' },
    })
    const { hardware, daemon } = opened
    await until(() => hardware.devices.roof!.state().position === 'closed', 'the roof', 15_000)
    await until(() => daemon.latest()?.mayOpen === true && daemon.latest()?.mountDown === true, 'leave to open')
    await safe(opened)
    return { ...opened, chip, motor: () => chip.motor.at(-1)?.motor ?? 'still' }
  }

  /** The sensor that sees the mount: an electric contact of its own, closed to ground while the telescope is down. */
  async function press(chip: Simavr, pointing: () => { parked: boolean }, signal: AbortSignal): Promise<void> {
    for (let told = true; !signal.aborted; ) {
      const { parked } = pointing()
      if (parked !== told) chip.tell(`PIN D4 ${parked ? 0 : 1}`)
      told = parked
      await clock.sleep(20, signal).catch(() => undefined)
    }
  }

  it('opens by the commander, closes by itself in rain, and by the guardian when the daemon is killed', async () => {
    await using stack = new AsyncDisposableStack()
    const wired = await wire(stack)
    const { chip, commander, hardware, daemon, gate, motor } = wired
    const { roof, safety, power } = hardware.devices
    const told: string[] = []

    chip.tell('PIN D4 1')
    await until(() => safety!.state().mountParked === false, 'the contact of the mount')
    expect(await commander.command({ kind: 'openRoof' }, 'night')).toMatchObject({
      ok: false,
      reason: 'the park sensor does not see the telescope',
    })
    chip.tell('PIN D4 0')
    await until(() => safety!.state().mountParked === true, 'the contact of the mount')
    let atMs = clock.monotonic()
    await until(() => commander.ask({ kind: 'openRoof' }, 'night').allow, 'leave to open')
    await wired.obey({ kind: 'openRoof' })
    told.push(`open ${seconds(clock.monotonic() - atMs)} after the command (the roof takes ${seconds(roofMs)})`)
    await wired.obey({ kind: 'dewHeater', name: 'Dew heater 1', percent: 40 })
    await until(() => power!.state().dewHeaters[0]?.percent === 40, 'the heater')

    atMs = clock.monotonic()
    chip.tell('PIN D2 1')
    await until(() => motor() === 'closing', 'the firmware’s own closing')
    told.push(`rain: motor closes after ${seconds(clock.monotonic() - atMs)}`)
    await until(() => unsafeReasons(commander.look(), gate).some((why) => /rain/.test(why)), 'the gate’s word')
    told.push(`rain: the gate says unsafe after ${seconds(clock.monotonic() - atMs)}`)
    expect(commander.ask({ kind: 'openRoof' }, 'night').allow).toBe(false)
    await until(() => roof!.state().position === 'closed', 'the closed roof')
    chip.tell('PIN D2 0')
    await safe(wired)

    await until(() => commander.ask({ kind: 'openRoof' }, 'night').allow, 'leave to open')
    await wired.obey({ kind: 'openRoof' })
    await wired.obey({ kind: 'unpark' })
    await wired.obey({ kind: 'slew', ...target() })
    await until(() => safety!.state().mountParked === false, 'the contact of the mount')
    const killedMs = clock.now()
    daemon.signal('SIGKILL')
    await until(() => motor() === 'closing', 'the motor', 20_000)
    const { types, firstMs } = actionsSince(wired, killedMs)
    // Roof after telescope, by the mount's own word and by the sensor's.
    expect(types).toEqual(['park', 'closeRoof'])
    expect(firstMs).toBeLessThan(2_500)
    await until(() => roof!.state().position === 'closed', 'the closed roof')
    told.push(`daemon killed: parks after ${seconds(firstMs)}, closed after ${seconds(clock.now() - killedMs)}`)
    console.log(`controller: ${told.join('; ')}`)
  }, 60_000)

  it('is closed by the firmware’s dead man’s switch when the guardian is killed', async () => {
    await using stack = new AsyncDisposableStack()
    const wired = await wire(stack)
    const { chip, guardian, motor } = wired
    await until(() => wired.commander.ask({ kind: 'openRoof' }, 'night').allow, 'leave to open')
    await wired.obey({ kind: 'openRoof' })
    expect(killProcess(guardian)).toBe(true)
    await clock.sleep(300)
    const lastMs = chip.heardMs.at(-1) ?? Number.NaN
    const atMs = clock.monotonic()
    chip.free(hurry)
    await until(() => motor() === 'closing', 'the dead man’s switch', deadManMs + 15_000)
    // By the chip's own time; the last line may be a question, up to one second younger than the last heartbeat.
    const silentMs = (chip.motor.at(-1)?.ms ?? Number.NaN) - lastMs
    expect(silentMs).toBeLessThan(deadManMs + 200)
    expect(silentMs).toBeGreaterThan(deadManMs - 2_000)
    const end = chip.motor.length
    await until(() => chip.motor.length > end && motor() === 'still', 'the end of the way')
    console.log(
      `guardian killed: the firmware closes ${seconds(silentMs)} of its time after the last line (${seconds(clock.monotonic() - atMs)} on the wall)`,
    )
  }, 60_000)
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createSafetyController, type SafetyController } from '../devices/safetyController.ts'
import { createRandom } from '../random.ts'
import { connectSerial } from '../wire/serial.ts'
import { paceChip } from './firmwareBench.ts'
import { playNight } from './night.ts'
import {
  buildHost,
  type FirmwareBuild,
  firmwarePackages,
  missingForFirmware,
  openFirmwareBuild,
  type Simavr,
  startSimavr,
} from './simavr.ts'

const missing = missingForFirmware()
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install ${firmwarePackages})`)

interface Site extends AsyncDisposable {
  readonly chip: Simavr
  readonly clock: VirtualClock
  readonly controller: SafetyController
  pass(ms: number): Promise<void>
}

async function openSite(host: string, elf: string): Promise<Site> {
  const chip = await startSimavr(host, elf)
  chip.tell('ROOF 2000 0')
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 20))
  const controller = createSafetyController(chip.connect, { clock, random: createRandom('site') })
  for (let n = 0; n < 500 && controller.session.name === 'closed wire'; n++) await systemClock.sleep(10)
  return {
    chip,
    clock,
    controller,
    pass: (ms) => paceChip(chip, clock, ms),
    async [Symbol.asyncDispose]() {
      await chip.kill()
      let over = false
      const disposing = controller[Symbol.asyncDispose]().then(() => {
        over = true
      })
      for (let n = 0; n < 50 && !over; n++) await clock.advance(100)
      await disposing
    },
  }
}

describe.skipIf(missing.length > 0)('our client and the firmware, over a serial port', () => {
  let build: FirmwareBuild
  let host: string
  let elf: string
  beforeAll(async () => {
    build = openFirmwareBuild()
    ;[host, elf] = await Promise.all([buildHost(build), build.chip('firmware.elf')])
  })
  afterAll(() => build?.[Symbol.dispose]())

  it('play the night of the tape', async () => {
    await using site = await openSite(host, elf)
    const story = await playNight(site.controller, { pass: site.pass, world: (line) => site.chip.tell(line) })
    expect(story.slice(0, 6)).toEqual([
      'roof closed, safe',
      'open without a heartbeat: the controller has not heard a heartbeat',
      'heartbeat: done',
      'open: done',
      'dew heater: done',
      'settings: done',
    ])
    expect(story.slice(8, 12)).toEqual([
      'roof closing: rain',
      'roof closed',
      'open in rain: the rain sensor is wet',
      'roof unknown: both end switches at once',
    ])
  })

  it('see 30 s of silence end with a closed roof although the state was asked for every second', async () => {
    await using site = await openSite(host, elf)
    await site.pass(3_000)
    void site.controller.safety.heartbeat()
    await site.pass(200)
    const opening = site.controller.roof.open()
    await site.pass(4_000)
    expect(await opening).toEqual({ ok: true })
    await site.pass(24_000)
    expect(site.controller.roof.state().position).toBe('open')
    await site.pass(7_000)
    expect(site.controller.roof.state().position).toBe('closed')
    expect(site.controller.safety.state()).toMatchObject({ safe: false, reasons: ['no heartbeat'] })
  })

  it('are told the cause of a watchdog reset, and greet anew', async () => {
    await using site = await openSite(host, elf)
    await site.pass(3_000)
    expect(site.controller.session.identity?.resetCause).toBe('power')
    site.chip.tell('HANG')
    await site.pass(4_000)
    expect(site.controller.session.identity?.resetCause).toBe('watchdog')
    expect(site.controller.roof.state()).toMatchObject({ position: 'closed', connected: true })
  })

  it('know within 2 s that the controller was unplugged', async () => {
    await using site = await openSite(host, elf)
    await site.pass(3_000)
    expect(site.controller.safety.state().connected).toBe(true)
    await site.chip.kill()
    const pulledMs = site.clock.now()
    // Where a port tells it only at the next write, that is the next look at the state.
    for (let n = 0; n < 40 && site.controller.safety.state().connected; n++) {
      await site.clock.advance(50)
      await systemClock.sleep(5)
    }
    const seconds = (site.clock.now() - pulledMs) / 1000
    console.log(`unplugged: known after ${seconds.toFixed(2)} s`)
    expect(seconds).toBeLessThan(2)
    expect(site.controller.safety.state()).toMatchObject({ safe: false, connected: false })
    expect(site.controller.safety.state().raining).toBeUndefined()
    expect(site.controller.roof.state().position).toBe('unknown')
  })

  it('work in real time, where a heartbeat takes no retry', async () => {
    await using chip = await startSimavr(host, elf)
    chip.free(1)
    const connect = connectSerial({ path: chip.path, baudRate: 38_400 })
    await using controller = createSafetyController(connect, { clock: systemClock, random: createRandom('real time') })
    for (let n = 0; n < 500 && !controller.safety.state().connected; n++) await systemClock.sleep(10)
    const times: number[] = []
    for (let n = 0; n < 10; n++) {
      const startMs = systemClock.monotonic()
      expect(await controller.safety.heartbeat()).toEqual({ ok: true })
      times.push(systemClock.monotonic() - startMs)
    }
    times.sort((a, b) => a - b)
    console.log(`heartbeat in real time: median ${times[5]?.toFixed(1)} ms, longest ${times[9]?.toFixed(1)} ms`)
    expect(times[9]).toBeLessThan(600)
  })

  it('part with clear words when the firmware is of another release', async () => {
    const other = await build.chip('other.elf', ['PROTOCOL_VERSION=2'])
    await using site = await openSite(host, other)
    await site.pass(3_000)
    const reason = 'the controller speaks protocol 2 and Nightjar speaks 1: install the firmware of this release'
    expect(site.controller.safety.state()).toMatchObject({ safe: false, connected: false, reasons: [reason] })
    const opening = site.controller.roof.open()
    await site.pass(500)
    expect(await opening).toEqual({ ok: false, reason })
    expect(site.chip.motor).toEqual([])
  })
})

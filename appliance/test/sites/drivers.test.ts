import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { findNumber } from '@nightjar/firmware-bridge/indi/properties.ts'
import { arePresent } from '@nightjar/firmware-bridge/simulators/realPeers.ts'
import { describe, expect, it } from 'vitest'
import { captureFrame } from '../../src/observatory/capture.ts'
import { defaultRecoveryLimits } from '../../src/observatory/recovery.ts'
import { until } from '../guardian/processes.ts'
import { actionsSince, openSite, type Site, safe, seconds, site, target } from './site.ts'

/** Debian's own drivers: the camera under the daemon, telescope and dome under the guardian. */
const programs = { mount: 'indi_simulator_telescope', camera: 'indi_simulator_ccd', roof: 'indi_simulator_dome' }
const present = arePresent(['indiserver', 'unshare', 'ip', ...Object.values(programs)], 'indi-bin util-linux iproute2')

const devices = {
  mount: { kind: 'driver', driver: programs.mount, device: 'Telescope Simulator' },
  camera: { kind: 'driver', driver: programs.camera, device: 'CCD Simulator' },
  roof: { kind: 'driver', driver: programs.roof, device: 'Dome Simulator' },
} as const

const open = (stack: AsyncDisposableStack): Promise<Site> =>
  openSite(stack, {
    devices,
    inputs: { roof: 'required' },
    // Debian's telescope wakes up unparked, under its dome.
    gate: { roof: { whenRainAndNotParked: { kind: 'never' }, clearsTelescope: true } },
    recovery: {
      ...defaultRecoveryLimits,
      budgets: {
        ...defaultRecoveryLimits.budgets,
        retry: { attempts: 1, settleMs: 3_000 },
        reconnect: { attempts: 1, settleMs: 1_000 },
      },
    },
  })

/** The driver of this site: the guardian's have its folder for a home, the daemon's are our own descendants. */
function driverOf({ folder }: Site, program: string): number {
  const mine = (pid: string): boolean => {
    try {
      if (basename(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!) !== program) return false
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder) || isDescendant(Number(pid))
    } catch {
      return false
    }
  }
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && mine(name))
  expect(found, program).toHaveLength(1)
  return Number(found[0])
}

/** By the parents' numbers, field 4 of proc_pid_stat(5). */
function isDescendant(pid: number): boolean {
  for (let at = pid; at > 1; ) {
    if (at === process.pid) return true
    const stat = readFileSync(`/proc/${at}/stat`, 'latin1')
    at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  }
  return false
}

async function startNight(opened: Site): Promise<void> {
  const { hardware, daemon } = opened
  const { mount, roof, camera } = hardware.devices
  await until(() => mount.state().connected && roof!.state().connected && camera.state().connected, 'the drivers')
  // Its own park position is a slew of 20 s away.
  await hardware.indi.set('Telescope Simulator', 'TELESCOPE_PARK_OPTION', { PARK_CURRENT: true })
  await opened.obey({ kind: 'park' })
  await until(() => daemon.latest()?.mayOpen === true && daemon.latest()?.mountDown === true, 'leave to open')
  await opened.obey({ kind: 'openRoof' })
  await opened.obey({ kind: 'unpark' })
  await safe(opened)
}

describe.skipIf(!present)('a site of drivers on this machine', () => {
  it('takes a frame again after its camera’s driver was killed in mid-exposure', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(stack)
    const { hardware, commander, recovery, store } = opened
    const { camera } = hardware.devices
    const patient = hardware.patients.camera!
    await startNight(opened)
    const over = new AbortController().signal
    const expose = (exposureSeconds: number) =>
      captureFrame(
        { store, clock, camera, timeIsTrue: true, ask: (action) => commander.ask(action, 'night') },
        { type: 'light', exposureSeconds, filter: 'Luminance', nightId: '2026-11-20', field: undefined, facts: {} },
        over,
      )
    // Two: a simulator that has just started draws its noise from the beginning, and no frame may come twice in a row.
    expect(await expose(0.5)).toMatchObject({ ok: true })
    expect(await expose(0.5)).toMatchObject({ ok: true })

    const exposing = expose(5)
    await clock.sleep(1_000)
    const killedMs = clock.monotonic()
    process.kill(driverOf(opened, programs.camera), 'SIGKILL')
    const lost = await exposing
    expect(lost).toMatchObject({ ok: false })
    const seenMs = clock.monotonic() - killedMs
    expect(await recovery.recover(patient, lost.ok ? '' : lost.reason, over)).toEqual({ ok: true })
    const wellMs = clock.monotonic() - killedMs
    const again = await expose(0.5)
    expect(again.ok ? '' : again.reason).toBe('')
    expect(opened.steps()).toEqual(['retry 1: well'])
    console.log(
      `camera driver killed in mid-exposure: seen after ${seconds(seenMs)}, well after ${seconds(wellMs)}, frame taken again after ${seconds(clock.monotonic() - killedMs)}`,
    )
  }, 60_000)

  it('has the driver of its camera restarted when that hangs, and leaves the mount alone', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(stack)
    const { hardware, recovery } = opened
    const { camera, mount } = hardware.devices
    await until(() => camera.state().connected && mount.state().connected, 'the drivers')
    const [hung, mountDriver] = [driverOf(opened, programs.camera), driverOf(opened, programs.mount)]
    const signal = new AbortController().signal
    const hungMs = clock.monotonic()
    process.kill(hung, 'SIGSTOP')
    expect(await recovery.recover(hardware.patients.camera!, 'no frame', signal)).toEqual({ ok: true })
    expect(opened.steps()).toEqual([
      'retry 1: CCD Simulator does not answer: its driver hangs',
      expect.stringMatching(/^reconnect 1: (?!well)/),
      'restartDriver 1: well',
    ])
    console.log(
      `camera driver that hangs: ${opened.steps().join(', ')}; well after ${seconds(clock.monotonic() - hungMs)}`,
    )
    expect(driverOf(opened, programs.camera)).not.toBe(hung)
    expect(driverOf(opened, programs.mount)).toBe(mountDriver)
    expect(await camera.expose({ seconds: 0.2, frameType: 'dark', signal })).toMatchObject({ ok: true })
  }, 60_000)

  it('has its mount back with site, time and tracking after its driver was killed in mid-slew', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(stack)
    const { hardware, recovery, commander } = opened
    const { mount } = hardware.devices
    await startNight(opened)
    const told = (element: string): number =>
      findNumber(hardware.indi.state, 'Telescope Simulator', 'GEOGRAPHIC_COORD', element) ?? Number.NaN
    await opened.obey({ kind: 'track', on: true })
    const slewing = commander.command({ kind: 'slew', ...target() }, 'night')
    await until(() => mount.state().slewing, 'the slew')
    const killedMs = clock.monotonic()
    process.kill(driverOf(opened, programs.mount), 'SIGKILL')
    const lost = await slewing
    expect(lost.ok).toBe(false)
    const seenMs = clock.monotonic() - killedMs
    const patient = hardware.patients.mount!
    expect(await recovery.recover(patient, 'lost in mid-slew', new AbortController().signal)).toEqual({ ok: true })
    await until(() => mount.state().tracking, 'tracking')
    const backMs = clock.monotonic() - killedMs
    expect(told('LAT')).toBeCloseTo(site.latitudeDeg, 2)
    expect(((told('LONG') + 540) % 360) - 180).toBeCloseTo(site.longitudeDeg, 2)
    expect(opened.steps()).toEqual(['retry 1: well'])
    console.log(
      `mount driver killed in mid-slew: seen after ${seconds(seenMs)}, tracking with site and time after ${seconds(backMs)}`,
    )
  }, 60_000)

  it('is parked and closed by the guardian, with the drivers that it runs, when the daemon is killed', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(stack)
    const { mount, roof } = opened.hardware.devices
    await startNight(opened)
    const before = [driverOf(opened, programs.mount), driverOf(opened, programs.roof)]
    const atMs = clock.now()
    opened.daemon.signal('SIGKILL')
    await until(() => mount.state().parked && roof!.state().position === 'closed', 'the closed dome', 25_000)
    const { types, firstMs } = actionsSince(opened, atMs)
    expect(types).toEqual(['park', 'closeRoof'])
    expect(firstMs).toBeLessThan(2_500)
    expect([driverOf(opened, programs.mount), driverOf(opened, programs.roof)]).toEqual(before)
    console.log(
      `Debian's drivers, daemon killed: parks after ${seconds(firstMs)}, closed after ${seconds(clock.now() - atMs)}`,
    )
  }, 60_000)
})

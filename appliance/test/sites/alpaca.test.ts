import { readFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { type Clock, systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import {
  createAlpacaSafetyMonitorSimulator,
  createAlpacaWeatherSimulator,
} from '@nightjar/firmware-bridge/simulators/alpacaAccessories.ts'
import { createAlpacaCameraSimulator } from '@nightjar/firmware-bridge/simulators/alpacaCamera.ts'
import {
  createAlpacaDomeSimulator,
  createAlpacaFilterWheelSimulator,
  createAlpacaFocuserSimulator,
} from '@nightjar/firmware-bridge/simulators/alpacaDevices.ts'
import { createSimulatedAlpacaServer } from '@nightjar/firmware-bridge/simulators/alpacaServer.ts'
import { createAlpacaTelescopeSimulator } from '@nightjar/firmware-bridge/simulators/alpacaTelescope.ts'
import { describe, expect, it } from 'vitest'
import { captureFrame } from '../../src/observatory/capture.ts'
import { closeObservatory } from '../../src/observatory/closeObservatory.ts'
import { startWatchman } from '../../src/observatory/watchman.ts'
import { until } from '../guardian/processes.ts'
import { actionsSince, openSite, type Site, safe, seconds, target } from './site.ts'

/** All that moves in the simulators keeps a time of its own, eight times as fast; the exposures are real. */
const hurried: Clock = { ...clock, monotonic: () => clock.monotonic() * 8 }
const [widthPixels, heightPixels] = [64, 48]

/** A cable that can be cut: connections to the server go through here. */
async function cable(stack: AsyncDisposableStack, port: number) {
  const sockets = new Set<net.Socket>()
  const relay = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1')
    for (const [one, other] of [[near, far] as const, [far, near] as const]) {
      sockets.add(one)
      one.pipe(other)
      one
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(one)
          other.destroy()
        })
    }
  })
  const listen = (at: number): Promise<void> => new Promise((resolve) => void relay.listen(at, '127.0.0.1', resolve))
  await listen(0)
  const { port: own } = relay.address() as net.AddressInfo
  const cut = (): void => {
    relay.close()
    for (const socket of sockets) socket.destroy()
  }
  stack.defer(cut)
  return { port: own, cut, mend: () => listen(own) }
}

async function openAlpacaSite(stack: AsyncDisposableStack) {
  const monitor = createAlpacaSafetyMonitorSimulator()
  const server = createSimulatedAlpacaServer([
    createAlpacaTelescopeSimulator(hurried),
    createAlpacaCameraSimulator({ clock, widthPixels, heightPixels }),
    createAlpacaFocuserSimulator(hurried),
    createAlpacaFilterWheelSimulator(hurried),
    createAlpacaDomeSimulator(hurried).device,
    createAlpacaWeatherSimulator().device,
    monitor.device,
  ])
  const wire = await cable(stack, stack.use(await server.listen()).port)
  const alpaca = { kind: 'alpaca', host: '127.0.0.1', port: wire.port, number: 0 } as const
  const opened = await openSite(stack, {
    devices: {
      mount: alpaca,
      camera: alpaca,
      focuser: alpaca,
      filterWheel: alpaca,
      roof: alpaca,
      safety: alpaca,
      weather: alpaca,
    },
    inputs: { roof: 'required', safety: 'required', weather: 'required', rain: ['weather'] },
  })
  const { daemon } = opened
  await until(() => daemon.latest()?.mayOpen === true && daemon.latest()?.mountDown === true, 'the guardian')
  await safe(opened)
  return { ...opened, wire, monitor, server }
}

/** The values of a FITS header, by the standard's fixed format (FITS 4.0, section 4.1): 80 characters, value from column 11. */
function headerOf(bytes: Buffer): Map<string, string> {
  const cards =
    bytes
      .subarray(0, 2880 * 4)
      .toString('latin1')
      .match(/.{80}/gs) ?? []
  return new Map(cards.map((card) => [card.slice(0, 8).trim(), card.slice(10).split('/')[0]!.trim()]))
}

async function startNight(site: Site): Promise<void> {
  await site.obey({ kind: 'openRoof' })
  await site.obey({ kind: 'unpark' })
  await site.obey({ kind: 'slew', ...target() })
}

describe('a site that speaks nothing but Alpaca', () => {
  it('opens, takes a frame that is right on the disk, parks and closes', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await openAlpacaSite(stack)
    const { hardware, commander, store, gate } = opened
    await startNight(opened)
    await opened.obey({ kind: 'filter', name: 'G' })
    const { positionSteps = 0 } = hardware.devices.focuser!.state()
    await opened.obey({ kind: 'focus', steps: positionSteps + 10 })
    const captured = await captureFrame(
      {
        store,
        clock,
        camera: hardware.devices.camera,
        timeIsTrue: true,
        ask: (action) => commander.ask(action, 'night'),
      },
      {
        type: 'light',
        exposureSeconds: 1,
        filter: 'G',
        nightId: '2026-11-20',
        field: { fieldId: 'F1', ...target() },
        facts: {},
      },
      new AbortController().signal,
    )
    expect(captured).toMatchObject({ ok: true, frame: { width: widthPixels, height: heightPixels } })
    const bytes = readFileSync(join(opened.folder, captured.ok ? captured.frame.path : ''))
    const header = headerOf(bytes)
    expect(bytes.length % 2880).toBe(0)
    expect([header.get('NAXIS1'), header.get('NAXIS2'), header.get('BITPIX'), header.get('BZERO')]).toEqual([
      '64',
      '48',
      '16',
      '32768',
    ])
    expect(Number(header.get('EXPTIME'))).toBe(1)
    expect(header.get('ROWORDER')).toMatch(/TOP-DOWN/)
    // The simulated sensor shows offset + x + 100 y, offset 10: third row, sixth pixel.
    const end = Math.ceil((bytes.toString('latin1').indexOf(`${'END'.padEnd(80)}`) + 80) / 2880) * 2880
    expect(bytes.readInt16BE(end + 2 * (2 * widthPixels + 5)) + 32_768).toBe(10 + 5 + 200)

    const signal = AbortSignal.timeout(25_000)
    const closed = await closeObservatory(
      { commander, clock, limits: () => gate, by: 'night', onAlarm: () => undefined },
      signal,
    )
    expect(closed).toBe(true)
    expect(hardware.devices.mount.state().parked).toBe(true)
    expect(hardware.devices.roof!.state().position).toBe('closed')
  }, 60_000)

  it('loses its server and has it back: every step of the recovery is in the journal', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await openAlpacaSite(stack)
    const { hardware, commander, recovery, store, gate, wire } = opened
    const patients = { mount: hardware.patients.mount!, roof: hardware.patients.roof! }
    const unsafe: string[] = []
    stack.use(
      startWatchman({
        commander,
        recovery,
        patients,
        clock,
        store,
        limits: () => gate,
        onUnsafe: (reasons) => void unsafe.push(...reasons),
      }),
    )
    await until(() => store.events(0, 100).some(({ type }) => type === 'device.connected'), 'the first look')
    const atMs = clock.monotonic()
    wire.cut()
    const types = (): string[] => store.events(0, 1_000).map(({ type }) => type)
    await until(() => types().includes('device.disconnected'), 'the loss', 15_000)
    const lostMs = clock.monotonic() - atMs
    await until(() => opened.steps().length >= 1, 'a step that fails', 15_000)
    expect(opened.steps()[0]).toMatch(/^retry 1: .+ did not come back$/)
    expect(commander.ask({ kind: 'openRoof' }, 'night').allow).toBe(false)
    const mendedMs = clock.monotonic()
    await wire.mend()
    await until(() => types().filter((type) => type === 'device.recovered').length === 2, 'the recovery', 15_000)
    console.log(
      `Alpaca server cut: seen after ${seconds(lostMs)}, back ${seconds(clock.monotonic() - mendedMs)} after its return; ${opened.steps().join(', ')}`,
    )
    await safe(opened)
  }, 60_000)

  it('is parked and closed by its guardian when the daemon is killed, and when the monitor says unsafe', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await openAlpacaSite(stack)
    const { hardware, daemon, monitor } = opened
    const { mount, roof } = hardware.devices
    const isDown = (): boolean => mount.state().parked && roof!.state().position === 'closed'
    await startNight(opened)
    let atMs = clock.now()
    monitor.safe = false
    await until(() => daemon.latest()?.phase === 'down' && isDown(), 'the closed roof', 20_000)
    expect(actionsSince(opened, atMs).types).toEqual(['park', 'closeRoof'])
    monitor.safe = true
    await until(() => daemon.latest()?.mayOpen === true, 'leave to open')
    await until(() => opened.commander.ask({ kind: 'openRoof' }, 'night').allow, 'leave of the gate')
    await startNight(opened)
    atMs = clock.now()
    daemon.signal('SIGKILL')
    await until(isDown, 'the closed roof', 20_000)
    const { types, firstMs } = actionsSince(opened, atMs)
    expect(types).toEqual(['park', 'closeRoof'])
    expect(firstMs).toBeLessThan(2_500)
    console.log(`Alpaca, daemon killed: parks after ${seconds(firstMs)}, closed after ${seconds(clock.now() - atMs)}`)
  }, 60_000)
})

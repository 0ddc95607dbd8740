import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiFocuser } from '../devices/indiFocuser.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCamera } from '../simulators/camera.ts'
import { createSimulatedFocuser } from '../simulators/focuser.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { type ClientEvent, createIndiClient } from './client.ts'
import { type IndiClients, mergeIndiClients } from './clients.ts'
import { createIndiServer, type ServedDevice } from './server.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing[Symbol.asyncDispose]()
})

/** One server per group, and what cuts its wires. */
function start(groups: Readonly<Record<string, readonly ServedDevice[]>>, clock: VirtualClock) {
  const cut = new Map<string, () => Promise<void>>()
  const clients = new Map(
    Object.entries(groups).map(([name, devices]) => {
      const server = createIndiServer(devices)
      opened.push(server)
      const dial = memoryConnect((open) => server.accept(open))
      let last: Wire | undefined
      const connect: Connect = async (handlers) => (last = await dial(handlers))
      cut.set(name, async () => last?.close())
      return [name, createIndiClient(connect, { clock, random: createRandom(name) })]
    }),
  )
  const merged: IndiClients = mergeIndiClients(clients)
  opened.push(merged)
  return { merged, cut }
}

describe('several INDI servers', () => {
  it('are one: devices are found by name, and the loss of one server leaves the others’ work alone', async () => {
    const clock = new VirtualClock(Date.UTC(2026, 10, 21))
    const frame = new Uint8Array(5_760)
    const size = { widthPixels: 64, heightPixels: 48, pixelMicrometres: 3.76 }
    const camera = createSimulatedCamera({ clock, ...size, takeFrame: () => frame })
    const focuser = createSimulatedFocuser({ clock, startSteps: 50_000 })
    const { merged, cut } = start({ focus: [focuser.device], camera: [camera.device] }, clock)
    const events: ClientEvent[] = []
    merged.listen((event) => void events.push(event))
    const ourCamera = createIndiCamera(merged, 'CCD Simulator', { clock })
    const ourFocuser = createIndiFocuser(merged, 'Focuser Simulator')
    await clock.advance(2_000)
    expect(ourCamera.state().connected && ourFocuser.state().connected).toBe(true)
    expect([merged.serverOf('CCD Simulator'), merged.serverOf('Focuser Simulator')]).toEqual(['camera', 'focus'])
    expect([...merged.state.devices.keys()]).toEqual(['Focuser Simulator', 'CCD Simulator'])

    const exposure = ourCamera.expose({ seconds: 60, frameType: 'light' })
    await clock.advance(5_000)
    await cut.get('focus')?.()
    await clock.advance(100)
    expect(ourFocuser.state().connected).toBe(false)
    expect(events).toContainEqual({ type: 'deviceLost', device: 'Focuser Simulator' })
    expect(events).toContainEqual({ type: 'server', name: 'focus', open: false, reason: 'closed' })
    expect(await clock.run(exposure)).toMatchObject({ ok: true })
    expect(ourFocuser.state().connected).toBe(true)

    const lost = ourCamera.expose({ seconds: 60, frameType: 'light' })
    await clock.advance(5_000)
    await cut.get('camera')?.()
    expect(await clock.run(lost)).toEqual({ ok: false, reason: 'CCD Simulator was lost' })
    expect(merged.open).toBe(true)
  })

  it('answer for what is on none of them, and ping as slowly as the slowest', async () => {
    const clock = new VirtualClock(0)
    const focuser = createSimulatedFocuser({ clock, startSteps: 1 })
    const { merged } = start({ a: [], b: [focuser.device] }, clock)
    await clock.advance(100)
    expect(await clock.run(merged.set('Nobody', 'X', { Y: 1 }, { timeoutMs: 500 }))).toEqual({
      ok: false,
      reason: 'Nobody is on no server',
    })
    expect(await clock.run(merged.ping())).toBe(0)
    merged.want('Focuser Simulator', 'SIMULATION', { ENABLE: true })
    expect(merged.wanted('Focuser Simulator', 'SIMULATION')).toEqual({ ENABLE: true })
    const moved = merged.set('Focuser Simulator', 'CONNECTION', { CONNECT: true })
    expect(await clock.run(moved)).toEqual({ ok: true })
  })
})

import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { createSimulatedSite, type SimulatedSite } from '@nightjar/firmware-bridge/simulators/observatory.ts'
import { memoryConnect } from '@nightjar/firmware-bridge/wire/memory.ts'
import type { DevicesSettings } from '../../contract/deviceSettings.ts'
import type { JournalEvent } from '../../contract/events.ts'
import { type GateSettings, simulatedGateSettings } from '../../contract/gateSettings.ts'
import { FitsHeader } from '../../frames/fits/header.ts'
import { encodeFits } from '../../frames/fits/write.ts'
import { openStore } from '../../store/openStore.ts'
import { temporaryFolder } from '../../store/testing/samples.ts'
import { type Commander, createCommander } from '../commander.ts'
import { type OpenHardware, openHardware } from '../openHardware.ts'

/** A dark evening over central Europe. */
export const eveningMs = Date.UTC(2026, 10, 21, 20, 0, 0)
export const testSite = { name: 'Test', latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 200 }

const sidePixels = 8

/** No two are alike. */
function noiseFrame(random: Random): Uint8Array {
  const data = Uint16Array.from({ length: sidePixels ** 2 }, () => 300 + random.next() * 1000)
  return encodeFits([{ header: FitsHeader.from({}), data: { width: sidePixels, height: sidePixels, data } }])
}

const names = {
  mount: 'Telescope Simulator',
  camera: 'CCD Simulator',
  focuser: 'Focuser Simulator',
  roof: 'RollOff Simulator',
  weather: 'Weather Simulator',
} as const

/** A field that stands high in the evening. */
export const highField = { raDeg: 15, decDeg: 45 }

export interface TestSite extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly truth: SimulatedSite
  readonly hardware: OpenHardware
  readonly commander: Commander
  readonly limits: GateSettings
  events(): JournalEvent[]
  readonly store: ReturnType<typeof openStore>
}

/** A whole simulated site in this process, its devices connected, on a virtual clock. `change` the limits. */
export async function openTestSite(change: Partial<GateSettings> = {}): Promise<TestSite> {
  const stack = new AsyncDisposableStack()
  const clock = new VirtualClock(eveningMs)
  const random = createRandom('test site')
  const noise = random.fork('noise')
  const truth = createSimulatedSite({
    clock,
    random,
    site: testSite,
    mount: { slewDegPerSecond: 6 },
    roof: { style: 'rollOff', openSeconds: 12, motorTimeoutSeconds: 30 },
    camera: {
      widthPixels: sidePixels,
      heightPixels: sidePixels,
      pixelMicrometres: 5,
      filters: ['L'],
      takeFrame: () => noiseFrame(noise),
    },
  })
  const devices = [truth.mount, truth.camera, truth.focuser, truth.roof, truth.weather].map(({ device }) => device)
  const server = stack.use(createIndiServer(devices))
  const stopping = new AbortController()
  const running = truth.run(stopping.signal)
  stack.defer(async () => {
    stopping.abort()
    await running
  })
  const hardware = stack.use(
    await openHardware({
      devices: Object.fromEntries(
        Object.keys(names).map((kind) => [kind, { kind: 'simulated' }]),
      ) as unknown as DevicesSettings,
      site: testSite,
      clock,
      random: random.fork('hardware'),
      arcsecPerPixel: 2,
      simulated: { connect: memoryConnect((open) => server.accept(open), 'test site'), names },
    }),
  )
  const folder = stack.use(temporaryFolder())
  const store = stack.use(openStore(folder.path))
  const limits: GateSettings = {
    ...simulatedGateSettings,
    inputs: { ...simulatedGateSettings.inputs, roof: 'required', weather: 'required', rain: ['rain'] },
    ...change,
  }
  const commander = createCommander({
    store,
    clock,
    site: testSite,
    devices: hardware.devices,
    limits: () => limits,
    diskFreeBytes: () => 1e12,
  })
  await clock.advance(15_000)
  return {
    clock,
    truth,
    hardware,
    commander,
    limits,
    store,
    events: () => store.events(0, 100_000),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

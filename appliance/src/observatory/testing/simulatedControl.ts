import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import { done, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { createSimulatedSite, type SimulatedSite } from '@nightjar/firmware-bridge/simulators/observatory.ts'
import { memoryConnect } from '@nightjar/firmware-bridge/wire/memory.ts'
import type { NightPhase } from '../../contract/api.ts'
import type { DeviceKind, DevicesSettings } from '../../contract/deviceSettings.ts'
import { type GateSettings, simulatedGateSettings } from '../../contract/gateSettings.ts'
import type { Store } from '../../store/store.ts'
import { type Commander, createCommander } from '../commander.ts'
import { createControl, type ObservatoryControl } from '../control.ts'
import type { NightToEnd } from '../controlPanic.ts'
import { type OpenHardware, openHardware } from '../openHardware.ts'
import { createRecovery, type Recovery } from '../recovery.ts'

/** Where the night of `testNightMs` is deep. */
const site = { name: 'Kielder Ridge', latitudeDeg: 37.2, longitudeDeg: -3.4, elevationMetres: 900 }

const limits: GateSettings = {
  ...simulatedGateSettings,
  inputs: { ...simulatedGateSettings.inputs, roof: 'required', weather: 'required', rain: ['rain'] },
}

/** The control of an observatory whose every device is a simulator that speaks INDI over memory. */
export interface SimulatedControl extends AsyncDisposable {
  readonly control: ObservatoryControl
  readonly commander: Commander
  readonly recovery: Recovery
  readonly hardware: Pick<OpenHardware, 'indi' | 'patients'>
  /** The truth, and handles for faults. */
  readonly parts: SimulatedSite
}

/** A night that never runs. */
const noNight: NightToEnd = {
  phase: 'closed' satisfies NightPhase,
  stop: async (): Promise<Outcome> => done,
}

/** Opens it all and waits until mount, camera and roof answer. */
export async function openSimulatedControl(
  store: Store,
  clock: Clock,
  night: NightToEnd = noNight,
): Promise<SimulatedControl> {
  await using stack = new AsyncDisposableStack()
  const random = createRandom(7)
  const parts = createSimulatedSite({
    clock,
    random,
    site,
    mount: { slewDegPerSecond: 20, settleMs: 200 },
    roof: { style: 'rollOff', openSeconds: 4 },
    camera: { widthPixels: 16, heightPixels: 16, pixelMicrometres: 3.76, takeFrame: () => new Uint8Array(2880) },
  })
  const stop = new AbortController()
  const running = parts.run(stop.signal)
  stack.defer(async () => {
    stop.abort()
    await running
  })
  const server = stack.use(createIndiServer(parts.devices))
  const names: Partial<Record<DeviceKind, string>> = Object.fromEntries(
    served.map((kind) => [kind, parts[kind].device.name]),
  )
  const hardware = stack.use(
    await openHardware({
      devices: Object.fromEntries(served.map((kind) => [kind, { kind: 'simulated' }])) as unknown as DevicesSettings,
      site,
      clock,
      random,
      arcsecPerPixel: 1.94,
      simulated: { connect: memoryConnect((open) => server.accept(open), 'simulated observatory'), names },
    }),
  )
  const { devices, patients, indi, indiNames, taps } = hardware
  const commander = createCommander({ store, clock, site, devices, limits: () => limits, diskFreeBytes: () => 412e9 })
  const recovery = createRecovery({ clock, tell: () => undefined })
  const control = stack.use(
    createControl({
      commander,
      recovery,
      patients,
      site,
      clock,
      store,
      limits: () => limits,
      night,
      indi,
      indiNames,
      taps,
    }),
  )
  const all = Object.values(devices).filter((device) => device !== undefined)
  while (!all.every((device) => device.state().connected)) await clock.sleep(50)
  const moved = stack.move()
  return {
    control,
    commander,
    recovery,
    hardware: { indi, patients },
    parts,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

const served = [
  'mount',
  'camera',
  'focuser',
  'filterWheel',
  'rotator',
  'roof',
  'cover',
  'flatPanel',
  'weather',
  'skyQuality',
  'power',
  'gps',
] as const satisfies readonly (DeviceKind & keyof SimulatedSite)[]

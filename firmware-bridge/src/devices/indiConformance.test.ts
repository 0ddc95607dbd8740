import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiClient, type IndiClient } from '../indi/client.ts'
import { createIndiServer, type ServedDevice } from '../indi/server.ts'
import { createRandom } from '../random.ts'
import { createSimulatedCover } from '../simulators/cover.ts'
import { createSimulatedSite, type SimulatedSite } from '../simulators/observatory.ts'
import { createSimulatedRoof } from '../simulators/roof.ts'
import { memoryConnect } from '../wire/memory.ts'
import { type ConformanceReport, type ConformanceSettings, conform, type DeviceOfKind } from './conformance.ts'
import type { DriverCard } from './device.ts'
import { createIndiCamera, indiCameraCard } from './indiCamera.ts'
import { createIndiCover, indiCoverCard } from './indiCover.ts'
import { deviceKindsOf, discoverDevices } from './indiDiscovery.ts'
import { createIndiFilterWheel, indiFilterWheelCard } from './indiFilterWheel.ts'
import { createIndiFlatPanel, indiFlatPanelCard } from './indiFlatPanel.ts'
import { createIndiFocuser, indiFocuserCard } from './indiFocuser.ts'
import { createIndiGps, indiGpsCard } from './indiGps.ts'
import { createIndiGuider, indiGuiderCard } from './indiGuider.ts'
import { createIndiMount, indiMountCard } from './indiMount.ts'
import { createIndiPower, indiPowerCard } from './indiPower.ts'
import { createIndiRoof, indiRoofCard } from './indiRoof.ts'
import { createIndiRotator, indiRotatorCard } from './indiRotator.ts'
import { createIndiSafety, indiSafetyCard } from './indiSafety.ts'
import { createIndiSkyQuality, indiSkyQualityCard } from './indiSkyQuality.ts'
import { createIndiWeather, indiWeatherCard } from './indiWeather.ts'
import { type Kind, kinds } from './kinds.ts'
import { driverCards } from './matrix.ts'

const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
const startMs = Date.UTC(2026, 10, 21, 20)
let stop = new AbortController()
let client: IndiClient | undefined
afterEach(async () => {
  stop.abort()
  await client?.[Symbol.asyncDispose]()
})

interface Bench {
  readonly clock: VirtualClock
  readonly site: SimulatedSite
  readonly client: IndiClient
}

/** A whole simulated site behind a memory wire, with a client that has heard of everything. */
async function bench(extra: (clock: VirtualClock) => readonly ServedDevice[] = () => []): Promise<Bench> {
  const clock = new VirtualClock(startMs)
  const simulated = createSimulatedSite({
    clock,
    random: createRandom(3),
    site,
    mount: { horizonLimitDeg: 0 },
    camera: {
      widthPixels: 64,
      heightPixels: 48,
      pixelMicrometres: 3.76,
      takeFrame: () => Uint8Array.of(1, 2, 3),
      takeVideoFrame: () => ({ format: '.stream', bytes: new Uint8Array(64 * 48) }),
    },
  })
  stop = new AbortController()
  void simulated.run(stop.signal).catch(() => undefined)
  const server = createIndiServer([...simulated.devices, ...extra(clock)])
  client = createIndiClient(memoryConnect(server.accept), { clock, random: createRandom(1) })
  await clock.advance(1_000)
  return { clock, site: simulated, client }
}

async function drive<K extends Kind>(
  at: Bench,
  device: DeviceOfKind[K],
  card: DriverCard<K>,
  settings?: ConformanceSettings,
): Promise<ConformanceReport<K>> {
  return at.clock.run(conform(device, card, at.clock, settings))
}

/** South of this site nothing rises that is nearer to the south pole than 42.5°. */
const refusedPlace = { raDeg: 100, decDeg: -80 }

/** Every driver of the INDI room against its simulators. */
const runs: Readonly<Record<string, (at: Bench) => Promise<ConformanceReport>>> = {
  mount: (at) =>
    drive(at, createIndiMount(at.client, 'Telescope Simulator', { clock: at.clock, site }), indiMountCard, {
      refusedPlace,
    }),
  camera: (at) => drive(at, createIndiCamera(at.client, 'CCD Simulator', { clock: at.clock }), indiCameraCard),
  focuser: (at) => drive(at, createIndiFocuser(at.client, 'Focuser Simulator'), indiFocuserCard),
  filterWheel: (at) => drive(at, createIndiFilterWheel(at.client, 'Filter Simulator'), indiFilterWheelCard),
  rotator: (at) => drive(at, createIndiRotator(at.client, 'Rotator Simulator'), indiRotatorCard),
  dome: (at) => drive(at, createIndiRoof(at.client, 'Dome Simulator', { clock: at.clock }), indiRoofCard),
  'roll-off roof': (at) => drive(at, createIndiRoof(at.client, 'RollOff Simulator', { clock: at.clock }), indiRoofCard),
  cover: (at) => drive(at, createIndiCover(at.client, 'Dust Cover Simulator'), indiCoverCard),
  'flat panel': (at) => drive(at, createIndiFlatPanel(at.client, 'Light Panel Simulator'), indiFlatPanelCard),
  'light in a cover': (at) => drive(at, createIndiFlatPanel(at.client, 'Flip Flat'), indiFlatPanelCard),
  weather: (at) => drive(at, createIndiWeather(at.client, 'Weather Simulator'), indiWeatherCard),
  'sky quality': (at) => drive(at, createIndiSkyQuality(at.client, 'SQM Simulator'), indiSkyQualityCard),
  power: (at) => drive(at, createIndiPower(at.client, 'Power Simulator'), indiPowerCard),
  gps: (at) => drive(at, createIndiGps(at.client, 'GPS Simulator'), indiGpsCard),
  'safety lights': (at) =>
    drive(at, createIndiSafety(at.client, 'Weather Simulator', { clock: at.clock }), indiSafetyCard),
  watchdog: (at) => drive(at, createIndiSafety(at.client, 'WatchDog', { clock: at.clock }), indiSafetyCard),
  'guide port': (at) => {
    const options = { clock: at.clock, random: createRandom(5), arcsecPerPixel: 1.5 }
    return drive(at, createIndiGuider(at.client, 'Telescope Simulator', options), indiGuiderCard)
  },
}
const extras = (clock: VirtualClock): readonly ServedDevice[] => [
  createSimulatedRoof({ clock, style: 'rollOff' }).device,
  createSimulatedCover({ clock, name: 'Flip Flat', light: true }).device,
]

describe('every INDI driver against our simulators', () => {
  const exercised = new Map<Kind, Set<string>>()
  for (const [name, run] of Object.entries(runs)) {
    it(`drives a full cycle of a ${name}`, async () => {
      const report = await run(await bench(extras))
      expect(report.problems).toEqual([])
      expect(report.exercised.length).toBeGreaterThan(0)
      const known = exercised.get(report.kind) ?? new Set()
      exercised.set(report.kind, known)
      for (const capability of report.exercised) known.add(capability)
    })
  }

  it('has exercised every capability that a card claims', async () => {
    const cards = (await driverCards()).filter(({ protocol }) => protocol === 'INDI')
    expect(cards.length).toBeGreaterThan(0)
    const claimed = cards.map(({ kind, can }) => [kind, [...can].sort()])
    const driven = cards.map(({ kind }) => [kind, [...(exercised.get(kind) ?? [])].sort()])
    expect(driven).toEqual(claimed)
  })
})

describe('a device on an INDI server', () => {
  it('is known by its interface bits, as the survey of Debian’s drivers saw them', () => {
    expect([22, 5, 8, 16, 32, 64, 128, 4096, 33_792, 0].map(deviceKindsOf)).toEqual([
      ['camera', 'filterWheel', 'guider'],
      ['mount', 'guider'],
      ['focuser'],
      ['filterWheel'],
      ['roof'],
      ['gps'],
      ['weather', 'safety'],
      ['rotator'],
      ['flatPanel'],
      [],
    ])
  })

  it('is found with its driver, and by its properties where it says no bit', async () => {
    const at = await bench()
    createIndiSkyQuality(at.client, 'SQM Simulator')
    await at.clock.advance(1_000)
    const found = new Map(discoverDevices(at.client).map((one) => [one.device, one]))
    expect(found.size).toBe(at.site.devices.length)
    expect(found.get('Power Simulator')?.kinds).toEqual(['power'])
    expect(found.get('SQM Simulator')?.kinds).toEqual(['skyQuality'])
    expect(found.get('CCD Simulator')).toMatchObject({ driver: 'indi_simulator_ccd', version: '1.0' })
    expect(Object.keys(kinds)).toEqual(expect.arrayContaining([...found.values()].flatMap((one) => one.kinds)))
  })
})

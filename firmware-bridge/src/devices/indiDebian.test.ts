import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createIndiClient, type IndiClient } from '../indi/client.ts'
import { startIndiserver } from '../indi/indiserver.ts'
import { findNumber, findProperty } from '../indi/properties.ts'
import { describeProperty } from '../indi/standard.ts'
import { createRandom } from '../random.ts'
import { arePresent, until } from '../simulators/realPeers.ts'
import { type ConformanceReport, conform } from './conformance.ts'
import { createIndiCamera, indiCameraCard } from './indiCamera.ts'
import { createIndiCover, indiCoverCard } from './indiCover.ts'
import { discoverDevices } from './indiDiscovery.ts'
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

/** Debian's simulators, all but one of indi-bin 1.9.9, its watchdog and roll-off roof, and drivers that can simulate. */
const drivers = [
  ...['telescope', 'ccd', 'guide', 'focus', 'wheel', 'rotator', 'dome', 'weather', 'lightpanel', 'receiver', 'sqm'].map(
    (one) => `indi_simulator_${one}`,
  ),
  'indi_rolloff_dome',
  'indi_watchdog',
  'indi_pegasus_upb',
  'indi_snapcap',
]
/** A mount takes the site of any GPS on its server, so the GPS has a server of its own, with a mount to see that. */
const gpsDrivers = ['indi_simulator_gps', 'indi_simulator_telescope']
const present = arePresent(['indiserver', 'unshare', 'ip', ...drivers, ...gpsDrivers], 'indi-bin util-linux iproute2')
const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }

describe.skipIf(!present)('every INDI driver against Debian’s simulators', () => {
  const stack = new AsyncDisposableStack()
  const reports = new Map<string, ConformanceReport>()
  const rollOff: unknown[] = []
  let client: IndiClient
  let gpsClient: IndiClient

  /** What makes the simulators small and near. */
  async function prepare(): Promise<void> {
    await client.connectDevice('CCD Simulator')
    await client.set('CCD Simulator', 'SIMULATOR_SETTINGS', { SIM_XRES: 512, SIM_YRES: 512 })
    for (const name of ['Pegasus UPB', 'SnapCap']) await client.set(name, 'SIMULATION', { ENABLE: true })
  }

  /** It starts at the pole, where a degree in declination may be half a turn of the other axis. */
  async function driveMount(): Promise<ConformanceReport> {
    const mount = createIndiMount(client, 'Telescope Simulator', { clock, site })
    await until('the mount is there', () => mount.state().connected && mount.can().size > 0)
    expect(await mount.slew(mount.state().raDeg, 40, 60_000)).toEqual({ ok: true })
    const option = { PARK_CURRENT: true }
    await client.set('Telescope Simulator', 'TELESCOPE_PARK_OPTION', option, { judge: () => 'done' })
    return conform(mount, indiMountCard, clock)
  }

  /** Its motor takes 10 s each way, so it is driven once. */
  async function driveRollOff(): Promise<void> {
    const roof = createIndiRoof(client, 'RollOff Simulator', { clock })
    await until('the roof is there', () => roof.state().connected && roof.can().size > 0)
    rollOff.push(roof.state().position, await roof.open())
    rollOff.push(await roof.close(), roof.state().position)
    const opening = roof.open()
    await until('it opens', () => roof.state().position === 'opening')
    rollOff.push(await roof.abort(), await opening, roof.state().position)
  }

  /** All at once, because each takes its time. */
  async function driveAll(): Promise<void> {
    const guide = { clock, random: createRandom(2), arcsecPerPixel: 1 }
    const running: Readonly<Record<string, Promise<ConformanceReport>>> = {
      mount: driveMount(),
      camera: conform(createIndiCamera(client, 'CCD Simulator', { clock }), indiCameraCard, clock),
      'guide camera': conform(createIndiCamera(client, 'Guide Simulator', { clock }), indiCameraCard, clock),
      'guide port': conform(createIndiGuider(client, 'CCD Simulator', guide), indiGuiderCard, clock),
      focuser: conform(createIndiFocuser(client, 'Focuser Simulator'), indiFocuserCard, clock),
      wheel: conform(createIndiFilterWheel(client, 'Filter Simulator'), indiFilterWheelCard, clock),
      rotator: conform(createIndiRotator(client, 'Rotator Simulator'), indiRotatorCard, clock),
      dome: conform(createIndiRoof(client, 'Dome Simulator', { clock }), indiRoofCard, clock),
      panel: conform(createIndiFlatPanel(client, 'Light Panel Simulator'), indiFlatPanelCard, clock),
      weather: conform(createIndiWeather(client, 'Weather Simulator', { updateSeconds: 5 }), indiWeatherCard, clock),
      safety: conform(createIndiSafety(client, 'Weather Simulator', { clock }), indiSafetyCard, clock),
      watchdog: conform(createIndiSafety(client, 'WatchDog', { clock }), indiSafetyCard, clock),
      'sky quality': conform(createIndiSkyQuality(client, 'SQM Simulator'), indiSkyQualityCard, clock),
      gps: conform(createIndiGps(gpsClient, 'GPS Simulator'), indiGpsCard, clock),
      cover: conform(createIndiCover(client, 'SnapCap'), indiCoverCard, clock),
      'light in a cover': conform(createIndiFlatPanel(client, 'SnapCap'), indiFlatPanelCard, clock),
      'power box': conform(createIndiPower(client, 'Pegasus UPB'), indiPowerCard, clock),
      'sensors of a power box': conform(createIndiWeather(client, 'Pegasus UPB'), indiWeatherCard, clock),
    }
    const roof = driveRollOff()
    for (const [name, report] of Object.entries(running)) reports.set(name, await report)
    await roof
  }

  beforeAll(async () => {
    const open = async (names: readonly string[]): Promise<IndiClient> => {
      const server = stack.use(await startIndiserver({ drivers: names, clock }))
      const opened = stack.use(createIndiClient(server.connect, { clock, random: createRandom(1) }))
      await until('every device is there', () => opened.state.devices.size >= names.length)
      return opened
    }
    client = await open(drivers)
    gpsClient = await open(gpsDrivers)
    await prepare()
    await driveAll()
  })
  afterAll(() => stack.disposeAsync())

  const exercised: Readonly<Record<string, readonly string[]>> = {
    mount: ['slew', 'sync', 'track', 'trackRate', 'park', 'guide', 'move', 'pierSide', 'abort'],
    camera: ['expose', 'abort', 'gain', 'offset', 'binning', 'roi', 'cooling', 'filter', 'preview'],
    'guide camera': ['expose', 'abort', 'gain', 'binning', 'roi', 'preview'],
    'guide port': ['dither', 'stop'],
    focuser: ['moveTo', 'temperature'],
    wheel: ['select', 'names'],
    dome: ['open', 'close', 'abort', 'azimuth'],
    panel: ['light', 'brightness'],
    weather: ['temperature', 'wind', 'rain', 'verdict'],
    safety: ['verdict', 'rain'],
    watchdog: ['heartbeat'],
    'sky quality': ['brightness', 'temperature'],
    gps: ['position', 'time'],
    cover: ['open', 'close'],
    'light in a cover': ['light', 'brightness'],
    'sensors of a power box': ['temperature', 'humidity', 'verdict'],
  }
  for (const [name, capabilities] of Object.entries(exercised)) {
    it(`drives a full cycle of the ${name}`, () => {
      expect(reports.get(name)?.problems).toEqual([])
      expect(reports.get(name)?.exercised).toEqual(capabilities)
    })
  }

  it('does not believe a roll-off roof that remembers where it stands, until it has moved', () => {
    expect(rollOff).toEqual([
      'unknown',
      {
        ok: false,
        reason: 'RollOff Simulator only remembers that it is open: it has no end switches and did not move',
      },
      { ok: true },
      'closed',
      { ok: true },
      { ok: false, reason: 'aborted: the motion was aborted' },
      'unknown',
    ])
  })

  it('drives the rotator, and notices that it says Ok to a sync and keeps its angle', () => {
    expect(reports.get('rotator')).toMatchObject({
      exercised: ['rotateTo', 'sync', 'reverse', 'abort'],
      problems: ['sync: Rotator Simulator kept its angle'],
    })
  })

  it('switches the ports of a power box, and is told that its simulation takes no duty of dew heaters', () => {
    const report = reports.get('power box')
    expect(report?.exercised).toEqual(['switch', 'dewHeater', 'volts', 'amps'])
    expect(report?.problems.filter((one) => !/Dew [ABC]/.test(one))).toEqual([])
  })

  it('takes the mount back to our site when a GPS on the same server is elsewhere', async () => {
    createIndiMount(gpsClient, 'Telescope Simulator', { clock, site })
    const longitudes: (number | undefined)[] = []
    const longitude = (): number | undefined =>
      findNumber(gpsClient.state, 'Telescope Simulator', 'GEOGRAPHIC_COORD', 'LONG')
    gpsClient.listen((event) => {
      if (event.type === 'updated' && event.name === 'GEOGRAPHIC_COORD') longitudes.push(longitude())
    })
    await until('our site is taken', () => longitude() === site.longitudeDeg)
    await clock.sleep(1_100)
    await gpsClient.set('GPS Simulator', 'GPS_REFRESH', { REFRESH: true }, { judge: () => 'done' })
    await until('the GPS’s place is taken', () => longitudes.some((one) => Math.abs((one ?? 0) - 357.7) < 0.001))
    await until('our site is taken again', () => longitude() === site.longitudeDeg)
  })

  it('finds every device with its kinds', () => {
    const found = Object.fromEntries(discoverDevices(client).map(({ device, kinds }) => [device, kinds]))
    expect(found).toEqual({
      'CCD Simulator': ['camera', 'filterWheel', 'guider'],
      'Dome Simulator': ['roof'],
      'Filter Simulator': ['filterWheel'],
      'Focuser Simulator': ['focuser'],
      'Guide Simulator': ['camera', 'guider'],
      'Light Panel Simulator': ['flatPanel'],
      'Pegasus UPB': ['focuser', 'weather', 'power', 'safety'],
      'Receiver Simulator': [],
      'RollOff Simulator': ['roof'],
      'Rotator Simulator': ['rotator'],
      'SQM Simulator': ['skyQuality'],
      SnapCap: ['cover', 'flatPanel'],
      'Telescope Simulator': ['mount', 'guider'],
      WatchDog: ['safety'],
      'Weather Simulator': ['weather', 'safety'],
    })
  })

  it('is told of rain by the weather and by its safety lights', async () => {
    const weather = createIndiWeather(client, 'Weather Simulator')
    const safety = createIndiSafety(client, 'Weather Simulator', { clock })
    await client.set('Weather Simulator', 'WEATHER_CONTROL', { Precip: 5 })
    await client.set('Weather Simulator', 'WEATHER_REFRESH', { REFRESH: true }, { judge: () => 'done' })
    await until('danger', () => weather.state().verdict === 'danger')
    expect(weather.state()).toMatchObject({ raining: true, rainMillimetresPerHour: 5 })
    expect(safety.state()).toMatchObject({ safe: false, raining: true })
    expect(safety.state().reasons).toHaveLength(1)
  })

  it('shows a radio receiver, which is no kind of ours, with labels and units', async () => {
    expect(await client.connectDevice('Receiver Simulator')).toEqual({ ok: true })
    const property = await client.waitFor(
      (state) => findProperty(state, 'Receiver Simulator', 'RECEIVER_SETTINGS'),
      5_000,
    )
    const described = property && describeProperty(property)
    expect(described?.elements.find(({ name }) => name === 'RECEIVER_FREQUENCY')).toMatchObject({ unit: 'Hz' })
    expect(described?.kinds).toEqual(['aux'])
    expect(
      await client.set('Receiver Simulator', 'SENSOR_INTEGRATION', { SENSOR_INTEGRATION_VALUE: 0.2 }),
    ).toMatchObject({ ok: expect.any(Boolean) as boolean })
  })
})

/**
 * Records tapes from Debian's indiserver, one for each class of device: the drivers are the real programs, each session
 * a short cycle. Run by hand: `node recordSimulators.ts FOLDER [NAME …]` writes `FOLDER/indi-NAME-1.9.9.jsonl`.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clock, systemClock as clock } from '../clock.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiCover } from '../devices/indiCover.ts'
import { createIndiFilterWheel } from '../devices/indiFilterWheel.ts'
import { createIndiFlatPanel } from '../devices/indiFlatPanel.ts'
import { createIndiFocuser } from '../devices/indiFocuser.ts'
import { createIndiGps } from '../devices/indiGps.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import { createIndiPower } from '../devices/indiPower.ts'
import { createIndiRoof } from '../devices/indiRoof.ts'
import { createIndiRotator } from '../devices/indiRotator.ts'
import { createIndiSafety } from '../devices/indiSafety.ts'
import { createIndiSkyQuality } from '../devices/indiSkyQuality.ts'
import { createIndiWeather } from '../devices/indiWeather.ts'
import { createRandom } from '../random.ts'
import { recordTape } from '../wire/tape.ts'
import { createIndiClient, type IndiClient, type SetOptions } from './client.ts'
import { startIndiserver } from './indiserver.ts'

interface Session {
  readonly drivers: readonly string[]
  drive(client: IndiClient): Promise<unknown>
}

const version = '1.9.9'
const quiet: SetOptions = { judge: () => 'done' }

async function connected(device: { state(): { readonly connected: boolean } }, client: IndiClient): Promise<void> {
  await client.waitFor(() => device.state().connected || undefined, 10_000)
  // Drivers tell the rest of their properties after the first.
  await clock.sleep(300)
}

async function simulate(client: IndiClient, name: string): Promise<void> {
  await client.waitFor((state) => state.devices.get(name)?.get('SIMULATION'), 10_000)
  await client.set(name, 'SIMULATION', { ENABLE: true })
}

const sessions: Readonly<Record<string, Session>> = {
  simulators: {
    drivers: ['indi_simulator_telescope', 'indi_simulator_ccd'],
    async drive(client) {
      const camera = createIndiCamera(client, 'CCD Simulator', { clock })
      const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
      const mount = createIndiMount(client, 'Telescope Simulator', { clock, site })
      await Promise.all([connected(camera, client), connected(mount, client)])
      await client.set('CCD Simulator', 'SIMULATOR_SETTINGS', { SIM_XRES: 512, SIM_YRES: 512 })
      await client.waitFor(() => camera.state().widthPixels === 512 || undefined, 10_000)
      await camera.setRoi({ x: 0, y: 0, widthPixels: 64, heightPixels: 64 })
      const frame = await camera.expose({ seconds: 1, frameType: 'light' })
      return [frame.ok, await mount.slew((mount.state().raDeg + 2) % 360, 88, 60_000)]
    },
  },
  'guide-camera': {
    drivers: ['indi_simulator_guide'],
    async drive(client) {
      const camera = createIndiCamera(client, 'Guide Simulator', { clock })
      await connected(camera, client)
      await client.set('Guide Simulator', 'SIMULATOR_SETTINGS', { SIM_XRES: 96, SIM_YRES: 64 })
      await client.waitFor(() => camera.state().widthPixels === 96 || undefined, 5_000)
      return camera.expose({ seconds: 0.2, frameType: 'light' })
    },
  },
  focuser: {
    drivers: ['indi_simulator_focus'],
    async drive(client) {
      const focuser = createIndiFocuser(client, 'Focuser Simulator')
      await connected(focuser, client)
      return focuser.moveTo(51_000)
    },
  },
  'filter-wheel': {
    drivers: ['indi_simulator_wheel'],
    async drive(client) {
      const wheel = createIndiFilterWheel(client, 'Filter Simulator')
      await connected(wheel, client)
      return wheel.select('H_Alpha')
    },
  },
  rotator: {
    drivers: ['indi_simulator_rotator'],
    async drive(client) {
      const rotator = createIndiRotator(client, 'Rotator Simulator')
      await connected(rotator, client)
      return [await rotator.rotateTo(25), await rotator.sync(90)]
    },
  },
  dome: {
    drivers: ['indi_simulator_dome'],
    async drive(client) {
      const roof = createIndiRoof(client, 'Dome Simulator', { clock })
      await connected(roof, client)
      return [await roof.open(), await roof.turnTo(20), await roof.close()]
    },
  },
  'roll-off-roof': {
    drivers: ['indi_rolloff_dome'],
    async drive(client) {
      const roof = createIndiRoof(client, 'RollOff Simulator', { clock })
      await connected(roof, client)
      return [await roof.open(), await roof.close(), await roof.open(), await roof.close()]
    },
  },
  weather: {
    drivers: ['indi_simulator_weather'],
    async drive(client) {
      const weather = createIndiWeather(client, 'Weather Simulator')
      await connected(weather, client)
      await client.set('Weather Simulator', 'WEATHER_CONTROL', { Precip: 5, Wind: 10 })
      await client.set('Weather Simulator', 'WEATHER_REFRESH', { REFRESH: true }, quiet)
      return client.waitFor(() => weather.state().verdict === 'danger' || undefined, 5_000)
    },
  },
  gps: {
    drivers: ['indi_simulator_gps'],
    async drive(client) {
      const gps = createIndiGps(client, 'GPS Simulator')
      await connected(gps, client)
      await client.set('GPS Simulator', 'GPS_REFRESH', { REFRESH: true }, quiet)
      return client.waitFor(() => gps.state().utcMs, 5_000)
    },
  },
  'light-panel': {
    drivers: ['indi_simulator_lightpanel'],
    async drive(client) {
      const panel = createIndiFlatPanel(client, 'Light Panel Simulator')
      await connected(panel, client)
      return [await panel.light(true), await panel.setBrightness(120)]
    },
  },
  'sky-quality': {
    drivers: ['indi_simulator_sqm'],
    async drive(client) {
      await connected(createIndiSkyQuality(client, 'SQM Simulator'), client)
    },
  },
  receiver: {
    drivers: ['indi_simulator_receiver'],
    async drive(client) {
      await client.connectDevice('Receiver Simulator')
      return client.set('Receiver Simulator', 'RECEIVER_SETTINGS', { RECEIVER_GAIN: 12 })
    },
  },
  watchdog: {
    drivers: ['indi_watchdog'],
    async drive(client) {
      const safety = createIndiSafety(client, 'WatchDog', { clock, heartbeatSeconds: 60 })
      await connected(safety, client)
      return safety.heartbeat()
    },
  },
  'snap-cap': {
    drivers: ['indi_snapcap'],
    async drive(client) {
      await simulate(client, 'SnapCap')
      const cover = createIndiCover(client, 'SnapCap')
      await connected(cover, client)
      return [await cover.close(), await cover.open()]
    },
  },
  'power-box': {
    drivers: ['indi_pegasus_upb'],
    async drive(client) {
      await simulate(client, 'Pegasus UPB')
      const power = createIndiPower(client, 'Pegasus UPB')
      await client.waitFor(() => (power.state().volts ?? 0) > 0 || undefined, 10_000)
      return power.setPort('Port 2', false)
    },
  },
}

/** The recording without the name of a temporary folder of this machine. */
function withoutFolder(line: string, folder: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  const replaced = (text: string): string => text.replaceAll(`${folder}/`, '/observatory/')
  if (typeof entry['name'] === 'string') entry['name'] = replaced(entry['name'])
  if (typeof entry['bytes'] === 'string') {
    const text = Buffer.from(entry['bytes'], 'base64').toString('latin1')
    entry['bytes'] = Buffer.from(replaced(text), 'latin1').toString('base64')
  }
  return JSON.stringify(entry)
}

async function record(name: string, session: Session, path: string, on: Clock): Promise<void> {
  const file = openSync(path, 'w')
  try {
    await using server = await startIndiserver({ drivers: session.drivers, clock: on })
    const folder = dirname(server.socketPath)
    const write = (line: string): void => void writeSync(file, `${withoutFolder(line, folder)}\n`)
    const connect = recordTape(server.connect, write, on)
    await using client = createIndiClient(connect, { clock: on, random: createRandom(1) })
    const outcome = await session.drive(client)
    const short = JSON.stringify(outcome, (key, value) => (key === 'bytes' ? '…' : value)) ?? 'done'
    process.stdout.write(`${name}: ${short}\n`)
  } finally {
    closeSync(file)
  }
}

const [folder = '.', ...names] = process.argv.slice(2)
for (const name of names.length > 0 ? names : Object.keys(sessions)) {
  const session = sessions[name]
  if (!session) process.stdout.write(`${name}: there is ${Object.keys(sessions).join(', ')}\n`)
  else await record(name, session, join(folder, `indi-${name}-${version}.jsonl`), clock)
}

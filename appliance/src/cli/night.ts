import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { defaultSettings, type Settings } from '../contract/config.ts'
import type { EventType } from '../contract/events.ts'
import { type RunningDaemon, startDaemon } from '../daemon.ts'
import type { Destination } from '../forwarding/destination.ts'
import { createCompute } from '../frames/compute.ts'
import { offloadInline } from '../frames/offload.ts'
import { separationDeg } from '../observations/ephemeris.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { openHardware } from '../observatory/openHardware.ts'
import {
  createSimulatedObservatory,
  defaultOptics,
  deviceNames,
  simulatedDevices,
  simulatedGate,
} from '../simulation/observatory.ts'
import { simulatedField, simulatedSite, simulatedTransients } from '../simulation/scenario.ts'
import { defaultSensor } from '../simulation/sensor.ts'
import { createSky, transientMag } from '../simulation/sky.ts'

export const help = `Usage: nightjar night [--seed N] [--hours H] [--size PIXELS] [--exposure SECONDS] [--data DIR] [--json]

Plays a whole simulated night on a virtual clock: the same daemon, the same INDI protocol, the same pixels, in minutes. The
same seed gives the same journal, line for line; its hash is printed.

  --seed N             of sky, weather and noise (default 1)
  --hours H            how long the night is (default 10)
  --size PIXELS        of the sensor, square (default 768; the stars of smaller frames are too few to solve)
  --exposure SECONDS   of each frame (default 120)
  --data DIR           keep the night's data there (default: a temporary folder that is removed)
  --json               print one JSON object`

/** 2026-11-21, when every simulated night begins. */
const eveningMs = Date.UTC(2026, 10, 21, 20, 0, 0)
const transientsAfterMinutes = 60

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      seed: { type: 'string', default: '1' },
      hours: { type: 'string', default: '10' },
      size: { type: 'string', default: '768' },
      exposure: { type: 'string', default: '120' },
      data: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const folder = values.data ? resolve(values.data) : mkdtempSync(join(tmpdir(), 'nightjar-night-'))
  try {
    const report = await playNight(folder, {
      seed: numberIn('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
      hours: numberIn('--hours', values.hours, 0.1, 24),
      sizePixels: numberIn('--size', values.size, 128, 4096),
      exposureSeconds: numberIn('--exposure', values.exposure, 1, 3600),
    })
    console.log(values.json ? JSON.stringify(report) : describe(report))
    return 0
  } finally {
    if (values.data === undefined) rmSync(folder, { recursive: true, force: true })
  }
}

export interface NightOptions {
  readonly seed: number
  readonly hours: number
  readonly sizePixels: number
  readonly exposureSeconds: number
}

export interface NightReport extends NightOptions {
  readonly journalHash: string
  readonly events: number
  readonly frames: number
  readonly rejected: number
  readonly transients: { readonly injected: number; readonly found: number; readonly otherAlerts: number }
  readonly parked: boolean
  readonly verified: boolean
}

/** Plays one night into a data folder. The folder must be empty. */
export async function playNight(folder: string, options: NightOptions): Promise<NightReport> {
  const clock = new VirtualClock(eveningMs)
  return clock.run(nightOn(clock, folder, options))
}

async function nightOn(clock: VirtualClock, folder: string, options: NightOptions): Promise<NightReport> {
  const { seed, hours, sizePixels, exposureSeconds } = options
  const site = simulatedSite(eveningMs + (hours / 2) * 3_600_000)
  const catalogue = openStarCatalogue()
  const field = simulatedField(site, eveningMs, exposureSeconds, catalogue)
  const radiusDeg =
    ((sizePixels / 2) * defaultSensor.pixelMicrometres * 206.264806) / defaultOptics.focalLengthMillimetres / 3600
  const schedule = simulatedTransients(field, eveningMs + transientsAfterMinutes * 60_000, 1800, radiusDeg)
  const sky = createSky({ seed, catalogue, transients: schedule })
  await using observatory = createSimulatedObservatory({
    seed,
    clock,
    site,
    sky,
    widthPixels: sizePixels,
    heightPixels: sizePixels,
  })
  const random = createRandom(`night ${seed}`)
  const settings: Settings = {
    ...defaultSettings,
    devices: simulatedDevices,
    gate: simulatedGate,
    site,
    fields: [field],
    camera: {
      gainElectronsPerAdu: defaultSensor.gainElectronsPerAdu,
      readNoiseElectrons: defaultSensor.readNoiseElectrons,
      saturationAdu: 58_000,
      pixelMicrometres: defaultSensor.pixelMicrometres,
      focalLengthMillimetres: defaultOptics.focalLengthMillimetres,
    },
    calibration: { biasFrames: 5, darkFrames: 5, flatFrames: 5, flatSeconds: 2 },
    references: { frames: 8 },
    catalog: { matchRadiusArcsec: 3 },
    forwarding: { destinations: [{ name: 'archive', url: 'https://archive.invalid/', tokenFile: '-' }] },
  }
  await using hardware = await openHardware({
    devices: settings.devices,
    site,
    clock,
    random: random.fork('indi'),
    arcsecPerPixel: (206.264806 * defaultSensor.pixelMicrometres) / defaultOptics.focalLengthMillimetres,
    simulated: { connect: observatory.connect, names: deviceNames },
  })
  await using daemon = await startDaemon({
    folder,
    settings,
    clock,
    random: random.fork('forwarding'),
    hardware,
    offload: offloadInline(createCompute({ threads: 1 })),
    destinations: [archive(clock)],
    simulated: true,
  })
  const started = await daemon.startNight(`nightjar night --seed ${seed}`)
  if (!started.ok) throw new NightjarError('night/start', started.reason)
  await clock.sleep(hours * 3_600_000)
  await daemon.stopNight('dawn')
  await daemon.idle()
  const report = await clock.during(daemon.store.verify())
  return {
    ...options,
    ...summary(daemon, sky.transientsNear(field.raDeg, field.decDeg, 1), clock.now()),
    verified: report.ok,
  }
}

/** A receiver inside the night: it acknowledges everything at once, and its numbers depend on nothing but the alerts. */
function archive(clock: VirtualClock): Destination {
  return {
    name: 'archive',
    async send(envelopes) {
      const receipts = envelopes.map((text) => {
        const { eventId, rev } = JSON.parse(text) as { eventId: string; rev: number }
        return {
          eventId,
          rev,
          receipt: `A-${eventId.slice(0, 12)}-${rev}`,
          receivedAtMs: clock.now(),
          outcome: 'stored' as const,
        }
      })
      return { kind: 'receipts', receipts }
    },
  }
}

function summary(
  daemon: RunningDaemon,
  transients: ReturnType<ReturnType<typeof createSky>['transientsNear']>,
  endMs: number,
): Omit<NightReport, keyof NightOptions | 'verified'> {
  const { store } = daemon
  const events = store.events(0, 10_000_000)
  const count = (type: EventType): number => events.filter((event) => event.type === type).length
  const injected = transients.filter((one) => transientMag(one, endMs) !== undefined)
  const entries = store.entries(100_000)
  const isNear = (a: { raDeg: number; decDeg: number }, b: { raDeg: number; decDeg: number }): boolean =>
    separationDeg(a.raDeg, a.decDeg, b.raDeg, b.decDeg) * 3600 < 4
  return {
    journalHash: store.headHash(),
    events: events.length,
    frames: count('frame.captured'),
    rejected: count('frame.rejected'),
    transients: {
      injected: injected.length,
      found: injected.filter((one) => entries.some((entry) => isNear(one, entry))).length,
      otherAlerts: entries.filter((entry) => !injected.some((one) => isNear(one, entry))).length,
    },
    parked: daemon.commander.devices.mount.state().parked,
  }
}

function describe(report: NightReport): string {
  const { frames, rejected, transients, journalHash, events } = report
  return [
    `${report.hours} h, seed ${report.seed}: ${frames} frames (${rejected} rejected)`,
    `transients: ${transients.found} of ${transients.injected} found, ${transients.otherAlerts} other alerts`,
    `journal: ${events} events, ${journalHash}`,
  ].join('\n')
}

function numberIn(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new NightjarError('cli/usage', `${option} must be a number from ${least} to ${most}, not ${text}`)
}

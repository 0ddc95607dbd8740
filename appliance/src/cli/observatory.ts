import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { Settings } from '../contract/config.ts'
import type { DeviceKind } from '../contract/deviceSettings.ts'
import type { ServerAddress } from '../guardian/config.ts'
import type { Field } from '../observations/fields.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import type { Hardware } from '../observatory/devices.ts'
import { type HardwareRequest, openHardware } from '../observatory/openHardware.ts'
import { defaultOptics, deviceNames, simulatedDevices, simulatedGate } from '../simulation/observatory.ts'
import {
  isDark,
  isUp,
  type Scenario,
  simulatedField,
  simulatedSite,
  simulatedTransients,
} from '../simulation/scenario.ts'
import { defaultSensor } from '../simulation/sensor.ts'
import { createSky, type Transient } from '../simulation/sky.ts'
import { canonicalJson } from '../store/canonical.ts'
import { writeDurably } from '../store/frameFiles.ts'
import { startChild } from './children.ts'
import {
  configureDebianSimulators,
  debianCamera,
  debianDevices,
  debianGate,
  debianNames,
  startDebianSimulators,
} from './debianSimulators.ts'
import { type Guard, type GuardRequest, startGuard } from './guard.ts'

/** The hardware that a daemon drives, and what is known of the sky above it when that is simulated. */
export interface Observatory extends Hardware, AsyncDisposable {
  readonly kind: 'simulated' | 'indi' | 'configured'
  /** With the site, fields and camera of this observatory. */
  readonly settings: Settings
  /** Parks and closes when this process cannot. Undefined where it would die with what it guards. */
  readonly guard: Guard | undefined
  /** The truth; empty under a real sky. */
  readonly transients: readonly Transient[]
}

export interface ObservatoryRequest {
  readonly kind: Observatory['kind']
  readonly folder: string
  readonly settings: Settings
  readonly seed: number
  readonly timeFactor: number
  readonly sizePixels: number
  readonly clock: Clock
  /** Fewer calibration frames and shorter exposures. */
  readonly hasty: boolean
  /** A counter that only the daemon's own work advances. */
  readonly health: () => number
  /** The gate's word on tracking again after a loss. */
  readonly permitTracking: () => Outcome
}

/** Opens what was asked for; where Debian's INDI server is not installed, our own simulator stands in, with a word. */
export async function openObservatory(request: ObservatoryRequest): Promise<Observatory> {
  if (request.kind === 'configured') return openConfigured(request)
  try {
    return await openSimulation(request)
  } catch (error) {
    if (!(error instanceof NightjarError) || error.code !== 'indi/missing') throw error
    console.error(`nightjar: ${error.message}; going on with the built-in simulator`)
    return openSimulation({ ...request, kind: 'simulated' })
  }
}

async function openSimulation(request: ObservatoryRequest): Promise<Observatory> {
  const scenario = await scenarioOf(request)
  const settings = simulatedSettings(request, scenario)
  const stack = new AsyncDisposableStack()
  const served =
    request.kind === 'indi' ? await openDebian(request, scenario, stack) : await openOwn(request, scenario, stack)
  const { server, connect, names } = served
  const guard =
    server && stack.use(await startGuard({ ...guardRequest(request, settings), simulated: { server, names } }))
  const hardware = stack.use(
    await openHardware({ ...hardwareRequest(request, settings, guard), simulated: { connect, names } }),
  )
  if (request.kind === 'indi') configureDebianSimulators(hardware.indi, deviceNames, request.timeFactor)
  const sky = createSky({ seed: scenario.seed, catalogue: openStarCatalogue(), transients: scenario.transients })
  return {
    ...hardware,
    kind: request.kind,
    settings: guard ? guardedSettings(settings) : settings,
    guard,
    transients: sky.transientsNear(scenario.field.raDeg, scenario.field.decDeg, 1),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const guardedSettings = (settings: Settings): Settings => ({
  ...settings,
  gate: { ...settings.gate, inputs: { ...settings.gate.inputs, guardian: 'required' } },
})

/** Simulated devices: how they are reached, and where, when they outlive this process and can be guarded. */
interface Served {
  readonly connect: Connect
  readonly names: Partial<Record<DeviceKind, string>>
  readonly server: ServerAddress | undefined
}

/** Debian's server ends with this process: nothing would be left to guard. */
async function openDebian(
  { folder, clock }: ObservatoryRequest,
  scenario: Scenario,
  stack: AsyncDisposableStack,
): Promise<Served> {
  const connect = await startDebianSimulators({ scenario, folder: join(folder, 'indi'), clock }, stack)
  return { connect, names: debianNames, server: undefined }
}

async function openConfigured(request: ObservatoryRequest): Promise<Observatory> {
  const { settings } = request
  await using stack = new AsyncDisposableStack()
  const guard = stack.use(await startGuard(guardRequest(request, settings)))
  const hardware = stack.use(await openHardware(hardwareRequest(request, settings, guard)))
  guard?.tellOf(hardware.devices.mount)
  const owned = stack.move()
  const dispose = (): Promise<void> => owned.disposeAsync()
  return { ...hardware, kind: 'configured', settings, guard, transients: [], [Symbol.asyncDispose]: dispose }
}

function guardRequest({ folder, clock, health }: ObservatoryRequest, settings: Settings): GuardRequest {
  const tell = (words: string): void => console.error(`nightjar: ${words}`)
  return { folder, settings, clock, random: createRandom(`guard ${clock.now()}`), health, tell }
}

function hardwareRequest(
  { clock, permitTracking }: ObservatoryRequest,
  { devices, site, camera }: Settings,
  guard: Guard | undefined,
): HardwareRequest {
  const arcsecPerPixel = (206.264806 * camera.pixelMicrometres) / camera.focalLengthMillimetres
  const random = createRandom(`hardware ${clock.now()}`)
  const guarded = guard && { controller: guard.controller, guardedDrivers: guard.drivers }
  return { devices, site, clock, random, arcsecPerPixel, permitTracking, ...guarded }
}

/**
 * Our own simulator outlives a daemon that is killed, as a telescope does: the guardian parks and closes it. systemd ends all
 * that a service leaves behind: there it ends with us, and nothing would be left to guard.
 */
async function openOwn(request: ObservatoryRequest, scenario: Scenario, stack: AsyncDisposableStack): Promise<Served> {
  const outlives = process.env['NOTIFY_SOCKET'] === undefined
  const scale = ['--size', String(request.sizePixels), '--time-factor', String(request.timeFactor)]
  const args = ['simulate', '--scenario', JSON.stringify(scenario), '--until-alone', ...scale]
  const child = stack.use(await startChild(args, { outlives }))
  const [host = '', port = ''] = String(child.said['address']).split(':')
  const server = { host, port: Number(port) }
  return { connect: connectTcp(server), names: deviceNames, server: outlives ? server : undefined }
}

const simulatedSeconds = 30
const hastySeconds = 20

/** The last scenario of this data folder while its field can be seen; else a new one, under a sky that is dark now. */
async function scenarioOf(request: ObservatoryRequest): Promise<Scenario> {
  const folder = join(request.folder, 'scenarios')
  const nowMs = request.clock.now()
  const known = lastScenario(folder, request.kind)
  if (known && known.seed === request.seed && isDark(known.site, nowMs) && isUp(known.site, known.field, nowMs))
    return known
  const site = simulatedSite(nowMs)
  const field: Field = simulatedField(
    site,
    nowMs,
    request.hasty ? hastySeconds : simulatedSeconds,
    openStarCatalogue(),
    request.kind === 'indi' ? 'Luminance' : 'L',
  )
  const scenario: Scenario = { seed: request.seed, site, field, transients: transientsFor(request, field, nowMs) }
  await writeDurably(join(folder, `${request.kind}-${nowMs}.json`), Buffer.from(canonicalJson(scenario)))
  return scenario
}

function lastScenario(folder: string, kind: string): Scenario | undefined {
  try {
    const name = readdirSync(folder)
      .filter((file) => file.startsWith(`${kind}-`) && file.endsWith('.json'))
      .sort()
      .at(-1)
    return name === undefined ? undefined : (JSON.parse(readFileSync(join(folder, name), 'utf8')) as Scenario)
  } catch {
    return undefined
  }
}

/** The first appears when the reference is about to be there, then one every few exposures. */
function transientsFor(request: ObservatoryRequest, field: Field, nowMs: number): Scenario['transients'] {
  const exposureMs = field.exposureSeconds * request.timeFactor * 1000
  const { biasFrames, darkFrames, flatFrames } = calibrationOf(request)
  const frames = biasFrames * 0.2 + darkFrames + flatFrames * 0.4 + referenceFrames
  const firstAtMs = Math.round(nowMs + (frames + 2) * (exposureMs + 1500))
  return simulatedTransients(field, firstAtMs, Math.max(8, (4 * exposureMs) / 1000), fieldRadiusDeg(request))
}

const referenceFrames = 5
const fieldRadiusDeg = (request: ObservatoryRequest): number =>
  ((request.kind === 'indi' ? 1024 : request.sizePixels) / 2) * (scaleArcsec / 3600)
const scaleArcsec = (206.264806 * defaultSensor.pixelMicrometres) / defaultOptics.focalLengthMillimetres

/** Debian's camera has no dark current, no dust and flats that saturate: only a bias tells anything about it. */
function calibrationOf(request: ObservatoryRequest): Settings['calibration'] {
  if (request.kind === 'indi') return { biasFrames: 5, darkFrames: 0, flatFrames: 0, flatSeconds: 1 }
  return { biasFrames: 5, darkFrames: 5, flatFrames: 5, flatSeconds: 2 }
}

function simulatedSettings(request: ObservatoryRequest, scenario: Scenario): Settings {
  const { settings, kind } = request
  const simulated = {
    gainElectronsPerAdu: defaultSensor.gainElectronsPerAdu,
    readNoiseElectrons: defaultSensor.readNoiseElectrons,
    saturationAdu: 58_000,
    pixelMicrometres: defaultSensor.pixelMicrometres,
    focalLengthMillimetres: defaultOptics.focalLengthMillimetres,
  }
  return {
    ...settings,
    site: scenario.site,
    devices: kind === 'indi' ? debianDevices : simulatedDevices,
    gate: { ...(kind === 'indi' ? debianGate : simulatedGate), disk: settings.gate.disk },
    fields: [scenario.field],
    camera: kind === 'indi' ? debianCamera : simulated,
    calibration: calibrationOf(request),
    references: { frames: referenceFrames },
    catalog: { matchRadiusArcsec: 3 },
  }
}

import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { startIndiserver } from '@nightjar/firmware-bridge/indi/indiserver.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { DevicesSettings } from '../contract/deviceSettings.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import { writeGscWrapper } from '../simulation/gsc.ts'
import { simulatedGate } from '../simulation/observatory.ts'
import type { Scenario } from '../simulation/scenario.ts'

export interface DebianRequest {
  readonly scenario: Scenario
  /** For the `gsc` that the camera simulator asks for stars. */
  readonly folder: string
  readonly clock: Clock
}

/** What Debian's simulators are told to be: 2.68″ a pixel, stars of 3 pixels. */
export const debianCamera = {
  gainElectronsPerAdu: 1,
  readNoiseElectrons: 3,
  saturationAdu: 64_000,
  pixelMicrometres: 5.2,
  focalLengthMillimetres: 400,
} as const

/** Its devices, by the names that its drivers give themselves. */
export const debianNames = {
  mount: 'Telescope Simulator',
  camera: 'CCD Simulator',
  focuser: 'Focuser Simulator',
  roof: 'Dome Simulator',
  weather: 'Weather Simulator',
} as const
export const debianDevices = Object.fromEntries(
  Object.keys(debianNames).map((kind) => [kind, { kind: 'simulated' }]),
) as unknown as DevicesSettings

/** Its weather station knows no humidity, and its mount starts unparked, under a dome. */
export const debianGate: GateSettings = {
  ...simulatedGate,
  roof: { ...simulatedGate.roof, clearsTelescope: true },
  weather: { ...simulatedGate.weather, needs: ['windMetresPerSecond'] },
}

/**
 * Debian's indiserver with its telescope, camera, focuser, dome and weather simulators, alone in a network namespace, their stars and transients
 * from the scenario's sky. Throws `indi/missing` with the package to install.
 */
export async function startDebianSimulators(request: DebianRequest, stack: AsyncDisposableStack): Promise<Connect> {
  const { scenario, folder, clock } = request
  writeGscWrapper(folder, { seed: scenario.seed, transients: scenario.transients })
  const drivers = ['telescope', 'ccd', 'focus', 'dome', 'weather'].map((name) => `indi_simulator_${name}`)
  const server = stack.use(await startIndiserver({ drivers, clock, path: [folder], homeFolder: join(folder, 'home') }))
  return server.connect
}

/**
 * Limiting magnitude minus saturation magnitude is 12.03, which makes the driver's magnitudes Pogson's: it fits a line
 * from 65000 ADU at the one to 1 ADU at the other.
 */
const limitingMag = 17.5
const saturationMag = limitingMag - 2.5 * Math.log10(65_000)

/** Settings that the drivers get now and each time they start again. */
export function configureDebianSimulators(
  client: IndiClient,
  names: { readonly mount: string; readonly camera: string },
  timeFactor: number,
): void {
  client.want(names.mount, 'TELESCOPE_INFO', {
    TELESCOPE_APERTURE: 100,
    TELESCOPE_FOCAL_LENGTH: debianCamera.focalLengthMillimetres,
    GUIDER_APERTURE: 100,
    GUIDER_FOCAL_LENGTH: debianCamera.focalLengthMillimetres,
  })
  client.want(names.camera, 'SIMULATOR_SETTINGS', {
    SIM_SATURATION: saturationMag,
    SIM_LIMITINGMAG: limitingMag,
    SIM_NOISE: 10,
    SIM_TIME_FACTOR: timeFactor,
  })
  // The camera takes the width of its stars from the focuser, 7.5″ where it stands, and draws points when there is none.
  void client.connectDevice('Focuser Simulator')
  client.want(names.camera, 'CCD_OFFSET', { OFFSET: 500 })
}

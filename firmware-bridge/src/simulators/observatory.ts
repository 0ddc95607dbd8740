/** Every simulated INDI device of one site, for one server. */
import type { Clock } from '../clock.ts'
import type { ServedDevice } from '../indi/server.ts'
import type { Random } from '../random.ts'
import { createSimulatedCamera, type SimulatedCamera, type SimulatedCameraOptions } from './camera.ts'
import { createSimulatedCover, type SimulatedCover } from './cover.ts'
import { createSimulatedFilterWheel, type SimulatedFilterWheel } from './filterWheel.ts'
import { createSimulatedFlatPanel, type SimulatedFlatPanel } from './flatPanel.ts'
import { createSimulatedFocuser, type SimulatedFocuser } from './focuser.ts'
import { createSimulatedGps, type SimulatedGps } from './gps.ts'
import { createSimulatedMount, type SimulatedMount, type SimulatedMountOptions } from './mount.ts'
import { createSimulatedPower, type SimulatedPower } from './power.ts'
import { createSimulatedRoof, type SimulatedRoof, type SimulatedRoofOptions } from './roof.ts'
import { createSimulatedRotator, type SimulatedRotator } from './rotator.ts'
import { createSimulatedSkyQuality, type SimulatedSkyQuality } from './skyQuality.ts'
import { createSimulatedWatchdog, type SimulatedWatchdog } from './watchdog.ts'
import { createSimulatedWeather, type SimulatedWeather } from './weather.ts'

export interface SimulatedSiteOptions {
  readonly clock: Clock
  readonly random: Random
  readonly site: { readonly latitudeDeg: number; readonly longitudeDeg: number; readonly elevationMetres: number }
  readonly camera: Omit<SimulatedCameraOptions, 'clock'>
  readonly mount?: Partial<Omit<SimulatedMountOptions, 'clock' | 'random' | 'site'>>
  readonly roof?: Partial<Omit<SimulatedRoofOptions, 'clock'>>
}

/** The parts with their truths and fault handles; `devices` is what a server takes. */
export interface SimulatedSite {
  readonly devices: readonly ServedDevice[]
  readonly mount: SimulatedMount
  readonly camera: SimulatedCamera
  readonly focuser: SimulatedFocuser
  readonly filterWheel: SimulatedFilterWheel
  readonly rotator: SimulatedRotator
  readonly roof: SimulatedRoof
  readonly cover: SimulatedCover
  readonly flatPanel: SimulatedFlatPanel
  readonly weather: SimulatedWeather
  readonly skyQuality: SimulatedSkyQuality
  readonly power: SimulatedPower
  readonly gps: SimulatedGps
  readonly watchdog: SimulatedWatchdog
  /** Lets time work on all of them until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

export function createSimulatedSite(options: SimulatedSiteOptions): SimulatedSite {
  const { clock, random, site } = options
  const parts = {
    mount: createSimulatedMount({ clock, random: random.fork('mount'), site, ...options.mount }),
    camera: createSimulatedCamera({ clock, ...options.camera }),
    focuser: createSimulatedFocuser({ clock, startSteps: 50_000 }),
    filterWheel: createSimulatedFilterWheel({ clock }),
    rotator: createSimulatedRotator({ clock }),
    roof: createSimulatedRoof({ clock, ...options.roof }),
    cover: createSimulatedCover({ clock }),
    flatPanel: createSimulatedFlatPanel(),
    weather: createSimulatedWeather({ clock }),
    skyQuality: createSimulatedSkyQuality({ clock }),
    power: createSimulatedPower({ clock, random: random.fork('power') }),
    gps: createSimulatedGps({ clock, site }),
    watchdog: createSimulatedWatchdog({ clock }),
  }
  return {
    ...parts,
    devices: Object.values(parts).map(({ device }) => device),
    async run(signal) {
      const { mount, camera, weather, skyQuality, power, gps } = parts
      await Promise.all([mount, camera, weather, skyQuality, power, gps].map((part) => part.run(signal)))
    },
  }
}

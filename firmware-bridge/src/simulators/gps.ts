import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedGps {
  readonly device: SimulatedDevice
  setFix(fix: boolean): void
  /** Tells place and time until aborted; run it once. */
  run(signal: AbortSignal): Promise<void>
}

/** A receiver with Debian's GPS simulator's properties. */
export function createSimulatedGps(options: {
  readonly clock: Clock
  readonly name?: string
  readonly site: { readonly latitudeDeg: number; readonly longitudeDeg: number; readonly elevationMetres: number }
}): SimulatedGps {
  const { clock, name = 'GPS Simulator', site } = options
  let fix = true
  const device = new SimulatedDevice(name, { exec: 'indi_simulator_gps', interface: 64 }, () => undefined)
  const utc = (): string => new Date(clock.now()).toISOString().slice(0, 19)

  function tell(): void {
    const state = fix ? 'Ok' : 'Busy'
    device.update('GEOGRAPHIC_COORD', {}, state)
    device.update('TIME_UTC', fix ? { UTC: utc() } : {}, state)
  }

  device.numbers(
    'GEOGRAPHIC_COORD',
    {
      LAT: [site.latitudeDeg, -90, 90, '%010.6m'],
      LONG: [((site.longitudeDeg % 360) + 360) % 360, 0, 360, '%010.6m'],
      ELEV: [site.elevationMetres, -200, 10_000],
    },
    { permission: 'ro' },
  )
  device.texts('TIME_UTC', { UTC: '', OFFSET: '0.00' }, { permission: 'ro' })
  device.numbers(
    'GPS_REFRESH_PERIOD',
    { PERIOD: [0, 0, 3600] },
    { onNew: (values) => device.update('GPS_REFRESH_PERIOD', values) },
  )
  device.switches('GPS_REFRESH', { REFRESH: false }, 'AtMostOne', {
    onNew() {
      tell()
      device.update('GPS_REFRESH', { REFRESH: false })
    },
  })
  return {
    device,
    setFix(value) {
      fix = value
    },
    async run(signal) {
      while (!signal.aborted) {
        if (device.connected) tell()
        const seconds = device.number('GPS_REFRESH_PERIOD', 'PERIOD') || 1
        await clock.sleep(seconds * 1000, signal).catch(() => undefined)
      }
    },
  }
}

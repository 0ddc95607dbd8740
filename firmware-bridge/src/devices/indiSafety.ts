/**
 * Safety over INDI: the verdict lights of a weather driver (indi_weather_safety_proxy and every station have them), and
 * the heartbeat of indi_watchdog, which parks and closes by itself when it misses one.
 */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import type { LightProperty } from '../indi/properties.ts'
import { driverCard } from './device.ts'
import { cannot, type IndiDevice, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'
import type { Safety, SafetyState } from './safety.ts'

export interface IndiSafetyOptions {
  readonly clock: Clock
  /** A verdict older than this is none. Stations are asked every minute by default. */
  readonly staleMs?: number
  /** The watchdog acts when it hears nothing for so long. */
  readonly heartbeatSeconds?: number
}

export const indiSafetyCard = driverCard('safety', 'INDI', ['verdict', 'rain', 'heartbeat'])

const defaultStaleMs = 150_000
const defaultHeartbeatSeconds = 30
const status = 'WEATHER_STATUS'
const heartbeat = ['WATCHDOG_HEARTBEAT', 'WATCHDOG_HEARTBEAT_VALUE'] as const

export function createIndiSafety(client: IndiClient, name: string, options: IndiSafetyOptions): Safety {
  const { clock, staleMs = defaultStaleMs, heartbeatSeconds = defaultHeartbeatSeconds } = options
  const device = openIndiDevice(client, name)

  function state(): SafetyState {
    const lights = lightsOf(device)
    const head = device.head(device.has(status) ? status : heartbeat[0])
    const atMs = lights ? heardAtMs(device, lights) : head.atMs
    const reasons = !head.connected
      ? ['not connected']
      : clock.now() - atMs > staleMs
        ? [`no verdict for ${Math.round((clock.now() - atMs) / 1000)} s`]
        : unsafeReasons(lights)
    return { ...head, atMs, safe: reasons.length === 0, reasons, raining: rainLight(lights) }
  }

  return {
    state,
    can() {
      const capabilities = new Set<Capability<'safety'>>()
      const lights = lightsOf(device)
      if (lights) capabilities.add('verdict')
      if (lights?.elements.some(isAboutRain)) capabilities.add('rain')
      if (device.has(...heartbeat)) capabilities.add('heartbeat')
      return capabilities
    },
    heartbeat: () =>
      device.has(...heartbeat)
        ? device.set(heartbeat[0], { [heartbeat[1]]: heartbeatSeconds })
        : cannot(device, 'take a heartbeat'),
    async [Symbol.asyncDispose]() {},
  }
}

function lightsOf(device: IndiDevice): LightProperty | undefined {
  const property = device.property(status)
  return property?.kind === 'light' ? property : undefined
}

/** Drivers tell their readings at each look, but the lights only when one changes. */
const heardAtMs = (device: IndiDevice, lights: LightProperty): number =>
  Math.max(lights.atMs, device.property('WEATHER_PARAMETERS')?.atMs ?? 0)

function unsafeReasons(lights: LightProperty | undefined): readonly string[] {
  if (!lights || lights.elements.length === 0) return ['the device does not judge']
  const words = { Alert: 'danger', Busy: 'warning', Idle: 'not judged' } as const
  const bad = lights.elements.flatMap(({ name, label, value }) =>
    value === 'Ok' ? [] : [`${label || name}: ${words[value]}`],
  )
  if (bad.length > 0 || lights.state === 'Ok') return bad
  return [`the device reports ${lights.state}`]
}

const isAboutRain = ({ name }: { readonly name: string }): boolean => /RAIN/i.test(name)

function rainLight(lights: LightProperty | undefined): boolean | undefined {
  const light = lights?.elements.find(isAboutRain)
  return light === undefined || light.value === 'Idle' ? undefined : light.value !== 'Ok'
}

/** Mount, roof and inputs behind an ASCOM Alpaca server, as the guardian needs them. */
import type { AlpacaDeviceOptions } from '@nightjar/firmware-bridge/alpaca/device.ts'
import { httpTransport } from '@nightjar/firmware-bridge/alpaca/transport.ts'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createAlpacaMount } from '@nightjar/firmware-bridge/devices/alpacaMount.ts'
import { createAlpacaRoof } from '@nightjar/firmware-bridge/devices/alpacaRoof.ts'
import { createAlpacaSafety } from '@nightjar/firmware-bridge/devices/alpacaSafety.ts'
import { createAlpacaWeather } from '@nightjar/firmware-bridge/devices/alpacaWeather.ts'
import type { AlpacaAddress, InputConfig } from './config.ts'
import type { GuardedInput, GuardedMount, GuardedRoof, InputReading } from './devices.ts'
import { toldBy } from './indiGuards.ts'

/** Alpaca tells nothing by itself: it is asked this often. */
const askEveryMs = 500
/** Two times of measurement that are nearer than this are of the same measurement. */
const stampSpreadMs = 1_500

const optionsFor = ({ host, port, number }: AlpacaAddress, clock: Clock): AlpacaDeviceOptions => ({
  clock,
  transport: httpTransport(`http://${host}:${port}`),
  deviceNumber: number,
  intervalMs: askEveryMs,
})

export function guardAlpacaMount(address: AlpacaAddress, clock: Clock): GuardedMount & AsyncDisposable {
  const mount = createAlpacaMount(optionsFor(address, clock))
  return {
    reading: () =>
      toldBy(mount.state(), ({ parked, slewing, tracking }) => ({ parked: parked && !slewing, slewing, tracking })),
    read: () => undefined,
    park: (timeoutMs) => mount.park(timeoutMs),
    abort: () => mount.abort(),
    async stop() {
      const aborted = await mount.abort()
      const still = await mount.track(false)
      return aborted.ok ? still : aborted
    },
    [Symbol.asyncDispose]: () => mount[Symbol.asyncDispose](),
  }
}

export function guardAlpacaRoof(address: AlpacaAddress, clock: Clock): GuardedRoof & AsyncDisposable {
  const roof = createAlpacaRoof(optionsFor(address, clock))
  return {
    reading: () => toldBy(roof.state(), ({ position }) => position),
    read: () => undefined,
    close: (timeoutMs) => roof.close(timeoutMs),
    abort: () => roof.abort(),
    [Symbol.asyncDispose]: () => roof[Symbol.asyncDispose](),
  }
}

type AlpacaInput = Extract<InputConfig, { kind: 'alpacaWeather' | 'alpacaSafety' }>

export function guardAlpacaInput(config: AlpacaInput, clock: Clock): GuardedInput & AsyncDisposable {
  const { limitMs, required } = config
  const common = { limitMs, required }
  if (config.kind === 'alpacaSafety') {
    const safety = createAlpacaSafety(optionsFor(config, clock))
    const reading = () =>
      toldBy(safety.state(), ({ safe, reasons }): InputReading => ({ unsafe: !safe, reason: reasons.join(', ') }))
    const dispose = (): PromiseLike<void> => safety[Symbol.asyncDispose]()
    return { ...common, name: 'safety monitor', tells: [], reading, [Symbol.asyncDispose]: dispose }
  }
  const weather = createAlpacaWeather(optionsFor(config, clock))
  // Reckoned from an age in seconds, the time of one measurement comes out anew with each question.
  let measuredAtMs = 0
  const reading = () => {
    const state = weather.state()
    if (Math.abs(state.atMs - measuredAtMs) >= stampSpreadMs) measuredAtMs = state.atMs
    return toldBy({ ...state, atMs: measuredAtMs }, ({ rainMillimetresPerHour: rain }): InputReading => {
      return { raining: rain === undefined ? undefined : !(rain <= 0), unsafe: false }
    })
  }
  const dispose = (): PromiseLike<void> => weather[Symbol.asyncDispose]()
  return { ...common, name: 'weather station', tells: ['rain'], reading, [Symbol.asyncDispose]: dispose }
}

import { type AlpacaDeviceOptions, commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { failure } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { Safety } from './safety.ts'

export const alpacaSafetyCard = driverCard('safety', 'Alpaca', ['verdict'])

/** An ASCOM Alpaca safety monitor: one bit, and unsafe whenever it is not heard. */
export function createAlpacaSafety(options: AlpacaDeviceOptions): Safety {
  const device = createAlpacaDevice('safetymonitor', { fixed: [], changing: ['issafe'] }, options)
  return {
    state() {
      const safe = device.connected && device.boolean('issafe') === true
      const reason = device.connected ? `${device.source} says unsafe` : `${device.source} is not heard`
      return { ...commonState(device), safe, reasons: safe ? [] : [reason] }
    },
    can: () => new Set(device.boolean('issafe') === undefined ? [] : alpacaSafetyCard.can),
    heartbeat: async () => failure('an Alpaca safety monitor has no heartbeat'),
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  }
}

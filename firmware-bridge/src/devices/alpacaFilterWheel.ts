import { type AlpacaDeviceOptions, commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { failure } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { FilterWheel } from './filterWheel.ts'

export const alpacaFilterWheelCard = driverCard('filterWheel', 'Alpaca', ['select', 'names'])

const turnMs = 60_000
/** IFilterWheelV2, Position: what it says while it turns. */
const turning = -1

export function createAlpacaFilterWheel(options: AlpacaDeviceOptions): FilterWheel {
  const device = createAlpacaDevice('filterwheel', { fixed: ['names'], changing: ['position'] }, options)

  function filters(): string[] {
    const names = device.value('names')
    if (!Array.isArray(names)) return []
    return names.map((name, index) => (typeof name === 'string' && name !== '' ? name : `Filter ${index + 1}`))
  }

  return {
    state() {
      const names = filters()
      const position = device.number('position')
      return {
        ...commonState(device),
        moving: position === turning,
        filters: names,
        filter: position === undefined ? undefined : names[position],
      }
    },
    can: () => new Set(filters().length > 0 ? alpacaFilterWheelCard.can : []),
    async select(filter, timeoutMs = turnMs) {
      const slot = filters().indexOf(filter)
      if (slot === -1) return failure(`${device.source} has no filter “${filter}”: it has ${filters().join(', ')}`)
      const taken = await device.command('position', { Position: slot })
      if (!taken.ok) return taken
      return device.until(() => (device.number('position') === slot ? 'done' : 'wait'), timeoutMs)
    },
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  }
}

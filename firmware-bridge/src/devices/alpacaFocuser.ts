import { type AlpacaDeviceOptions, commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { failure } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { Focuser } from './focuser.ts'
import type { Capability } from './kinds.ts'

export const alpacaFocuserCard = driverCard('focuser', 'Alpaca', ['moveTo', 'abort', 'temperature'])

const moveMs = 120_000

/** A focuser behind ASCOM Alpaca that knows where it stands (`Absolute`). */
export function createAlpacaFocuser(options: AlpacaDeviceOptions): Focuser {
  const members = { fixed: ['absolute', 'maxstep'], changing: ['position', 'ismoving', 'temperature'] }
  const device = createAlpacaDevice('focuser', members, options)
  let motion = new AbortController()

  return {
    state: () => ({
      ...commonState(device),
      moving: device.boolean('ismoving') === true,
      positionSteps: device.number('position'),
      maxSteps: device.number('maxstep'),
      temperatureC: device.number('temperature'),
    }),
    can() {
      const able = new Set<Capability<'focuser'>>()
      if (device.boolean('absolute')) able.add('moveTo').add('abort')
      if (device.number('temperature') !== undefined) able.add('temperature')
      return able
    },
    async moveTo(steps, timeoutMs = moveMs) {
      motion.abort('another move was asked for')
      motion = new AbortController()
      const { signal } = motion
      if (device.boolean('absolute') === false) return failure(`${device.source} does not know where it stands`)
      const wanted = Math.round(steps)
      const taken = await device.command('move', { Position: wanted })
      if (!taken.ok) return taken
      return device.until(
        () => {
          if (device.boolean('ismoving') !== false) return 'wait'
          const stands = device.number('position')
          return stands === wanted ? 'done' : { failed: `the focuser stands at ${stands} instead of ${wanted}` }
        },
        timeoutMs,
        signal,
      )
    },
    async abort() {
      motion.abort('the motion was aborted')
      return device.command('halt')
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      await device[Symbol.asyncDispose]()
    },
  }
}

import { type AlpacaDeviceOptions, commonState, createAlpacaDevice } from '../alpaca/device.ts'
import { failure } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import type { Rotator } from './rotator.ts'

export const alpacaRotatorCard = driverCard('rotator', 'Alpaca', ['rotateTo', 'sync', 'reverse', 'abort'])

const turnMs = 120_000
const settleMs = 10_000
const arrivedDeg = 0.5

const norm = (deg: number): number => ((deg % 360) + 360) % 360

/** A rotator behind ASCOM Alpaca. */
export function createAlpacaRotator(options: AlpacaDeviceOptions): Rotator {
  const members = { fixed: ['canreverse'], changing: ['position', 'ismoving', 'reverse'] }
  const device = createAlpacaDevice('rotator', members, options)
  let motion = new AbortController()

  const missDeg = (wanted: number): number =>
    Math.abs(norm((device.number('position') ?? Number.NaN) - wanted + 180) - 180)

  return {
    state() {
      const position = device.number('position')
      return {
        ...commonState(device),
        moving: device.boolean('ismoving') === true,
        angleDeg: position === undefined ? undefined : norm(position),
        reversed: device.boolean('reverse') === true,
      }
    },
    can() {
      const able = new Set<Capability<'rotator'>>()
      if (device.number('position') !== undefined) able.add('rotateTo').add('sync').add('abort')
      if (device.boolean('canreverse')) able.add('reverse')
      return able
    },
    async rotateTo(angleDeg, timeoutMs = turnMs) {
      if (!(angleDeg >= 0 && angleDeg < 360)) return failure('an angle is in [0°, 360°)')
      motion.abort('another turn was asked for')
      motion = new AbortController()
      const { signal } = motion
      const wanted = angleDeg
      const taken = await device.command('moveabsolute', { Position: wanted })
      if (!taken.ok) return taken
      return device.until(
        () => {
          if (device.boolean('ismoving') !== false) return 'wait'
          return missDeg(wanted) <= arrivedDeg
            ? 'done'
            : { failed: `the rotator stands ${missDeg(wanted).toFixed(1)}° away` }
        },
        timeoutMs,
        signal,
      )
    },
    async sync(angleDeg) {
      const taken = await device.command('sync', { Position: norm(angleDeg) })
      return taken.ok ? device.until(() => (missDeg(angleDeg) <= arrivedDeg ? 'done' : 'wait'), settleMs) : taken
    },
    async reverse(reversed) {
      if (!device.boolean('canreverse')) return failure(`${device.source} cannot turn the other way`)
      const taken = await device.command('reverse', { Reverse: reversed })
      return taken.ok ? device.until(() => (device.boolean('reverse') === reversed ? 'done' : 'wait'), settleMs) : taken
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

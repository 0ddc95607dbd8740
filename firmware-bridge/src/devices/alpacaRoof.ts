import { type AlpacaDeviceOptions, commonState, createAlpacaDevice, type Verdict } from '../alpaca/device.ts'
import { failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import type { Roof, RoofPosition } from './roof.ts'

export const alpacaRoofCard = driverCard('roof', 'Alpaca', ['open', 'close', 'abort', 'azimuth'])

const shutterMs = 180_000
const turnMs = 300_000
const stopMs = 30_000
/** A dome that stands this near has arrived. */
const arrivedDeg = 2
/** IDomeV2, ShutterState. Anything else is an error. */
const positions: readonly RoofPosition[] = ['open', 'closed', 'opening', 'closing']
const shutterError = 4

const fixed = ['cansetshutter', 'cansetazimuth']
const changing = ['shutterstatus', 'azimuth', 'slewing']

/** A roof or dome behind an ASCOM Alpaca dome. */
export function createAlpacaRoof(options: AlpacaDeviceOptions): Roof {
  const device = createAlpacaDevice('dome', { fixed, changing }, options)
  let motion = new AbortController()

  const position = (): RoofPosition =>
    (device.connected && positions[device.number('shutterstatus') ?? shutterError]) || 'unknown'

  function begin(reason: string): AbortSignal {
    motion.abort(reason)
    motion = new AbortController()
    return motion.signal
  }

  async function move(command: string, wanted: RoofPosition, timeoutMs: number): Promise<Outcome> {
    const signal = begin('another roof motion was asked for')
    const taken = await device.command(command)
    if (!taken.ok) return taken
    const judge = (): Verdict => {
      if (device.number('shutterstatus') === shutterError) return { failed: 'the shutter reports an error' }
      return position() === wanted ? 'done' : 'wait'
    }
    return device.until(judge, timeoutMs, signal)
  }

  return {
    state: () => ({
      ...commonState(device),
      position: position(),
      azimuthDeg: device.boolean('cansetazimuth') ? device.number('azimuth') : undefined,
      fault: device.number('shutterstatus') === shutterError ? 'the shutter reports an error' : undefined,
    }),
    can() {
      const able = new Set<Capability<'roof'>>()
      if (device.boolean('cansetshutter')) able.add('open').add('close').add('abort')
      if (device.boolean('cansetazimuth')) able.add('azimuth')
      return able
    },
    open: (timeoutMs = shutterMs) => move('openshutter', 'open', timeoutMs),
    close: (timeoutMs = shutterMs) => move('closeshutter', 'closed', timeoutMs),
    async abort() {
      motion.abort('the motion was aborted')
      const taken = await device.command('abortslew')
      const stopped = (): Verdict => {
        const moves = ['opening', 'closing'].includes(position()) || device.boolean('slewing') === true
        return moves ? 'wait' : 'done'
      }
      return taken.ok ? device.until(stopped, stopMs) : taken
    },
    async turnTo(azimuthDeg, timeoutMs = turnMs) {
      if (!device.boolean('cansetazimuth')) return failure(`${device.source} does not turn`)
      if (!(azimuthDeg >= 0 && azimuthDeg < 360)) return failure('an azimuth is in [0°, 360°)')
      const wanted = azimuthDeg
      const signal = begin('another turn was asked for')
      const taken = await device.command('slewtoazimuth', { Azimuth: wanted })
      if (!taken.ok) return taken
      const judge = (): Verdict => {
        if (device.boolean('slewing') !== false) return 'wait'
        const stands = device.number('azimuth') ?? Number.NaN
        const missDeg = Math.abs(((stands - wanted + 540) % 360) - 180)
        return missDeg <= arrivedDeg ? 'done' : { failed: `the dome stands ${missDeg.toFixed(1)}° away` }
      }
      return device.until(judge, timeoutMs, signal)
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      await device[Symbol.asyncDispose]()
    },
  }
}

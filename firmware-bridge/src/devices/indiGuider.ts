/**
 * Dithering through a guide port over INDI, for sites that do not guide: pulses in a random direction. It follows no
 * star, so it cannot guide or tell when one is still; PHD2 does that.
 */
import type { Clock } from '../clock.ts'
import type { IndiClient } from '../indi/client.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import type { Random } from '../random.ts'
import { driverCard } from './device.ts'
import type { Guider } from './guider.ts'
import { cannot, openIndiDevice } from './indiDevice.ts'
import { hasGuidePort, sendGuidePulse } from './indiGuidePort.ts'
import type { Capability } from './kinds.ts'

export interface IndiGuiderOptions {
  readonly clock: Clock
  readonly random: Random
  /** Of the camera whose frames are dithered. */
  readonly arcsecPerPixel: number
  /** Speed of the pulses; what the mount says by default, 0.5 where it does not. */
  readonly guideRateSidereal?: number
}

export const indiGuiderCard = driverCard('guider', 'INDI', ['dither', 'stop'])

const siderealArcsecPerSecond = 15.041067
const usualRate = 0.5

export function createIndiGuider(client: IndiClient, name: string, options: IndiGuiderOptions): Guider {
  const { clock, random, arcsecPerPixel } = options
  const device = openIndiDevice(client, name)
  let work = new AbortController()

  const pulseMs = (pixels: number, element: 'GUIDE_RATE_WE' | 'GUIDE_RATE_NS'): number => {
    const rate = options.guideRateSidereal ?? device.number('GUIDE_RATE', element) ?? usualRate
    return Math.round((Math.abs(pixels) * arcsecPerPixel * 1000) / (Math.max(rate, 0.01) * siderealArcsecPerSecond))
  }

  async function dither(pixels: number, settleSeconds: number): Promise<Outcome> {
    const angle = random.next() * 2 * Math.PI
    const distance = pixels * (0.5 + 0.5 * random.next())
    const [across, up] = [distance * Math.cos(angle), distance * Math.sin(angle)]
    const { signal } = work
    const first = await sendGuidePulse(device, clock, across > 0 ? 'west' : 'east', pulseMs(across, 'GUIDE_RATE_WE'))
    if (!first.ok || signal.aborted) return first.ok ? failure('the dither was stopped') : first
    const second = await sendGuidePulse(device, clock, up > 0 ? 'north' : 'south', pulseMs(up, 'GUIDE_RATE_NS'))
    if (!second.ok) return second
    const stopped = await clock.sleep(settleSeconds * 1000, signal).then(
      () => false,
      () => true,
    )
    return stopped ? failure('the dither was stopped') : done
  }

  return {
    can() {
      const capabilities = new Set<Capability<'guider'>>()
      if (hasGuidePort(device)) capabilities.add('dither').add('stop')
      return capabilities
    },
    state() {
      const pulsing = device.isBusy('TELESCOPE_TIMED_GUIDE_NS') || device.isBusy('TELESCOPE_TIMED_GUIDE_WE')
      return { ...device.head('TELESCOPE_TIMED_GUIDE_NS'), activity: pulsing ? 'settling' : 'stopped' }
    },
    guide: () => cannot(device, 'guide: a guide port follows no star'),
    dither(pixels, settle) {
      if (!hasGuidePort(device)) return cannot(device, 'dither')
      work.abort('another dither was asked for')
      work = new AbortController()
      return dither(pixels, settle.seconds)
    },
    stop() {
      work.abort('stopped')
      return Promise.resolve(done)
    },
    async [Symbol.asyncDispose]() {
      work.abort('disposed')
    },
  }
}

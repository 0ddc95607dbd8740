/** Guide pulses through a mount or through a camera's guide port: the same two properties. */
import type { Clock } from '../clock.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { type IndiDevice, judgeFinished } from './indiDevice.ts'
import type { Direction } from './mount.ts'

const ports = {
  north: ['TELESCOPE_TIMED_GUIDE_NS', 'TIMED_GUIDE_N', 'TIMED_GUIDE_S'],
  south: ['TELESCOPE_TIMED_GUIDE_NS', 'TIMED_GUIDE_S', 'TIMED_GUIDE_N'],
  west: ['TELESCOPE_TIMED_GUIDE_WE', 'TIMED_GUIDE_W', 'TIMED_GUIDE_E'],
  east: ['TELESCOPE_TIMED_GUIDE_WE', 'TIMED_GUIDE_E', 'TIMED_GUIDE_W'],
} as const
/** What a driver may take longer than the pulse itself. */
const spareMs = 5_000

export const hasGuidePort = (device: IndiDevice): boolean =>
  device.has('TELESCOPE_TIMED_GUIDE_NS') && device.has('TELESCOPE_TIMED_GUIDE_WE')

/** Resolves when the pulse is over by our clock too: some drivers say so when they have passed it on. */
export async function sendGuidePulse(
  device: IndiDevice,
  clock: Clock,
  direction: Direction,
  milliseconds: number,
): Promise<Outcome> {
  if (!(milliseconds >= 0)) return failure('a guide pulse needs a length in milliseconds')
  const [property, element, opposite] = ports[direction]
  const endsAt = clock.monotonic() + milliseconds
  const values = { [element]: Math.round(milliseconds), [opposite]: 0 }
  const options = { timeoutMs: milliseconds + spareMs, judge: judgeFinished }
  const outcome = await device.client.set(device.name, property, values, options)
  if (!outcome.ok) return outcome
  const leftMs = endsAt - clock.monotonic()
  if (leftMs > 0) await clock.sleep(leftMs)
  return done
}

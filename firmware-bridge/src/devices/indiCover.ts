/** The lid over the telescope, behind any INDI dust cap driver. */
import type { IndiClient } from '../indi/client.ts'
import { judgeAccepted } from '../indi/command.ts'
import { failure, type Outcome } from '../outcome.ts'
import type { Cover, CoverPosition } from './cover.ts'
import { driverCard } from './device.ts'
import { cannot, type IndiDevice, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'

export const indiCoverCard = driverCard('cover', 'INDI', ['open', 'close', 'abort'])

const moveMs = 90_000
const cap = 'CAP_PARK'

export function createIndiCover(client: IndiClient, name: string): Cover {
  const device = openIndiDevice(client, name)
  let motion = new AbortController()

  async function moveTo(element: 'PARK' | 'UNPARK', timeoutMs: number): Promise<Outcome> {
    motion.abort('another motion was asked for')
    motion = new AbortController()
    const outcome = await device.set(cap, { [element]: true }, { timeoutMs, signal: motion.signal })
    const wanted = element === 'PARK' ? 'closed' : 'open'
    if (!outcome.ok || position(device) === wanted) return outcome
    return failure(`${name} does not say that it is ${wanted}`)
  }

  return {
    can() {
      const capabilities = new Set<Capability<'cover'>>()
      if (device.has(cap)) capabilities.add('open').add('close')
      if (device.has('CAP_ABORT')) capabilities.add('abort')
      return capabilities
    },
    state() {
      const head = device.head(cap)
      return { ...head, position: head.connected ? position(device) : 'unknown' }
    },
    open: (timeoutMs = moveMs) => moveTo('UNPARK', timeoutMs),
    close: (timeoutMs = moveMs) => moveTo('PARK', timeoutMs),
    abort() {
      motion.abort('the motion was aborted')
      if (!device.has('CAP_ABORT')) return cannot(device, 'stop')
      return device.set('CAP_ABORT', { ABORT: true }, { judge: judgeAccepted })
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

/** Drivers say Ok or Idle of a lid that stands; Alert is one that failed on its way. */
function position(device: IndiDevice): CoverPosition {
  if (device.isBusy(cap)) return 'moving'
  const [closed, open] = [device.isOn(cap, 'PARK') === true, device.isOn(cap, 'UNPARK') === true]
  if (closed === open || device.property(cap)?.state === 'Alert') return 'unknown'
  return open ? 'open' : 'closed'
}

/** A focuser behind any INDI driver with absolute positions. */
import type { IndiClient } from '../indi/client.ts'
import { judgeAccepted } from '../indi/command.ts'
import { driverCard } from './device.ts'
import type { Focuser } from './focuser.ts'
import { cannot, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'

export const indiFocuserCard = driverCard('focuser', 'INDI', ['moveTo', 'abort', 'temperature'])

const moveMs = 120_000
const place = ['ABS_FOCUS_POSITION', 'FOCUS_ABSOLUTE_POSITION'] as const

export function createIndiFocuser(client: IndiClient, name: string): Focuser {
  const device = openIndiDevice(client, name)
  let motion = new AbortController()

  function can(): ReadonlySet<Capability<'focuser'>> {
    const capabilities = new Set<Capability<'focuser'>>()
    if (device.has(...place)) capabilities.add('moveTo')
    if (device.has('FOCUS_ABORT_MOTION')) capabilities.add('abort')
    if (device.has('FOCUS_TEMPERATURE')) capabilities.add('temperature')
    return capabilities
  }

  return {
    can,
    state() {
      const property = device.property(place[0])
      return {
        ...device.head(place[0]),
        moving: property?.state === 'Busy',
        positionSteps: device.number(...place),
        maxSteps: property?.kind === 'number' ? property.elements[0]?.max : undefined,
        temperatureC: device.number('FOCUS_TEMPERATURE', 'TEMPERATURE'),
      }
    },
    moveTo(steps, timeoutMs = moveMs) {
      motion.abort('another move was asked for')
      motion = new AbortController()
      return device.set(place[0], { [place[1]]: Math.round(steps) }, { timeoutMs, signal: motion.signal })
    },
    abort() {
      motion.abort('the motion was aborted')
      if (!device.has('FOCUS_ABORT_MOTION')) return cannot(device, 'stop')
      return device.set('FOCUS_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted })
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

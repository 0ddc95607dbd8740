import type { IndiClient } from '../indi/client.ts'
import { judgeAccepted } from '../indi/command.ts'
import { findNumber, findProperty, findSwitch } from '../indi/properties.ts'
import type { Focuser } from './focuser.ts'

const moveMs = 120_000
const position = 'ABS_FOCUS_POSITION'
const positionElement = 'FOCUS_ABSOLUTE_POSITION'

/** A focuser behind any INDI driver with absolute positions. */
export function createIndiFocuser(client: IndiClient, device: string): Focuser {
  let motion = new AbortController()
  void client.connectDevice(device)

  const abort: Focuser['abort'] = () => {
    motion.abort('the motion was aborted')
    return client.set(device, 'FOCUS_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted })
  }

  return {
    state() {
      const property = findProperty(client.state, device, position)
      return {
        source: `INDI ${device}`,
        atMs: client.heardAtMs(device),
        connected:
          client.open && property !== undefined && findSwitch(client.state, device, 'CONNECTION', 'CONNECT') === true,
        moving: property?.state === 'Busy',
        positionSteps: findNumber(client.state, device, position, positionElement),
        maxSteps: property?.kind === 'number' ? property.elements[0]?.max : undefined,
        temperatureC: findNumber(client.state, device, 'FOCUS_TEMPERATURE', 'TEMPERATURE'),
      }
    },
    moveTo(steps, timeoutMs = moveMs) {
      motion.abort('another move was asked for')
      motion = new AbortController()
      const values = { [positionElement]: Math.round(steps) }
      return client.set(device, position, values, { timeoutMs, signal: motion.signal })
    },
    abort,
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

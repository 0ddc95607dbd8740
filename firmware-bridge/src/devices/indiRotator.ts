/** A camera rotator behind any INDI driver. */
import type { IndiClient } from '../indi/client.ts'
import { type Judge, judgeAccepted } from '../indi/command.ts'
import type { Property } from '../indi/properties.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import { angleBetweenDeg, cannot, type IndiDevice, judgeFinished, openIndiDevice } from './indiDevice.ts'
import type { Capability } from './kinds.ts'
import type { Rotator } from './rotator.ts'

export const indiRotatorCard = driverCard('rotator', 'INDI', ['rotateTo', 'sync', 'reverse', 'abort'])

const turnMs = 180_000
const syncMs = 5_000
/** Rotators stop at whole steps of their gears. */
const arrivedDeg = 0.5
const angle = ['ABS_ROTATOR_ANGLE', 'ANGLE'] as const

export function createIndiRotator(client: IndiClient, name: string): Rotator {
  const device = openIndiDevice(client, name)
  let motion = new AbortController()
  return {
    can: () => capabilities(device),
    state: () => ({
      ...device.head(angle[0]),
      moving: device.isBusy(angle[0]),
      angleDeg: device.number(...angle),
      reversed: device.isOn('ROTATOR_REVERSE', 'INDI_ENABLED') === true,
    }),
    rotateTo(angleDeg, timeoutMs = turnMs) {
      if (!isAngle(angleDeg)) return Promise.resolve(failure('the angle is 0 to 360°, 360 not included'))
      motion.abort('another angle was asked for')
      motion = new AbortController()
      const options = { timeoutMs, judge: judgeAngle(angleDeg), signal: motion.signal }
      return device.set(angle[0], { ANGLE: angleDeg }, options)
    },
    sync: (angleDeg) =>
      isAngle(angleDeg) ? sync(device, angleDeg) : Promise.resolve(failure('the angle is 0 to 360°, 360 not included')),
    reverse: (reversed) =>
      device.has('ROTATOR_REVERSE')
        ? device.set('ROTATOR_REVERSE', { INDI_ENABLED: reversed, INDI_DISABLED: !reversed }, { keep: true })
        : cannot(device, 'be reversed'),
    abort() {
      motion.abort('the motion was aborted')
      if (!device.has('ROTATOR_ABORT_MOTION')) return cannot(device, 'stop')
      return device.set('ROTATOR_ABORT_MOTION', { ABORT: true }, { judge: judgeAccepted })
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

function capabilities(device: IndiDevice): ReadonlySet<Capability<'rotator'>> {
  const can = new Set<Capability<'rotator'>>()
  if (device.has(...angle)) can.add('rotateTo')
  if (device.has('SYNC_ROTATOR_ANGLE')) can.add('sync')
  if (device.has('ROTATOR_REVERSE')) can.add('reverse')
  if (device.has('ROTATOR_ABORT_MOTION')) can.add('abort')
  return can
}

const isAngle = (angleDeg: number): boolean => angleDeg >= 0 && angleDeg < 360

const judgeAngle =
  (wantedDeg: number): Judge =>
  (property: Property) => {
    if (property.state === 'Alert') return { refused: 'the rotator reports Alert' }
    if (property.state === 'Busy') return 'wait'
    const hereDeg = property.kind === 'number' ? (property.elements[0]?.value ?? Number.NaN) : Number.NaN
    if (angleBetweenDeg(hereDeg, wantedDeg) <= arrivedDeg) return 'done'
    return { refused: `the rotator stands at ${hereDeg.toFixed(1)}°` }
  }

/** The driver tells its new angle after it has taken the sync. */
async function sync(device: IndiDevice, angleDeg: number): Promise<Outcome> {
  if (!device.has('SYNC_ROTATOR_ANGLE')) return cannot(device, 'be synced')
  const outcome = await device.set('SYNC_ROTATOR_ANGLE', { ANGLE: angleDeg }, { judge: judgeFinished })
  if (!outcome.ok) return outcome
  device.client.readBack(device.name, angle[0])
  const isThere = (): true | undefined =>
    angleBetweenDeg(device.number(...angle) ?? Number.NaN, angleDeg) <= arrivedDeg || undefined
  return (await device.client.waitFor(isThere, syncMs)) ? done : failure(`${device.name} kept its angle`)
}

/** A mount's movements by hand and its home position, over INDI. */
import { holds, type Judge, judgeAccepted } from '../indi/command.ts'
import { failure, type Outcome } from '../outcome.ts'
import { type IndiDevice, judgeFinished } from './indiDevice.ts'
import type { Direction } from './mount.ts'

const switches = {
  north: ['TELESCOPE_MOTION_NS', 'MOTION_NORTH'],
  south: ['TELESCOPE_MOTION_NS', 'MOTION_SOUTH'],
  west: ['TELESCOPE_MOTION_WE', 'MOTION_WEST'],
  east: ['TELESCOPE_MOTION_WE', 'MOTION_EAST'],
} as const

export const canMove = (device: IndiDevice): boolean =>
  device.has('TELESCOPE_MOTION_NS') && device.has('TELESCOPE_MOTION_WE')

export const isMovedByHand = (device: IndiDevice): boolean =>
  (['TELESCOPE_MOTION_NS', 'TELESCOPE_MOTION_WE'] as const).some((name) => {
    const property = device.property(name)
    return property?.kind === 'switch' && property.state === 'Busy' && property.elements.some(({ value }) => value)
  })

/** A motion stays Busy as long as it lasts: the switch says that it has begun. */
const judgeMoving: Judge = (property, asked) => {
  if (property.state === 'Alert') return { refused: 'the mount reports Alert' }
  return holds(property, asked) ? 'done' : { refused: 'the mount does not move' }
}

/** Starts to move; `speed` in (0, 1] picks one of the mount's own speeds. */
export async function moveByHand(device: IndiDevice, direction: Direction, speed: number): Promise<Outcome> {
  if (!(speed > 0 && speed <= 1)) return failure('the speed is a fraction of the fastest, above 0 and at most 1')
  const rates = device.property('TELESCOPE_SLEW_RATE')?.elements ?? []
  const rate = rates[Math.ceil(speed * rates.length) - 1]
  if (rate) {
    const chosen = await device.client.set(device.name, 'TELESCOPE_SLEW_RATE', { [rate.name]: true })
    if (!chosen.ok) return chosen
  }
  const [property, element] = switches[direction]
  return device.client.set(device.name, property, { [element]: true }, { judge: judgeMoving })
}

/** Ends movements by hand on both axes. */
export async function halt(device: IndiDevice): Promise<Outcome> {
  const northSouth = await device.set(
    'TELESCOPE_MOTION_NS',
    { MOTION_NORTH: false, MOTION_SOUTH: false },
    { judge: judgeAccepted },
  )
  const westEast = await device.set(
    'TELESCOPE_MOTION_WE',
    { MOTION_WEST: false, MOTION_EAST: false },
    { judge: judgeAccepted },
  )
  return northSouth.ok ? westEast : northSouth
}

/** Elements that start the way home: the standard's, then those of single drivers. */
const homeElements = ['FIND', 'GO', 'FindHome', 'GO_HOME', 'HOME'] as const

const homeElement = (device: IndiDevice): string | undefined => {
  const elements = device.property('TELESCOPE_HOME')?.elements ?? []
  return homeElements.find((name) => elements.some((element) => element.name === name))
}

export const canHome = (device: IndiDevice): boolean => homeElement(device) !== undefined

export function goHome(device: IndiDevice, timeoutMs: number, signal: AbortSignal): Promise<Outcome> {
  const options = { timeoutMs, signal, judge: judgeFinished }
  return device.client.set(device.name, 'TELESCOPE_HOME', { [homeElement(device) ?? 'FIND']: true }, options)
}

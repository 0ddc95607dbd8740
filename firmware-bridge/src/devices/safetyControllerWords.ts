/** What the devices behind one safety controller have in common. */
import type { ControllerReport, Fault } from '../safety-controller/commands.ts'
import type { ControllerSession } from '../safety-controller/session.ts'
import type { DeviceState, DriverCard } from './device.ts'
import type { Capability, Kind } from './kinds.ts'

export function head(session: ControllerSession): DeviceState {
  const firmware = session.identity ? ` ${session.identity.firmware}` : ''
  return {
    source: `safety controller${firmware} on ${session.name}`,
    atMs: session.heardAtMs,
    connected: session.report !== undefined,
  }
}

/** All of the card once the controller has said who it is. */
export function capabilities<K extends Kind>(
  session: ControllerSession,
  card: DriverCard<K>,
): ReadonlySet<Capability<K>> {
  return new Set(session.identity ? card.can : [])
}

const faults: Readonly<Record<Fault, string | undefined>> = {
  none: undefined,
  'both-switches': 'both end switches at once',
  'motor-timeout': 'motor time-out: the end switch did not come',
  'over-current': 'over-current: something is in the way',
  'stuck-switch': 'stuck end switch: it stayed made while the motor ran',
}

export const faultWords = (fault: Fault): string | undefined => faults[fault]

export function demandWords({ demand }: ControllerReport): string[] {
  const words: string[] = []
  if (demand.rain) words.push('rain')
  if (demand.mains) words.push('mains lost')
  if (demand.silence) words.push('no heartbeat')
  return words
}

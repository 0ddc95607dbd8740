/** The safety side of our controller: its contacts, its judgement and its dead man's switch. */
import { done } from '../outcome.ts'
import type { ControllerSession } from '../safety-controller/session.ts'
import { driverCard } from './device.ts'
import type { Safety, SafetyState } from './safety.ts'
import { capabilities, demandWords, faultWords, head } from './safetyControllerWords.ts'

export const safetyControllerSafetyCard = driverCard('safety', 'Nightjar safety controller', [
  'verdict',
  'rain',
  'mains',
  'mountParked',
  'heartbeat',
])

export function createControllerSafety(session: ControllerSession): Safety {
  return {
    can: () => capabilities(session, safetyControllerSafetyCard),
    state: () => stateOf(session),
    async heartbeat() {
      const accepted = await session.request({ verb: 'HEART' })
      return accepted.ok ? done : accepted
    },
    async [Symbol.asyncDispose]() {},
  }
}

function stateOf(session: ControllerSession): SafetyState {
  const { report } = session
  if (!report) return { ...head(session), safe: false, reasons: [session.trouble ?? 'the controller is silent'] }
  const reasons = demandWords(report)
  if (report.inputs.mainsLost && !report.demand.mains) reasons.push('mains lost')
  const fault = faultWords(report.fault)
  if (fault !== undefined) reasons.push(fault)
  return {
    ...head(session),
    safe: reasons.length === 0,
    reasons,
    raining: report.inputs.rain,
    mainsLost: report.inputs.mainsLost,
    mountParked: report.inputs.parked,
  }
}

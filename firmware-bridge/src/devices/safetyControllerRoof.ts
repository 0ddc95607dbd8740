/** The roof behind our safety controller. `open` and `closed` are its end switches', heard within the last seconds. */
import { done, failure, type Outcome } from '../outcome.ts'
import type { ControllerReport } from '../safety-controller/commands.ts'
import type { ControllerSession } from '../safety-controller/session.ts'
import { driverCard } from './device.ts'
import type { Roof, RoofPosition, RoofState } from './roof.ts'
import { capabilities, demandWords, faultWords, head } from './safetyControllerWords.ts'

export const safetyControllerRoofCard = driverCard('roof', 'Nightjar safety controller', [
  'open',
  'close',
  'abort',
  'endSwitches',
])

/** Longer than any motor time-out that the settings allow by default; the controller itself stops the motor earlier. */
const moveMs = 180_000

export function createControllerRoof(session: ControllerSession): Roof {
  let motion = new AbortController()

  async function moveTo(end: 'open' | 'closed', timeoutMs: number): Promise<Outcome> {
    motion.abort(`${end} was asked for`)
    motion = new AbortController()
    const { signal } = motion
    const accepted = await session.request({ verb: end === 'open' ? 'OPEN' : 'CLOSE' })
    if (!accepted.ok) return accepted
    // What was known before the command says nothing about it.
    await session.look()
    const outcome = await session.waitFor((report) => judge(report, end, session), timeoutMs, signal)
    if (outcome) return outcome
    return failure(signal.aborted ? String(signal.reason) : `the roof was not ${end} within ${timeoutMs / 1000} s`)
  }

  return {
    can: () => capabilities(session, safetyControllerRoofCard),
    state: () => stateOf(session),
    open: (timeoutMs = moveMs) => moveTo('open', timeoutMs),
    close: (timeoutMs = moveMs) => moveTo('closed', timeoutMs),
    async abort() {
      motion.abort('the motion was aborted')
      const accepted = await session.request({ verb: 'STOP' })
      return accepted.ok ? done : accepted
    },
    async turnTo() {
      return failure('a roll-off roof does not turn')
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
    },
  }
}

function stateOf(session: ControllerSession): RoofState {
  const { report } = session
  return { ...head(session), position: positionOf(report), fault: report && faultWords(report.fault) }
}

/** A switch that the controller does not believe confirms nothing. */
export function positionOf(report: ControllerReport | undefined): RoofPosition {
  if (!report) return 'unknown'
  if (report.motor !== 'still') return report.motor
  if (report.fault === 'stuck-switch' || report.fault === 'both-switches') return 'unknown'
  return report.position === 'open' || report.position === 'closed' ? report.position : 'unknown'
}

/** What a motion towards `end` has come to; undefined while it is under way. */
function judge(report: ControllerReport | undefined, end: 'open' | 'closed', session: ControllerSession) {
  if (!report) return failure(session.trouble ?? 'the controller is lost')
  if (positionOf(report) === end) return done
  const fault = faultWords(report.fault)
  if (fault !== undefined) return failure(`the roof stopped: ${fault}`)
  const wanted = end === 'open' ? 'opening' : 'closing'
  if (report.motor === wanted || report.waitsFor === 'pause') {
    return end === 'open' && demandWords(report).length > 0 ? closing(report) : undefined
  }
  if (report.motor === 'closing') return closing(report)
  return failure(report.inputs.parked ? 'the roof was stopped on its way' : 'the roof stopped: the mount left its park')
}

const closing = (report: ControllerReport): Outcome =>
  failure(`the controller closes the roof: ${demandWords(report).join(', ')}`)

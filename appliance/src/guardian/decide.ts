/**
 * What the guardian does, as one pure function of what it sees. It has one goal: unless all is well, the mount is down and
 * then the roof is closed. Whatever has not been heard, or not recently, is taken as the worst.
 */
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { GuardianPolicy } from './policy.ts'

/** Ages are milliseconds since the thing was last heard; Infinity when it never was. */
export interface DaemonView {
  /** `none`: no daemon has said hello to this guardian. `left`: it said goodbye. */
  readonly link: 'none' | 'open' | 'lost' | 'left'
  readonly beatAgeMs: number
  readonly healthAgeMs: number
  /** The process that said hello still exists. */
  readonly processAlive: boolean
}

/** `undefined` for a site that has none. */
export interface MountView {
  readonly ageMs: number
  readonly parked: boolean
  /** On its way somewhere, the park position included. */
  readonly slewing: boolean
  readonly tracking: boolean
}

export interface RoofView {
  readonly ageMs: number
  readonly position: RoofPosition
}

/** One source of warnings: a weather station, a safety controller, a supply. */
export interface InputView {
  readonly name: string
  readonly ageMs: number
  readonly limitMs: number
  /** Its silence closes the roof. */
  readonly required: boolean
  /** What it must tell to count as heard. */
  readonly tells: readonly ('rain' | 'mains')[]
  readonly raining?: boolean | undefined
  readonly mainsLost?: boolean | undefined
  /** Its own verdict is bad enough to close. */
  readonly unsafe: boolean
  readonly reason?: string | undefined
}

/** What the guardian remembers from one decision to the next. Times are of the clock that never jumps. */
export interface GuardianMemory {
  /** Since when it is bringing the mount down and the roof to; undefined while it is not. */
  readonly closingSinceMs?: number | undefined
  readonly parkAskedMs?: number | undefined
  readonly closeAskedMs?: number | undefined
  readonly stopAskedMs?: number | undefined
  readonly killAskedMs?: number | undefined
  readonly mainsLostSinceMs?: number | undefined
  /** When an input was last bad or silent. */
  readonly badInputMs?: number | undefined
  /** Since when all is down and nobody is there. */
  readonly quietSinceMs?: number | undefined
}

export interface GuardianState {
  readonly policy: GuardianPolicy
  readonly nowMs: number
  readonly startedMs: number
  readonly daemon: DaemonView
  readonly mount: MountView | undefined
  /** The controller's own sensor of the mount's park position: undefined when it does not tell. */
  readonly parkedSensor: { readonly ageMs: number; readonly parked: boolean | undefined } | undefined
  readonly roof: RoofView | undefined
  readonly inputs: readonly InputView[]
  /** The latest command of this kind came to nothing: refused, or nobody there to take it. */
  readonly failed: { readonly park: boolean; readonly close: boolean }
  /** The guardian was told to stop: it closes first. */
  readonly stopping: boolean
  readonly memory: GuardianMemory
}

export type CauseKind = 'daemon' | 'rain' | 'unsafe' | 'mains' | 'stale' | 'stopping'

/** Why the roof has to be closed. */
export interface Cause {
  readonly kind: CauseKind
  readonly text: string
}

export type GuardianAction =
  /** SIGKILL to the daemon that hangs, or does not park, with the mount's port in its hands. */
  | { readonly type: 'killDaemon' }
  | { readonly type: 'park'; readonly abortFirst: boolean }
  /** Ends every motion of a mount that must not move where it is. */
  | { readonly type: 'stopMount' }
  | { readonly type: 'closeRoof'; readonly overMount: boolean }
  /** The mount has left its park position under a roof that is closing. */
  | { readonly type: 'stopRoof' }
  | { readonly type: 'end' }

/** `watching`: nothing to do. `closing`: on the way down. `down`: mount parked, roof closed, and a cause to keep them so. */
export type Phase = 'watching' | 'closing' | 'down'

export interface GuardianDecision {
  readonly phase: Phase
  readonly causes: readonly Cause[]
  readonly actions: readonly GuardianAction[]
  /** What a person should see to. */
  readonly alarms: readonly string[]
  /** Feed the controller's dead man's switch. */
  readonly feed: boolean
  /** The roof may be opened, as far as the guardian sees. */
  readonly mayOpen: boolean
  /** The mount is confirmed down: the roof may move. */
  readonly mountDown: boolean
  readonly memory: GuardianMemory
}

export function decideGuardian(state: GuardianState): GuardianDecision {
  const causes = findCauses(state)
  const roofClosed = isRoofClosed(state)
  const finished = roofClosed && (isMountDown(state, 0) || mustStayWhereItIs(state))
  const closing = !finished && (causes.length > 0 || state.memory.closingSinceMs !== undefined)
  const memory = remember(state, causes, closing, finished)
  const mountDown = isMountDown(state, memory.closingSinceMs ?? 0)
  const actions = closing
    ? bringDown({ ...state, memory }, causes, roofClosed, mountDown)
    : rest(state, finished, memory)
  return {
    phase: closing ? 'closing' : causes.length > 0 ? 'down' : 'watching',
    causes,
    actions,
    alarms: findAlarms(state, memory, mountDown),
    // While the mount is still up, the dead man's switch must not close the roof over it; once it is down, a switch that
    // runs out is one more hand that closes.
    feed: causes.length === 0 || (closing && !mountDown && !mayCloseOverMount(state, memory, causes)),
    mayOpen:
      !closing && causes.length === 0 && !isDaemonGone(state) && areInputsHeard(state) && hasCleared(state, memory),
    mountDown,
    memory: actions.reduce((held, action) => noteAction(held, action, state.nowMs), memory),
  }
}

// Why ---------------------------------------------------------------------------------------------------------------------

function findCauses(state: GuardianState): Cause[] {
  const inputs = state.inputs.flatMap((input) => inputCauses(input, state))
  const stopping: Cause[] = state.stopping ? [{ kind: 'stopping', text: 'the guardian was told to stop' }] : []
  return [...daemonCauses(state), ...inputs, ...mainsCauses(state), ...stopping]
}

const isStarting = (state: GuardianState): boolean => state.nowMs - state.startedMs <= state.policy.startGraceMs

function daemonCauses(state: GuardianState): Cause[] {
  const text = daemonTrouble(state)
  return text === undefined ? [] : [{ kind: 'daemon', text }]
}

function daemonTrouble({ daemon, policy, ...state }: GuardianState): string | undefined {
  if (daemon.link === 'left') return 'the daemon has ended'
  if (daemon.link === 'none') return isStarting({ daemon, policy, ...state }) ? undefined : 'there is no daemon'
  if (daemon.link === 'lost' && !daemon.processAlive) return 'the daemon has died'
  if (!(daemon.beatAgeMs <= policy.beatLimitMs)) return 'the daemon is silent'
  return daemon.healthAgeMs <= policy.healthLimitMs ? undefined : "the daemon's work stands still"
}

/** The daemon cannot be asked to do anything. */
const isDaemonGone = (state: GuardianState): boolean =>
  daemonTrouble(state) !== undefined || state.daemon.link === 'none'

function inputCauses(input: InputView, state: GuardianState): Cause[] {
  if (isSilent(input)) {
    if (!input.required || (input.ageMs === Number.POSITIVE_INFINITY && isStarting(state))) return []
    return [{ kind: 'stale', text: `${input.name} is silent` }]
  }
  const causes: Cause[] = []
  if (input.raining === true) causes.push({ kind: 'rain', text: `${input.name}: rain` })
  else if (mustTell(input, 'rain') && input.raining === undefined)
    causes.push({ kind: 'stale', text: `${input.name} does not tell whether it rains` })
  if (input.unsafe) causes.push({ kind: 'unsafe', text: `${input.name}: ${input.reason ?? 'unsafe'}` })
  return causes
}

const areInputsHeard = ({ inputs }: GuardianState): boolean =>
  inputs.every((input) => !input.required || !isSilent(input))

const isSilent = (input: InputView): boolean => !(input.ageMs <= input.limitMs)

const mustTell = (input: InputView, what: 'rain' | 'mains'): boolean => input.required && input.tells.includes(what)

function mainsCauses({ policy, nowMs, memory, inputs }: GuardianState): Cause[] {
  const losing = inputs.find(losesMains)
  if (!losing) return []
  const sinceMs = memory.mainsLostSinceMs ?? nowMs
  return nowMs - sinceMs > policy.mainsLimitMs ? [{ kind: 'mains', text: `${losing.name}: the mains are lost` }] : []
}

/** A supply that should tell and does not is taken as running on its battery. */
function losesMains(input: InputView): boolean {
  if (!input.tells.includes('mains')) return false
  if (isSilent(input)) return false
  return input.mainsLost === true || (input.mainsLost === undefined && input.required)
}

// What is sure ------------------------------------------------------------------------------------------------------------

const isFresh = (reading: { readonly ageMs: number }, state: GuardianState): boolean =>
  reading.ageMs <= state.policy.readingLimitMs

/** A site without a roof has one that is always closed: only the mount is brought down. */
function isRoofClosed(state: GuardianState): boolean {
  const { roof } = state
  if (!roof) return true
  return roof.position === 'closed' && isFresh(roof, state)
}

/**
 * Down for certain, by the signals that the site has chosen, each heard recently and after `sinceMs`: what was read before
 * the decision to close may have been true only then.
 */
function isMountDown(state: GuardianState, sinceMs: number): boolean {
  const { mount, parkedSensor, policy } = state
  if (!mount) return true
  const isNew = (reading: { readonly ageMs: number }): boolean =>
    isFresh(reading, state) && state.nowMs - reading.ageMs > sinceMs
  const byMount = isNew(mount) && !isUp(mount)
  if (policy.parkedSignals === 'mount') return byMount
  const bySensor = parkedSensor?.parked === true && isNew(parkedSensor)
  if (policy.parkedSignals === 'both') return byMount && bySensor
  return bySensor && !(isFresh(mount, state) && isUp(mount))
}

const isUp = (mount: MountView): boolean => !mount.parked || mount.slewing

/** A mount that is not down under a closed roof, at a site where it would hit the roof if it moved. */
const mustStayWhereItIs = (state: GuardianState): boolean =>
  state.roof !== undefined && !state.policy.parkUnderClosedRoof && isRoofClosed(state)

/** Only rain justifies a roof that closes over a mount that is up, and only where the site says so. */
function mayCloseOverMount(
  { policy, nowMs }: GuardianState,
  memory: GuardianMemory,
  causes: readonly Cause[],
): boolean {
  if (policy.closeAnywayAfterMs === 'never' || memory.closingSinceMs === undefined) return false
  return causes.some((cause) => cause.kind === 'rain') && nowMs - memory.closingSinceMs >= policy.closeAnywayAfterMs
}

function hasCleared({ policy, nowMs }: GuardianState, memory: GuardianMemory): boolean {
  return memory.badInputMs === undefined || nowMs - memory.badInputMs >= policy.clearAfterMs
}

// What to do --------------------------------------------------------------------------------------------------------------

function bringDown(
  state: GuardianState,
  causes: readonly Cause[],
  roofClosed: boolean,
  mountDown: boolean,
): GuardianAction[] {
  const { memory } = state
  if (mountDown) return roofClosed ? [] : closeRoof(state, false)
  if (mayCloseOverMount(state, memory, causes)) return [...parkMount(state), ...closeRoof(state, true)]
  if (isRoofClosingOnMount(state)) return [...stopRoof(state), ...parkMount(state)]
  return parkMount(state)
}

const isDue = (askedMs: number | undefined, everyMs: number, nowMs: number): boolean =>
  askedMs === undefined || nowMs - askedMs >= everyMs

/** A command that came to nothing is worth another try sooner than one that may be under way. */
const repeatMs = (policy: GuardianPolicy, usualMs: number, failed: boolean): number =>
  failed ? Math.min(policy.failedRepeatMs, usualMs) : usualMs

function closeRoof({ memory, policy, nowMs, failed }: GuardianState, overMount: boolean): GuardianAction[] {
  const everyMs = repeatMs(policy, policy.closeRepeatMs, failed.close)
  return isDue(memory.closeAskedMs, everyMs, nowMs) ? [{ type: 'closeRoof', overMount }] : []
}

function parkMount(state: GuardianState): GuardianAction[] {
  const { memory, policy, nowMs, daemon, mount } = state
  if (policy.mountPortIsDaemons && daemon.processAlive) return takePort(state)
  // A slow mount on its way down is not asked again, which would begin with an abort.
  const isOnItsWay = mount !== undefined && isFresh(mount, state) && mount.slewing
  const everyMs = isOnItsWay ? policy.parkMotionMs : repeatMs(policy, policy.parkRepeatMs, state.failed.park)
  if (!isDue(memory.parkAskedMs, everyMs, nowMs)) return []
  return [{ type: 'park', abortFirst: memory.parkAskedMs !== undefined }]
}

/** The daemon holds the mount's port. It sees that the guardian closes, and parks; unless it cannot. */
function takePort(state: GuardianState): GuardianAction[] {
  const { memory, policy, nowMs } = state
  const waitedMs = nowMs - (memory.closingSinceMs ?? nowMs)
  if (daemonTrouble(state) === undefined && waitedMs < policy.takePortAfterMs) return []
  return isDue(memory.killAskedMs, policy.beatLimitMs, nowMs) ? [{ type: 'killDaemon' }] : []
}

/** Our close command is under way and the mount says, just now, that it is up. */
function isRoofClosingOnMount(state: GuardianState): boolean {
  const { mount, roof, memory } = state
  return (
    mount !== undefined &&
    isFresh(mount, state) &&
    isUp(mount) &&
    memory.closeAskedMs !== undefined &&
    roof?.position === 'closing'
  )
}

function stopRoof({ memory, policy, nowMs }: GuardianState): GuardianAction[] {
  return isDue(memory.stopAskedMs, policy.beatLimitMs / 2, nowMs) ? [{ type: 'stopRoof' }] : []
}

/** Nothing to bring down. A mount that still moves under a closed roof, with nobody to mind it, is stopped there. */
function rest(state: GuardianState, finished: boolean, memory: GuardianMemory): GuardianAction[] {
  const { policy, nowMs } = state
  if (finished && isRunaway(state))
    return isDue(memory.stopAskedMs, policy.parkRepeatMs, nowMs) ? [{ type: 'stopMount' }] : []
  return mayEnd(state, memory) ? [{ type: 'end' }] : []
}

function isRunaway(state: GuardianState): boolean {
  const { mount, policy, daemon } = state
  const mayReach = !policy.mountPortIsDaemons || !daemon.processAlive
  const moves = mount !== undefined && isFresh(mount, state) && (mount.slewing || mount.tracking)
  return moves && mayReach && daemonTrouble(state) !== undefined
}

function mayEnd({ policy, nowMs, stopping, daemon }: GuardianState, memory: GuardianMemory): boolean {
  if (memory.quietSinceMs === undefined) return false
  if (stopping) return true
  if (policy.lingerMs === 'forever') return false
  return daemon.link === 'left' || nowMs - memory.quietSinceMs >= policy.lingerMs
}

function findAlarms(state: GuardianState, memory: GuardianMemory, mountDown: boolean): string[] {
  if (memory.closingSinceMs === undefined)
    return !mountDown && daemonTrouble(state) !== undefined ? ['the mount is not down, under a closed roof'] : []
  const waitedMs = state.nowMs - (memory.closingSinceMs ?? state.nowMs)
  if (waitedMs < state.policy.parkPatienceMs) return []
  return [mountDown ? 'the roof does not close' : 'the mount does not park: the roof stays as it is']
}

// Memory ------------------------------------------------------------------------------------------------------------------

function remember(state: GuardianState, causes: readonly Cause[], closing: boolean, finished: boolean): GuardianMemory {
  const { memory, nowMs } = state
  const bad = causes.some((cause) => cause.kind !== 'daemon' && cause.kind !== 'stopping')
  const quiet = finished && (state.stopping || (isMountDown(state, 0) && isDaemonGone(state)))
  return {
    ...(closing
      ? { ...memory, closingSinceMs: memory.closingSinceMs ?? nowMs }
      : {
          ...memory,
          closingSinceMs: undefined,
          parkAskedMs: undefined,
          closeAskedMs: undefined,
          killAskedMs: undefined,
        }),
    mainsLostSinceMs: state.inputs.some(losesMains) ? (memory.mainsLostSinceMs ?? nowMs) : undefined,
    badInputMs: bad ? nowMs : memory.badInputMs,
    quietSinceMs: quiet ? (memory.quietSinceMs ?? nowMs) : undefined,
  }
}

function noteAction(memory: GuardianMemory, action: GuardianAction, nowMs: number): GuardianMemory {
  switch (action.type) {
    case 'park':
      return { ...memory, parkAskedMs: nowMs }
    case 'closeRoof':
      return { ...memory, closeAskedMs: nowMs }
    // A roof that was stopped is asked to close anew as soon as the mount is down.
    case 'stopRoof':
      return { ...memory, stopAskedMs: nowMs, closeAskedMs: undefined }
    case 'stopMount':
      return { ...memory, stopAskedMs: nowMs }
    case 'killDaemon':
      return { ...memory, killAskedMs: nowMs }
    case 'end':
      return memory
  }
}

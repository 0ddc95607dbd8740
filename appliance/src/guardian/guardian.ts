/** The thin shell around `decideGuardian`: looks, has it decided, does it, writes it down. It never waits for a device. */
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { DaemonPort } from './daemonPort.ts'
import { decideGuardian, type GuardianAction, type GuardianDecision, type GuardianState } from './decide.ts'
import type { GuardedDevices, Told } from './devices.ts'
import type { GuardianJournal } from './journal.ts'
import type { GuardianPolicy } from './policy.ts'
import { type GuardianStatus, type ProcessIdentity, protocolVersion } from './protocol.ts'

export interface GuardianParts {
  readonly policy: GuardianPolicy
  readonly clock: Clock
  readonly devices: GuardedDevices
  readonly daemon: Pick<DaemonPort, 'view' | 'toldMount' | 'kill'>
  readonly journal: Pick<GuardianJournal, 'write' | 'lost'>
  readonly identity: ProcessIdentity
}

export interface Guardian {
  /** Resolves when it has ended by itself: all down, and nobody there or told to stop. */
  run(signal: AbortSignal): Promise<void>
  /** Closes, then ends. */
  stop(): void
  status(): GuardianStatus
  /** What a client of the served roof may do now. */
  readonly latest: GuardianDecision
}

/** How often it looks when nothing happens; an answer of a device is looked at as it comes. */
const tickMs = 100
/** How often the mount and the roof are asked, at rest and while they are brought down. */
const readMs = { watching: 500, closing: 200 } as const
/** The controller's dead man waits 30 s. */
const feedMs = 1_000
const feedAgainMs = 250
const rememberedActions = 8

export function createGuardian(parts: GuardianParts): Guardian {
  const { policy, clock, devices, daemon, journal } = parts
  const startedMs = clock.monotonic()
  const ages = createAges(clock)
  const recent: { atMs: number; text: string }[] = []
  let wake = Promise.withResolvers<void>()
  const failed = { park: false, close: false }
  let stopping = false
  let ended = false
  let readAtMs = Number.NEGATIVE_INFINITY
  let fedAtMs = Number.NEGATIVE_INFINITY
  let state = look({})
  let decision = decideGuardian(state)

  function look(memory: GuardianState['memory']): GuardianState {
    const mount = lookAtMount()
    const roof = devices.roof && ages.of('roof', devices.roof.reading())
    const sensor = devices.parkedSensor && ages.of('sensor', devices.parkedSensor())
    return {
      policy,
      nowMs: clock.monotonic(),
      startedMs,
      daemon: daemon.view(),
      mount,
      roof: roof && { ageMs: roof.ageMs, position: roof.value ?? 'unknown' },
      parkedSensor: sensor && { ageMs: sensor.ageMs, parked: sensor.value },
      inputs: devices.inputs.map((input) => {
        const { name, limitMs, required, tells } = input
        const told = ages.of(`input ${name}`, input.reading())
        return { name, limitMs, required, tells, ageMs: told.ageMs, ...(told.value ?? { unsafe: false }) }
      }),
      failed: { ...failed },
      stopping,
      memory,
    }
  }

  /** Our own reading, or the daemon's while it holds the mount's port. */
  function lookAtMount(): GuardianState['mount'] {
    if (!devices.mount) return undefined
    const own = ages.of('mount', devices.mount.reading())
    const told = policy.mountPortIsDaemons && daemon.view().processAlive ? daemon.toldMount() : undefined
    return told ?? { ageMs: own.ageMs, ...(own.value ?? { parked: false, slewing: false, tracking: false }) }
  }

  function step(): void {
    state = look(decision.memory)
    const before = decision
    decision = decideGuardian(state)
    record(before, decision)
    for (const action of decision.actions) perform(action)
    if (decision.phase === 'watching' && state.daemon.link === 'open') void devices.releaseMount?.()
    keepAlive()
  }

  function keepAlive(): void {
    const nowMs = clock.monotonic()
    if (decision.feed && nowMs - fedAtMs >= feedMs) feed(nowMs)
    if (nowMs - readAtMs < readMs[decision.phase === 'closing' ? 'closing' : 'watching']) return
    readNow()
  }

  function feed(nowMs: number): void {
    fedAtMs = nowMs
    // One that came to nothing is tried again soon: the controller refuses to open before it has heard the first.
    const missed = (outcome: Outcome): void => {
      if (!outcome.ok) fedAtMs = nowMs - feedMs + feedAgainMs
    }
    void devices.feed?.().catch(asFailure).then(missed)
  }

  function readNow(): void {
    readAtMs = clock.monotonic()
    devices.mount?.read()
    devices.roof?.read()
  }

  function perform(action: GuardianAction): void {
    const text = describe(action)
    recent.push({ atMs: clock.now(), text })
    if (recent.length > rememberedActions) recent.shift()
    journal.write('action', { ...action, text })
    if (action.type === 'end') ended = true
    else
      void carryOut(action)
        .catch(asFailure)
        .then((outcome) => settle(action, outcome))
  }

  function settle(action: GuardianAction, outcome: Outcome): void {
    if (action.type === 'park') failed.park = !outcome.ok
    if (action.type === 'closeRoof') failed.close = !outcome.ok
    journal.write('outcome', { action: action.type, ...outcome })
  }

  async function carryOut(action: Exclude<GuardianAction, { type: 'end' }>): Promise<Outcome> {
    const { mount, roof } = devices
    const missing: Outcome = { ok: false, reason: 'there is no such device' }
    switch (action.type) {
      case 'park':
        if (action.abortFirst) await mount?.abort()
        return (await mount?.park(policy.parkMotionMs)) ?? missing
      case 'stopMount':
        return (await mount?.stop()) ?? missing
      case 'closeRoof':
        return (await roof?.close(policy.closeRepeatMs)) ?? missing
      case 'stopRoof':
        return (await roof?.abort()) ?? missing
      case 'killDaemon':
        return daemon.kill() ? { ok: true } : { ok: false, reason: 'the daemon is gone already' }
    }
  }

  function record(before: GuardianDecision, after: GuardianDecision): void {
    const texts = (one: GuardianDecision): string[] => one.causes.map((cause) => cause.text)
    if (String(texts(before)) !== String(texts(after))) journal.write('causes', { causes: texts(after) })
    if (before.phase !== after.phase) {
      journal.write('phase', { phase: after.phase, ...situation() })
      // What was read before the decision to close proves nothing: ask again at once.
      if (after.phase === 'closing') readNow()
    }
    for (const alarm of after.alarms) if (!before.alarms.includes(alarm)) journal.write('alarm', { alarm })
  }

  const situation = (): Record<string, unknown> => ({ mount: state.mount, roof: state.roof, daemon: state.daemon.link })

  return {
    get latest() {
      return decision
    },
    stop() {
      stopping = true
      wake.resolve()
    },
    status: () => ({
      type: 'status',
      version: protocolVersion,
      ...parts.identity,
      phase: decision.phase,
      causes: decision.causes.map((cause) => cause.text),
      alarms: decision.alarms,
      mayOpen: decision.mayOpen,
      mountDown: decision.mountDown,
      mount: state.mount ? { parked: state.mount.parked, ageMs: finite(state.mount.ageMs) } : null,
      roof: state.roof ? { position: state.roof.position, ageMs: finite(state.roof.ageMs) } : null,
      inputs: state.inputs.map(({ name, ageMs }) => ({ name, ageMs: finite(ageMs) })),
      actions: recent,
    }),
    async run(signal) {
      const unlisten = devices.listen(() => wake.resolve())
      while (!ended && !signal.aborted) {
        step()
        const woken = new AbortController()
        await Promise.race([clock.sleep(tickMs, AbortSignal.any([signal, woken.signal])), wake.promise]).catch(
          () => undefined,
        )
        woken.abort()
        wake = Promise.withResolvers()
      }
      unlisten()
    },
  }
}

/** No command may end the guardian. */
const asFailure = (error: unknown): Outcome => ({
  ok: false,
  reason: error instanceof Error ? error.message : String(error),
})

const finite = (ageMs: number): number | null => (Number.isFinite(ageMs) ? Math.round(ageMs) : null)

function describe(action: GuardianAction): string {
  switch (action.type) {
    case 'park':
      return action.abortFirst ? 'abort and park the mount again' : 'park the mount'
    case 'stopMount':
      return 'stop the mount where it is'
    case 'closeRoof':
      return action.overMount ? 'close the roof over a mount that does not park' : 'close the roof'
    case 'stopRoof':
      return 'stop the roof: the mount has left its park position'
    case 'killDaemon':
      return "end the daemon, which has the mount's port"
    case 'end':
      return 'end: all is down and nobody is here'
  }
}

interface Aged<T> {
  readonly ageMs: number
  readonly value: T | undefined
}

/**
 * Ages by a clock that never jumps. The devices' stamps are of the wall clock, so they serve only to see that something
 * new was told: set back an hour, they would make an old reading fresh for an hour.
 */
function createAges(clock: Clock): { of<T>(name: string, told: Told<T> | undefined): Aged<T> } {
  const heard = new Map<string, { stampMs: number; atMs: number; value: unknown }>()
  return {
    of<T>(name: string, told: Told<T> | undefined): Aged<T> {
      const before = heard.get(name)
      const atMs = clock.monotonic()
      if (told && told.atMs !== before?.stampMs) heard.set(name, { stampMs: told.atMs, atMs, value: told.value })
      // The same stamp with another value: two messages in one millisecond.
      else if (told && before) before.value = told.value
      const held = heard.get(name)
      if (!held) return { ageMs: Number.POSITIVE_INFINITY, value: undefined }
      return { ageMs: atMs - held.atMs, value: held.value as T }
    },
  }
}

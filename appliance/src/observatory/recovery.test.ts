import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { describe, expect, it } from 'vitest'
import { createRecovery, defaultRecoveryLimits, nextPosition, type Patient, type Rung, rungs } from './recovery.ts'

const all = new Set(rungs)
const { budgets } = defaultRecoveryLimits

/** A camera that one rung helps, a while after it. */
function patientHelpedBy(rung: Rung | undefined, clock: VirtualClock, afterMs = 1_000) {
  let wellAtMs = Number.POSITIVE_INFINITY
  const tried: string[] = []
  const remedy = (own: Rung) => async (): Promise<Outcome> => {
    tried.push(own)
    if (own === rung) wellAtMs = clock.monotonic() + afterMs
    return done
  }
  const patient: Patient = {
    device: 'CCD',
    kind: 'camera',
    isWell: () => clock.monotonic() >= wellAtMs,
    remedies: Object.fromEntries(rungs.map((own) => [own, remedy(own)])),
  }
  const fallIll = (): void => {
    wellAtMs = Number.POSITIVE_INFINITY
  }
  return { patient, tried, fallIll }
}

function recoveryOn(clock: VirtualClock) {
  const told: { type: string; body: Record<string, unknown> }[] = []
  const recovery = createRecovery({ clock, tell: (type, body) => told.push({ type, body }) })
  return { recovery, told }
}

const never = new AbortController().signal

describe('the recovery ladder', () => {
  it('climbs every rung in order, each as often as its budget says, and ends', () => {
    const path: string[] = []
    for (let at = nextPosition(undefined, all, budgets); at; at = nextPosition(at, all, budgets)) path.push(at.rung)
    expect(path).toEqual(rungs.flatMap((rung) => Array<string>(budgets[rung].attempts).fill(rung)))
  })

  it('passes over rungs that a device does not have', () => {
    const has = new Set<Rung>(['reconnect', 'powerCycle'])
    expect(nextPosition(undefined, has, budgets)).toEqual({ rung: 'reconnect', attempt: 1 })
    expect(nextPosition({ rung: 'reconnect', attempt: 2 }, has, budgets)).toEqual({ rung: 'powerCycle', attempt: 1 })
    expect(nextPosition({ rung: 'powerCycle', attempt: 1 }, has, budgets)).toBeUndefined()
  })

  it('stops at the rung that helps and tells each step with its reason', async () => {
    const clock = new VirtualClock(0)
    const { recovery, told } = recoveryOn(clock)
    const { patient, tried } = patientHelpedBy('restartDriver', clock)
    expect(await clock.run(recovery.recover(patient, 'silent for 31 s', never))).toEqual(done)
    expect(tried).toEqual(['retry', 'retry', 'reconnect', 'reconnect', 'restartDriver'])
    expect(told[0]).toMatchObject({ type: 'recovery.stepped', body: { reason: 'silent for 31 s' } })
    expect(told.at(-1)).toMatchObject({ type: 'device.recovered', body: { rung: 'restartDriver' } })
    expect(recovery.standing('CCD')).toBeUndefined()
  })

  it('gives a device up above the last rung, and says so until it is forgiven', async () => {
    const clock = new VirtualClock(0)
    const { recovery, told } = recoveryOn(clock)
    const { patient, tried } = patientHelpedBy(undefined, clock)
    expect(await clock.run(recovery.recover(patient, 'silent', never))).toMatchObject({ ok: false })
    expect(tried).toHaveLength(8)
    expect(told.at(-1)).toMatchObject({ type: 'device.givenUp' })
    expect(recovery.standing('CCD')).toBe('givenUp')
    recovery.forgive('CCD')
    expect(recovery.standing('CCD')).toBeUndefined()
    // No longer than the budgets allow: 2×3 + 2×10 + 2×20 + 30 + 45 s, and one poll a step.
    expect(clock.monotonic()).toBeLessThanOrEqual(141_000 + 8 * defaultRecoveryLimits.pollMs)
  })

  it('starts above the rung that helped a moment ago, and at the foot again later', async () => {
    const clock = new VirtualClock(0)
    const { recovery } = recoveryOn(clock)
    const { patient, tried, fallIll } = patientHelpedBy('reconnect', clock)
    await clock.run(recovery.recover(patient, 'silent', never))
    fallIll()
    tried.length = 0
    await clock.run(recovery.recover(patient, 'silent again', never))
    expect(tried[0]).toBe('restartDriver')
    await clock.advance(defaultRecoveryLimits.relapseMs + 1_000)
    recovery.forgive('CCD')
    fallIll()
    tried.length = 0
    await clock.run(recovery.recover(patient, 'silent once more', never))
    expect(tried[0]).toBe('retry')
  })

  it('begins at the foot again when the harshest rung of all is what helped a moment ago', async () => {
    const clock = new VirtualClock(0)
    const { recovery } = recoveryOn(clock)
    const { patient, tried, fallIll } = patientHelpedBy('powerCycle', clock)
    await clock.run(recovery.recover(patient, 'silent', never))
    fallIll()
    tried.length = 0
    expect(await clock.run(recovery.recover(patient, 'silent again', never))).toEqual(done)
    expect(tried[0]).toBe('retry')
  })

  it('is climbed once for two callers, and left at once when told to stop', async () => {
    const clock = new VirtualClock(0)
    const { recovery } = recoveryOn(clock)
    const { patient } = patientHelpedBy(undefined, clock)
    const stop = new AbortController()
    const first = recovery.recover(patient, 'silent', stop.signal)
    expect(recovery.recover(patient, 'silent too', stop.signal)).toBe(first)
    await clock.advance(1_000)
    stop.abort()
    expect(await clock.run(first)).toMatchObject({ ok: false, reason: expect.stringContaining('stopped') })
  })

  it('takes a remedy that fails or throws as one more reason to climb', async () => {
    const clock = new VirtualClock(0)
    const { recovery, told } = recoveryOn(clock)
    const patient: Patient = {
      device: 'Roof',
      kind: 'roof',
      isWell: () => false,
      remedies: {
        reconnect: async () => failure('no such port'),
        usbReset: () => Promise.reject(new Error('not permitted')),
      },
    }
    await clock.run(recovery.recover(patient, 'silent', never))
    expect(told.map(({ body }) => body['result']).filter(Boolean)).toEqual([
      'no such port',
      'no such port',
      'Error: not permitted',
    ])
  })
})

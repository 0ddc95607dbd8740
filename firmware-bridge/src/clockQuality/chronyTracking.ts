import type { Reading } from '../devices/poll.ts'
import { failure } from '../outcome.ts'

/** What chronyd says about the system clock, in the words of chronyc(1), `tracking`. */
export interface ChronyTracking {
  /** What the clock follows, eight hexadecimal digits: an IPv4 address, a hash of an IPv6 one, or the name of a receiver. */
  readonly referenceId: string
  readonly stratum: number
  /** System clock minus NTP time, seconds. chronyc prints the correction to come, which has the other sign. */
  readonly offsetSeconds: number
  readonly rootDelaySeconds: number
  readonly rootDispersionSeconds: number
  /** `Normal`, `Insert second`, `Delete second`, `Not synchronised`. */
  readonly leapStatus: string
}

const fieldCount = 14

/** Reads the one line of `chronyc -c tracking`. */
export function parseTracking(text: string): Reading<ChronyTracking> {
  const fields = text.trim().split('\n')[0]?.split(',') ?? []
  const number = (index: number): number => {
    const field = fields[index]?.trim() ?? ''
    return field === '' ? Number.NaN : Number(field)
  }
  const [stratum, correction, delay, dispersion] = [number(2), number(4), number(10), number(11)]
  const leapStatus = fields[13]?.trim()
  const all = [stratum, correction, delay, dispersion].every((value) => Number.isFinite(value))
  if (fields.length !== fieldCount || !all || !leapStatus || !/^[0-9A-F]{8}$/i.test(fields[0] ?? '')) {
    return failure('chronyc printed something else than its tracking line')
  }
  return {
    ok: true,
    value: {
      referenceId: (fields[0] ?? '').toUpperCase(),
      stratum,
      offsetSeconds: correction === 0 ? 0 : -correction,
      rootDelaySeconds: delay,
      rootDispersionSeconds: dispersion,
      leapStatus,
    },
  }
}

/** `local` in chrony.conf: the clock follows itself, and says it with 127.127.1.1. */
const localReference = '7F7F0101'
const noReference = '00000000'

/** True when the clock follows a source outside itself. */
export function isSynchronised(tracking: ChronyTracking): boolean {
  const { referenceId, leapStatus } = tracking
  return leapStatus !== 'Not synchronised' && referenceId !== localReference && referenceId !== noReference
}

/**
 * How far the estimate of the offset can be wrong, seconds: root dispersion + root delay / 2, the root distance of RFC 5905;
 * chronyc(1), `tracking`, gives |offset| + this as the bound on the clock's error.
 */
export function rootDistanceSeconds(tracking: ChronyTracking): number {
  return tracking.rootDispersionSeconds + tracking.rootDelaySeconds / 2
}

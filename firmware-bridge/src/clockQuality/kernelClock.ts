import type { Reading } from '../devices/poll.ts'
import { failure } from '../outcome.ts'

/** What the kernel keeps of whoever steers the clock: adjtimex(2). */
export interface KernelClock {
  readonly synchronised: boolean
  /** What is still to be slewed away, seconds, system minus true. */
  readonly offsetSeconds: number
  /** The kernel's bound on the error; it grows by 500 µs a second until somebody corrects the clock. */
  readonly maximumErrorSeconds: number
}

const statusUnsynchronised = 0x0040
const statusNanoseconds = 0x2000

/** Reads what `adjtimex --print` of Debian's package adjtimex prints: `name: value` a line. */
export function parseAdjtimex(text: string): Reading<KernelClock> {
  const number = (name: string): number =>
    Number(new RegExp(`^\\s*${name}:\\s*(-?\\d+)`, 'm').exec(text)?.[1] ?? 'none')
  const [status, offset, maximumError] = [number('status'), number('offset'), number('maxerror')]
  if (![status, offset, maximumError].every((value) => Number.isFinite(value))) {
    return failure('adjtimex printed something else than the kernel’s clock')
  }
  const unit = (status & statusNanoseconds) !== 0 ? 1e-9 : 1e-6
  return {
    ok: true,
    value: {
      synchronised: (status & statusUnsynchronised) === 0,
      offsetSeconds: offset === 0 ? 0 : -offset * unit,
      maximumErrorSeconds: maximumError / 1e6,
    },
  }
}

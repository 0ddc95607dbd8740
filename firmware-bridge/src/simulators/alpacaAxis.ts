import type { Clock } from '../clock.ts'
import { AlpacaRefusal, refusals } from './alpacaServer.ts'

/** A part that moves evenly to where it is sent. */
export interface Axis {
  position(): number
  moving(): boolean
  moveTo(target: number): void
  halt(): void
  /** Is there at once. */
  set(position: number): void
}

export function createAxis(clock: Clock, start: number, perSecond: number): Axis {
  let [from, to, startedAt] = [start, start, 0]
  const seconds = (): number => (clock.monotonic() - startedAt) / 1000
  const position = (): number => {
    const left = Math.abs(to - from) - perSecond * seconds()
    return left <= 0 ? to : to - Math.sign(to - from) * left
  }
  const begin = (here: number, target: number): void => {
    ;[from, to, startedAt] = [here, target, clock.monotonic()]
  }
  return {
    position,
    moving: () => position() !== to,
    moveTo: (target) => begin(position(), target),
    halt: () => begin(position(), position()),
    set: (here) => begin(here, here),
  }
}

/** The refusal of a value that is out of range. */
export const invalid = (words: string): AlpacaRefusal => new AlpacaRefusal(refusals.invalidValue, words)

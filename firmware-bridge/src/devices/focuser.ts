import type { Outcome } from '../outcome.ts'

export interface FocuserState {
  /** Device and protocol that say so: `INDI Focuser Simulator`. */
  readonly source: string
  /** When the focuser was last heard, Unix ms UTC; 0 when never. `clock.now() - atMs` is the age. */
  readonly atMs: number
  readonly connected: boolean
  readonly moving: boolean
  /** Undefined until the focuser has told it. */
  readonly positionSteps?: number | undefined
  readonly maxSteps?: number | undefined
  readonly temperatureC?: number | undefined
}

/** A focuser that knows where it stands. */
export interface Focuser extends AsyncDisposable {
  state(): FocuserState
  /** Resolves when it stands there. */
  moveTo(steps: number, timeoutMs?: number): Promise<Outcome>
  abort(): Promise<Outcome>
}

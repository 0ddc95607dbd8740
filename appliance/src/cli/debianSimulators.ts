import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import type { Scenario } from '../simulation/scenario.ts'

export interface DebianRequest {
  readonly scenario: Scenario
  readonly folder: string
  readonly clock: Clock
  readonly timeFactor: number
}

/** Debian's indiserver with its telescope and camera simulators, alone in a network namespace. */
export async function startDebianSimulators(_request: DebianRequest, _stack: AsyncDisposableStack): Promise<Connect> {
  throw new NightjarError('start/indi', 'not yet')
}

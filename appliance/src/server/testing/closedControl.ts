import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { done } from '@nightjar/firmware-bridge/outcome.ts'
import type { ObservatoryState } from '../../contract/observatory.ts'
import type { ObservatoryControl } from '../../observatory/control.ts'

/** An observatory that stands closed and notes what it was asked: `command park ada`, `panic ada`. */
export function closedControl(clock: Clock, asked: (line: string) => void): ObservatoryControl {
  const state = (): ObservatoryState => ({
    atMs: clock.now(),
    devices: [],
    roof: { position: 'closed' },
    mount: { connected: true, parked: true, slewing: false, tracking: false },
    safety: { state: 'safe', reasons: [] },
    denials: {},
    commands: [],
  })
  const note = (line: string): typeof done => {
    asked(line)
    return done
  }
  return {
    state,
    devices: () => [],
    command: async ({ kind }, by) => note(`command ${kind} ${by}`),
    async give({ kind }, by) {
      note(`command ${kind} ${by}`)
      return { ok: true, underWay: false }
    },
    lease: () => undefined,
    takeLease: (by) => note(`take ${by}`),
    dropLease: (by) => note(`drop ${by}`),
    panic: (by) => void note(`panic ${by}`),
    endPanic: (by) => void note(`endPanic ${by}`),
    forgive: (kind, by) => note(`forgive ${kind} ${by}`),
    properties: () => ({ devices: [] }),
    setProperty: async ({ device, property }, by) => note(`set ${device}.${property} ${by}`),
    wires: () => [],
    wire: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

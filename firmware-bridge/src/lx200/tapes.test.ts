import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createLx200MountSimulator } from '../simulators/lx200Mount.ts'
import { createMoonliteSimulator } from '../simulators/moonliteFocuser.ts'
import { type Accept, attach } from '../wire/serialServe.ts'
import { parseTape, replayTape, type Tape } from '../wire/tape.ts'
import type { Connect } from '../wire/wire.ts'
import { recordedMoonlite, recordedMount, tickingClock } from './recorded.ts'

/** Debian's drivers with our simulators, recorded by recordDrivers.ts from the simulator's side. */
const load = (name: string): Tape =>
  parseTape(readFileSync(new URL(`../../tapes/${name}.jsonl`, import.meta.url), 'utf8'))

/** Plays what the driver said at its times; the simulator must answer as it did then, byte for byte. */
async function replay(tape: Tape, make: (clock: VirtualClock) => Accept): Promise<string[]> {
  const clock = new VirtualClock(tape.startedAtMs)
  const reasons: string[] = []
  const connect: Connect = (handlers, signal) =>
    replayTape(tape, clock, { mode: 'matched' })(
      {
        onBytes: handlers.onBytes,
        onClose(reason) {
          reasons.push(reason)
          handlers.onClose(reason)
        },
      },
      signal,
    )
  await attach(make(clock), connect)
  await clock.advance((tape.closed?.ms ?? tape.entries.at(-1)?.ms ?? 0) + 1_000)
  return reasons
}

const sizes = (tape: Tape, direction: 'in' | 'out'): number =>
  tape.entries.filter((entry) => entry.direction === direction).length

describe('the tapes of Debian’s serial drivers', () => {
  it.each([
    ['indi_lx200_OnStep', 'onstep', ['status', 'goto', 'sync', 'trackLunar', 'park', 'unpark', 'productName']],
    ['indi_lx200classic', 'classic', ['alignmentQuery', 'goto', 'sync', 'distanceBars', 'trackLunar', 'setDate']],
    ['indi_lx200basic', 'classic', ['rightAscension', 'declination', 'goto', 'sync']],
  ] as const)('%s hears from the LX200 simulator what it heard then', async (driver, dialect, asked) => {
    const tape = load(`lx200-${driver}-1.9.9`)
    let heard: readonly string[] = []
    const reasons = await replay(tape, (clock) => {
      const random = createRandom(driver)
      const simulator = createLx200MountSimulator({ clock: tickingClock(clock), random, dialect, ...recordedMount })
      heard = simulator.heard
      return simulator.accept
    })
    expect(reasons).toEqual([tape.closed?.reason])
    expect(reasons[0]).not.toContain('the tape expected')
    for (const command of asked) expect(heard).toContain(command)
    expect(heard.some((command) => command.startsWith('unknown'))).toBe(false)
    expect(sizes(tape, 'out')).toBeGreaterThan(20)
  })

  it('indi_moonlite_focus hears from the Moonlite simulator what it heard then', async () => {
    const tape = load('moonlite-indi_moonlite_focus-1.9.9')
    let heard: readonly string[] = []
    const reasons = await replay(tape, (clock) => {
      const simulator = createMoonliteSimulator({ clock: tickingClock(clock), ...recordedMoonlite })
      heard = simulator.heard
      return simulator.accept
    })
    expect(reasons).toEqual([tape.closed?.reason])
    for (const command of ['firmware', 'position', 'setTarget', 'go', 'moving']) expect(heard).toContain(command)
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createNutUps } from '../devices/nutUps.ts'
import { createRandom } from '../random.ts'
import { parseTape, replayTape } from '../wire/tape.ts'

/** Debian's upsd 2.8.0 with dummy-ups, recorded by recordUpsd.ts. */
const tape = parseTape(readFileSync(new URL('../../tapes/nut-upsd-2.8.0.jsonl', import.meta.url), 'utf8'))

describe('the tape of Debian’s upsd', () => {
  it('plays the session again: logged in, and the supply’s state as its file said', async () => {
    const clock = new VirtualClock(tape.startedAtMs)
    const options = { ups: 'sim', username: 'watcher', password: 'sky', pollMs: 500 }
    await using ups = createNutUps(replayTape(tape, clock), { clock, random: createRandom(1), ...options })
    await clock.advance(800)
    expect(ups.state()).toMatchObject({
      connected: true,
      onMains: true,
      lowBattery: false,
      chargePercent: 77,
      runtimeSeconds: 1234,
      flags: ['OL', 'CHRG'],
    })
    expect(ups.state().atMs).toBeGreaterThan(tape.startedAtMs)
  })
})

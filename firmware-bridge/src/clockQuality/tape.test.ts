import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createGpsd } from '../devices/gpsd.ts'
import { createRandom } from '../random.ts'
import { parseTape, replayTape } from '../wire/tape.ts'

/** Debian's gpsd 3.22 with an NMEA receiver that speaks 80 ms after each second, recorded by recordGpsd.ts. */
const tape = parseTape(readFileSync(new URL('../../tapes/gpsd-3.22.jsonl', import.meta.url), 'utf8'))

describe('the tape of Debian’s gpsd', () => {
  it('plays the session again: place, satellites, time and the clock’s offset', async () => {
    const clock = new VirtualClock(tape.startedAtMs)
    await using gpsd = createGpsd(replayTape(tape, clock), { clock, random: createRandom(1) })
    await clock.advance((tape.closed?.ms ?? 0) - 1)
    expect(gpsd.gps.state()).toMatchObject({
      connected: true,
      fix: '3d',
      satellites: 9,
      latitudeDeg: 47.5,
      longitudeDeg: 19,
      elevationMetres: 200,
    })
    const { atMs, utcMs = 0 } = gpsd.gps.state()
    expect(atMs - utcMs).toBeGreaterThanOrEqual(75)
    expect(atMs - utcMs).toBeLessThan(200)
    const { offsetSeconds, synchronised } = gpsd.timeSource.state()
    expect(offsetSeconds).toBeCloseTo(0.08, 2)
    expect(synchronised).toBe(true)
  })
})

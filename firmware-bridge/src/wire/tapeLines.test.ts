import { describe, expect, it } from 'vitest'
import type { Tape, TapeEntry } from './tape.ts'
import { describeLines, isLx200, nameLx200 } from './tapeLines.ts'

const tapeOf = (...entries: readonly (readonly [number, 'in' | 'out', string])[]): Tape => ({
  name: 'serial /dev/ttyUSB0',
  startedAtMs: Date.UTC(2026, 10, 21),
  entries: entries.map(([ms, direction, text]): TapeEntry => ({ ms, direction, bytes: Buffer.from(text, 'latin1') })),
  closed: { ms: 9_000, reason: 'unplugged' },
})

describe('a tape of lines', () => {
  it('of an LX200 mount names the commands, joins pieces, and shows answers that have no end', () => {
    const tape = tapeOf(
      [0, 'out', '\x06'],
      [5, 'in', 'P'],
      [10, 'out', ':GR#:GD#'],
      [20, 'in', '05:3'],
      [25, 'in', '5:17#-05*23\xdf28#'],
      [30, 'out', ':Sr05:35:17#'],
      [40, 'in', '1'],
      [50, 'out', ':MS#'],
      [60, 'in', '0'],
    )
    expect(isLx200(tape)).toBe(true)
    expect([...describeLines(tape)]).toEqual([
      'serial /dev/ttyUSB0, recorded 2026-11-21T00:00:00.000Z, 9 entries, 22 bytes in, 25 bytes out, LX200',
      '    0.000 s > \\x06',
      '    0.005 s < P',
      '    0.010 s > :GR#                 right ascension?',
      '    0.010 s > :GD#                 declination?',
      '    0.020 s < 05:35:17#',
      '    0.025 s < -05*23ß28#',
      '    0.030 s > :Sr05:35:17#         target right ascension',
      '    0.040 s < 1',
      '    0.050 s > :MS#                 slew to target',
      '    0.060 s < 0',
      '    9.000 s closed: unplugged',
    ])
  })

  it('of anything else is shown line by line, with what cannot be printed as an escape', () => {
    const tape = tapeOf(
      [0, 'in', '$GPGGA,1\r\n$GP'],
      [10, 'in', 'RMC,2\r\n'],
      [900, 'in', '\x00half'],
      [2_000, 'in', ' a line\n'],
      [2_100, 'out', 'park\n'],
    )
    expect(isLx200(tape)).toBe(false)
    expect([...describeLines(tape)].slice(1, -1)).toEqual([
      '    0.000 s < $GPGGA,1',
      '    0.000 s < $GPRMC,2',
      '    0.900 s < \\x00half',
      '    2.000 s <  a line',
      '    2.100 s > park',
    ])
  })

  it('knows commands by their longest letters', () => {
    expect(nameLx200(':Mgn0500#')).toBe('guide pulse')
    expect(nameLx200(':Q#')).toBe('stop')
    expect(nameLx200(':Qe#')).toBe('stop')
    expect(nameLx200(':zz#')).toBeUndefined()
  })
})

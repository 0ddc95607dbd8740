import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseTape, type Tape } from '../wire/tape.ts'
import { describeIndiTape, isIndi } from './tapeMessages.ts'

const tapeOf = (...texts: readonly (readonly [number, string])[]): Tape => ({
  name: 'unix /run/indi',
  startedAtMs: 0,
  entries: texts.map(([ms, text]) => ({ ms, direction: 'in', bytes: Buffer.from(text) })),
})

describe('an INDI tape', () => {
  const tape = parseTape(readFileSync(new URL('../../tapes/indi-simulators-1.9.9.jsonl', import.meta.url), 'utf8'))

  it('is shown message by message, BLOBs by their size', () => {
    expect(isIndi(tape)).toBe(true)
    expect(isIndi(tapeOf([0, '$GPGGA']))).toBe(false)
    const lines = [...describeIndiTape(tape)]
    expect(lines[0]).toMatch(/, INDI$/)
    const text = lines.join('\n')
    expect(text).toMatch(/> getProperties \(all\)\n/)
    expect(text).toMatch(/< def number CCD Simulator\.CCD_EXPOSURE \[Idle rw\] CCD_EXPOSURE_VALUE=1\n/)
    expect(text).toMatch(/> new switch CCD Simulator\.CONNECTION CONNECT=On, DISCONNECT=Off\n/)
    expect(text).toMatch(/> enableBLOB CCD Simulator\.CCD1 Also\n/)
    expect(text).toMatch(/< set blob CCD Simulator\.CCD1 \[Ok\] CCD1=\.fits of \d+ bytes\n/)
    expect(text).not.toMatch(/ ! /)
    expect(lines.every((line) => line.length < 2_000)).toBe(true)
  })

  it('shows what is broken, and what says something', () => {
    const broken = tapeOf(
      [
        0,
        '<setTextVector device="A" name="B" state="Alert" message="too hot"><oneText name="X">a "b"</oneText></setTextVector>',
      ],
      [5, '<delProperty device="A"/><message message="bye"/><pingRequest uid="1"/>'],
      [10, '<setTextVector><oops <setTextVector>'],
    )
    expect([...describeIndiTape(broken)].slice(1)).toEqual([
      '    0.000 s < set text A.B [Alert] X="a \\"b\\"" “too hot”',
      '    0.005 s < delProperty A',
      '    0.005 s < message (server): bye',
      '    0.005 s < pingRequest 1',
      '    0.010 s < ! indi/bad-tag: a tag was cut off by another',
    ])
  })
})

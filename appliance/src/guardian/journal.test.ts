import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openGuardianJournal, readGuardianJournal } from './journal.ts'

describe('the guardian’s journal', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nightjar-guardian-journal-'))
    path = join(folder, 'guardian.jsonl')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('keeps what was written, over several lives', async () => {
    for (const event of ['one', 'two']) {
      await using journal = openGuardianJournal(path, clock)
      journal.write(event, { n: 1 })
    }
    expect(readGuardianJournal(path).map(({ event, n }) => [event, n])).toEqual([
      ['one', 1],
      ['two', 1],
    ])
  })

  it('ends a line that a power cut left unfinished, and loses only that one', async () => {
    appendFileSync(path, '{"at":"2026-01-01T00:00:00.000Z","event":"whole"}\n{"at":"2026-01-01T00:00:0')
    {
      await using journal = openGuardianJournal(path, clock)
      journal.write('after')
    }
    expect(readGuardianJournal(path).map(({ event }) => event)).toEqual(['whole', 'after'])
  })

  it('is never larger than two files of its limit', async () => {
    {
      await using journal = openGuardianJournal(path, clock, { fileBytes: 2_000, waiting: 10_000 })
      for (let n = 0; n < 300; n++) {
        journal.write('event', { n })
        if (n % 10 === 9) await clock.sleep(1)
      }
    }
    expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThan(8_000)
    const numbers = readGuardianJournal(path).map(({ n }) => n)
    expect(numbers.at(-1)).toBe(299)
    expect(numbers).toEqual([...numbers].sort((a, b) => Number(a) - Number(b)))
  })

  it('neither throws nor waits when the disk refuses, counts what is lost, and goes on when it can', async () => {
    const gone = join(folder, 'gone', 'guardian.jsonl')
    await using journal = openGuardianJournal(gone, clock)
    journal.write('lost')
    for (let n = 0; n < 200 && journal.lost === 0; n++) await clock.sleep(5)
    expect(journal.lost).toBe(1)
  })

  it('holds no more than its limit for a disk that is slow', () => {
    const journal = openGuardianJournal('/dev/full', clock, { fileBytes: 1_000, waiting: 5 })
    for (let n = 0; n < 20; n++) journal.write('event', { n })
    expect(journal.lost).toBeGreaterThanOrEqual(14)
    expect(() => readFileSync(path)).toThrow()
  })
})

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeDurably } from './frameFiles.ts'
import { openStore } from './openStore.ts'
import type { VerifyReport } from './store.ts'
import { sampleDetection, sampleFrame, temporaryFolder } from './testing/samples.ts'
import { verifyFolder } from './verify.ts'

let folder: ReturnType<typeof temporaryFolder>

/** A folder with three frames, their files and a journal. */
beforeEach(async () => {
  folder = temporaryFolder()
  using store = openStore(folder.path)
  for (const frameId of ['f1', 'f2', 'f3']) {
    const path = `frames/night/${frameId}.fits`
    const file = await writeDurably(join(folder.path, path), new TextEncoder().encode(frameId))
    const frame = sampleFrame({ frameId, path, ...file })
    const { type, fieldId, exposureSeconds } = frame
    store.commit(1, (tx) => {
      tx.putFrame(frame)
      tx.event('frame.captured', { frameId, type, fieldId, exposureSeconds, path, ...file })
      tx.job('preprocessing', frameId)
    })
  }
  store.commit(1, (tx) => tx.putDetection(sampleDetection({ stampsPath: 'frames/stamps/f1-1' })))
})
afterEach(() => folder[Symbol.dispose]())

/** Somebody with the file in hand, who knows how to drop a trigger. */
function tamper(sql: string): Promise<VerifyReport> {
  using raw = new DatabaseSync(join(folder.path, 'nightjar.sqlite'))
  raw.exec(
    `PRAGMA foreign_keys = OFF; DROP TRIGGER journal_is_not_changed; DROP TRIGGER journal_is_not_shortened; ${sql}`,
  )
  raw.close()
  return verifyFolder(folder.path)
}

describe('verify', () => {
  it('finds nothing wrong with what nobody touched, also beside its owner', async () => {
    using store = openStore(folder.path)
    const report = { ok: true, events: 3, files: 3, problems: [], orphans: [] }
    expect(await store.verify()).toEqual(report)
    expect(await verifyFolder(folder.path)).toEqual(report)
  })

  it.each([
    ['a changed word', "UPDATE journal SET body = replace(body, 'M31', 'M33') WHERE seq = 2", 'line 2 was changed'],
    ['a changed time', 'UPDATE journal SET at_ms = 2 WHERE seq = 3', 'line 3 was changed'],
    ['a removed line', 'DELETE FROM journal WHERE seq = 2', 'line 2 is missing'],
    ['a removed first line', 'DELETE FROM journal WHERE seq = 1', 'line 1 is missing'],
    ['a removed last line', 'DELETE FROM journal WHERE seq = 3', 'ends at 2, but a job was caused by line 3'],
    [
      'a rehashed line',
      "UPDATE journal SET hash = 'x', previous_hash = 'y' WHERE seq = 2",
      'line 2 does not follow line 1',
    ],
    ['a detection of no frame', "DELETE FROM frames WHERE frame_id = 'f1'", 'names a missing frames'],
    [
      'a row that names other bytes',
      `UPDATE frames SET record = json_set(record, '$.sha256', '${'0'.repeat(64)}') WHERE frame_id = 'f2'`,
      'f2.fits: the frames row and the journal name different bytes',
    ],
  ])('finds %s', async (_, sql, problem) => {
    const report = await tamper(sql)
    expect(report.ok).toBe(false)
    expect(report.problems.join('\n')).toContain(problem)
  })

  it('finds files that are changed or gone', async () => {
    writeFileSync(join(folder.path, 'frames/night/f1.fits'), 'F1')
    rmSync(join(folder.path, 'frames/night/f2.fits'))
    const report = await verifyFolder(folder.path)
    expect(report.problems).toEqual([
      'frames/night/f1.fits: its bytes changed since it was announced',
      'frames/night/f2.fits: the file is missing',
    ])
  })

  it('names files that no row speaks of, without calling them wrong', async () => {
    await writeDurably(join(folder.path, 'frames/night/f4.fits'), new Uint8Array(1))
    await writeDurably(join(folder.path, 'frames/stamps/f1-1/science.png'), new Uint8Array(1))
    expect(await verifyFolder(folder.path)).toMatchObject({ ok: true, orphans: ['frames/night/f4.fits'] })
  })

  it('says which folder it wants when there is nothing', async () => {
    using empty = temporaryFolder()
    await expect(verifyFolder(empty.path)).rejects.toThrow(/holds no nightjar.sqlite/)
  })
})

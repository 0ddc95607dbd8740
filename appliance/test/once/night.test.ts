import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { type NightReport, playNight } from '../../src/cli/night.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { databaseName } from '../../src/store/verify.ts'

/** Small and short, yet with a reference of eight frames and the first transients, which appear after an hour. */
async function play(seed: number, hours: number): Promise<NightReport & { readonly frameHashes: readonly string[] }> {
  using folder = temporaryFolder()
  const report = await playNight(folder.path, { seed, hours, sizePixels: 768, exposureSeconds: 180 })
  return { ...report, frameHashes: frameHashes(folder.path) }
}

/** What the frames' files held, in the order of their taking. */
function frameHashes(folder: string): string[] {
  using database = new DatabaseSync(join(folder, databaseName), { readOnly: true })
  const sql = "SELECT body ->> 'sha256' AS sha256 FROM journal WHERE type = 'frame.captured' ORDER BY seq"
  return database
    .prepare(sql)
    .all()
    .map((row) => String(row['sha256']))
}

describe('a night on the virtual clock', () => {
  it('finds what was put into its sky, parks, and is the same line for line when it is played again', async () => {
    const first = await play(3, 1.5)
    expect(first).toMatchObject({ parked: true, verified: true, rejected: 0 })
    expect(first.transients.injected).toBeGreaterThan(0)
    expect(first.transients.found).toBeGreaterThan(0)
    const second = await play(3, 1.5)
    expect(second).toEqual(first)
  }, 240_000)

  it('is another with another seed', async () => {
    const [a, b] = [await play(7, 0.2), await play(8, 0.2)]
    expect(a.frameHashes.length).toBeGreaterThan(5)
    // Not a single frame is shared, nor is one seen twice.
    expect(new Set([...a.frameHashes, ...b.frameHashes]).size).toBe(a.frameHashes.length + b.frameHashes.length)
    expect(a.journalHash).not.toBe(b.journalHash)
    expect([a.parked, b.parked, a.verified, b.verified]).toEqual([true, true, true, true])
  }, 60_000)
})

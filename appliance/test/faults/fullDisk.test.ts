import { spawnSync } from 'node:child_process'
import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { openSettings } from '../../src/store/settings.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { databaseName } from '../../src/store/verify.ts'
import { type Life, startLife, unadoptedFrames } from '../once/lives.ts'
import { watchMount } from './simulator.ts'
import { canMount, smallDisk } from './smallDisk.ts'

const mayMount = canMount()
if (!mayMount) console.warn('the daemon on a full disk is skipped: mounting a small one needs root')

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const sky = ['--seed', '7', '--size', '768', '--time-factor', '0.03', '--database', 'sqlite'] as const
const MB = 1e6
const patienceMs = 60_000

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = systemClock.monotonic() + patienceMs
  while (!condition()) {
    if (systemClock.monotonic() > deadline) throw new Error(`waited ${patienceMs / 1000} s for ${what}`)
    await systemClock.sleep(50)
  }
}

async function keepFree(folder: string, minimumFreeBytes: number): Promise<void> {
  const settings = await openSettings(folder)
  await settings.update((current) => ({
    ...current,
    gate: { ...current.gate, disk: { minFreeBytes: minimumFreeBytes } },
  }))
}

function valuesOf(folder: string, sql: string): string[] {
  using database = new DatabaseSync(join(folder, databaseName), { readOnly: true })
  return database
    .prepare(sql)
    .all()
    .map((row) => String(Object.values(row)[0]))
}

const phases = (folder: string): string[] =>
  valuesOf(folder, "SELECT body ->> 'to' || ': ' || (body ->> 'reason') FROM journal WHERE type = 'night.changed'")
const capturedLights = (folder: string): string[] =>
  valuesOf(folder, "SELECT frame_id FROM frames WHERE record ->> 'type' = 'light' ORDER BY frame_id")
const waitingJobs = (folder: string): string[] =>
  valuesOf(folder, "SELECT subject FROM jobs WHERE state = 'waiting' AND stage <> 'forwarding'")
const givenUp = (folder: string): string[] =>
  valuesOf(folder, "SELECT body ->> 'subject' FROM journal WHERE type = 'stage.failed' AND body ->> 'givenUp' = 1")
/** Frames that came out of preprocessing. */
const settledFrames = (folder: string): string[] =>
  valuesOf(folder, "SELECT body ->> 'frameId' FROM journal WHERE type = 'frame.calibrated' ORDER BY 1")

function unadopted(folder: string): string[] {
  using database = new DatabaseSync(join(folder, databaseName), { readOnly: true })
  return unadoptedFrames(folder, database)
}

/** As a person would ask. */
function verify(folder: string): { readonly status: number | null; readonly said: string } {
  const { status, stdout } = spawnSync(process.execPath, [entry, 'verify', folder], { encoding: 'utf8' })
  return { status, said: stdout }
}

async function stop(life: Life): Promise<{ readonly status: number | null; readonly tookMs: number }> {
  const askedAtMs = systemClock.monotonic()
  process.kill(life.pid, 'SIGTERM')
  const { status } = await life.ended()
  return { status, tookMs: systemClock.monotonic() - askedAtMs }
}

describe.skipIf(!mayMount)('the whole daemon on a disk that fills', () => {
  it('takes no exposure below the space to keep free: parks, says the disk, ends with status 1', async () => {
    using scratch = temporaryFolder()
    using disk = smallDisk(join(scratch.path, 'disk'), 200 * MB)!
    await keepFree(disk.path, 160 * MB)
    const { status, said } = await startLife(`${process.pid}-low`, ['--data', disk.path, '--once', ...sky]).ended()
    expect(status).toBe(1)
    expect(JSON.parse(said)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/night ended: Closed: the disk has/),
    })
    expect(phases(disk.path).at(-1)).toMatch(/^closed: Closed: the disk has/)
    // One frame and what the pipeline makes of those before it: no more than that was written below the limit.
    const { bavail, bsize } = statfsSync(disk.path)
    expect(bavail * bsize).toBeGreaterThan(100 * MB)
    expect(verify(disk.path)).toEqual({ status: 0, said: expect.stringContaining('all is well') })
  }, 180_000)

  it('parks when the disk takes no more, loses no frame and gives none up, and goes on when there is space', async () => {
    using scratch = temporaryFolder()
    using disk = smallDisk(join(scratch.path, 'disk'), 42 * MB)!
    await keepFree(disk.path, 0)
    const args = ['--data', disk.path, '--port', '0', ...sky]
    const first = startLife(`${process.pid}-full`, args)
    await until('the panel', () => first.readySeconds() !== undefined)
    {
      await using watched = watchMount(first.pid)
      const parked = () => watched.mount.state().connected && watched.mount.state().parked
      await until('the mount to be unparked', () => watched.mount.state().connected && !parked())
      await until('the mount to be parked on a full disk', parked)
      // The daemon lives, so that its panel can say why.
      process.kill(first.pid, 0)
    }
    const { status, tookMs } = await stop(first)
    expect(status).toBe(0)
    expect(tookMs).toBeLessThan(10_000)
    expect(phases(disk.path).find((phase) => phase.includes('no space left'))).toBeDefined()
    expect(verify(disk.path).status).toBe(0)
    expect(givenUp(disk.path)).toEqual([])
    const taken = [...capturedLights(disk.path), ...unadopted(disk.path).map((path) => path.slice(-23, -5))]
    expect(waitingJobs(disk.path).length).toBeGreaterThan(0)

    disk.grow(600 * MB)
    const second = startLife(`${process.pid}-room`, args)
    await until('the panel', () => second.readySeconds() !== undefined)
    await until('the frames of before', () => taken.every((frameId) => settledFrames(disk.path).includes(frameId)))
    expect((await stop(second)).status).toBe(0)
    expect(unadopted(disk.path)).toEqual([])
    expect(givenUp(disk.path)).toEqual([])
    expect(settledFrames(disk.path)).toEqual([...new Set(settledFrames(disk.path))])
    expect(verify(disk.path)).toEqual({ status: 0, said: expect.stringContaining('all is well') })
  }, 180_000)
})

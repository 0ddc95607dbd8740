import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { databaseName, verifyFolder } from '../../src/store/verify.ts'
import { startLife, unadoptedFrames } from '../once/lives.ts'

const installed = existsSync('/usr/bin/indiserver')
if (!installed) console.log("skipped: the death of Debian's drivers in a whole night (apt-get install indi-bin)")

const patienceMs = 90_000

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = clock.monotonic() + patienceMs
  while (!condition()) {
    if (clock.monotonic() > deadline) throw new Error(`waited ${patienceMs / 1000} s for ${what}`)
    await clock.sleep(20)
  }
}

/** The process of this name that the daemon on `folder` started: its home is there. */
function processOf(folder: string, name: string): number {
  const read = (pid: string, file: string): string[] => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
    } catch {
      return []
    }
  }
  const own = readdirSync('/proc').filter(
    (pid) =>
      read(pid, 'cmdline')[0]?.endsWith(name) && read(pid, 'environ').includes(`HOME=${join(folder, 'indi', 'home')}`),
  )
  expect(own, name).toHaveLength(1)
  return Number(own[0])
}

function rowsOf(folder: string, sql: string): Record<string, unknown>[] {
  using database = new DatabaseSync(join(folder, databaseName), { readOnly: true, timeout: 5_000 })
  return database.prepare(sql).all()
}

const lights = (folder: string): number =>
  rowsOf(folder, "SELECT 1 FROM journal WHERE type = 'frame.captured' AND body ->> 'type' = 'light'").length
const failures = (folder: string): unknown[] =>
  rowsOf(folder, "SELECT body ->> 'reason' AS reason FROM journal WHERE type = 'exposure.failed'").map(
    (row) => row.reason,
  )

/** The start of an exposure of the sky is the last thing that was told. */
function isExposing(folder: string): boolean {
  const [last] = rowsOf(
    folder,
    "SELECT type, body ->> 'type' AS frame FROM journal WHERE type LIKE 'exposure.%' OR type = 'frame.captured' ORDER BY seq DESC LIMIT 1",
  )
  return last?.type === 'exposure.started' && last.frame === 'light'
}

describe.runIf(installed)("the daemon with Debian's drivers", () => {
  it('takes the frame again when the camera driver is killed in mid-exposure', async () => {
    using folder = temporaryFolder()
    const options = ['--observatory', 'indi', '--database', 'sqlite', '--time-factor', '0.05', '--seed', '7']
    const life = startLife(`${process.pid}-drivers`, ['--data', folder.path, '--port', '0', ...options])
    let told = ''
    try {
      await until('the panel', () => life.readySeconds() !== undefined)
      await until('the first frame', () => lights(folder.path) > 0)
      await until('an exposure', () => isExposing(folder.path))
      const [before, failed] = [lights(folder.path), failures(folder.path).length]
      const diedAtMs = clock.monotonic()
      process.kill(processOf(folder.path, 'indi_simulator_ccd'), 'SIGKILL')
      await until('two frames after the death of the driver', () => lights(folder.path) >= before + 2)
      const seconds = ((clock.monotonic() - diedAtMs) / 1000).toFixed(1)
      const lost = failures(folder.path).slice(failed)
      told = `two frames ${seconds} s after the kill; lost: ${lost.join(', ') || 'none'}`
    } finally {
      process.kill(life.pid, 'SIGTERM')
    }
    expect(await life.ended()).toMatchObject({ status: 0, complaints: '' })
    console.log(told)
    const phases = rowsOf(
      folder.path,
      "SELECT body ->> 'to' AS phase FROM journal WHERE type = 'night.changed' ORDER BY seq",
    )
    expect(phases.map(({ phase }) => phase)).toEqual(['preparing', 'calibrating', 'observing', 'closing', 'closed'])
    const frames = rowsOf(
      folder.path,
      "SELECT body ->> 'frameId' AS id, body ->> 'sha256' AS sha256 FROM journal WHERE type = 'frame.captured'",
    )
    expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length)
    expect(new Set(frames.map(({ sha256 }) => sha256)).size).toBe(frames.length)
    {
      using database = new DatabaseSync(join(folder.path, databaseName), { readOnly: true })
      expect(unadoptedFrames(folder.path, database)).toEqual([])
    }
    expect(await verifyFolder(folder.path)).toMatchObject({ ok: true, problems: [] })
  }, 300_000)
})

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  closedAfterTelescope,
  configFor,
  describeTimes,
  firstCommandMs,
  type GuardianProcess,
  guard,
  isRoofClosed,
  type Observatory,
  open,
  startDaemon,
  startObservatory,
  temporaryFolder,
  until,
} from './processes.ts'

/** The house's promise: the first command within 2.5 s of a daemon that was killed or stopped. */
const promisedMs = 2_500
const sites = 10

describe('ten guardians, each with its own daemon, mount and roof', () => {
  const stack = new AsyncDisposableStack()
  const random = createRandom('reaction')
  const everySite = Array.from({ length: sites }, (_, which) => which)
  let guardians: GuardianProcess[] = []
  let observatory: Observatory
  let folder: string
  const folderOf = (which: number): string => join(folder, `${which}`)

  beforeAll(async () => {
    folder = temporaryFolder(stack)
    observatory = stack.use(await startObservatory(folder, sites))
    for (const which of everySite) mkdirSync(folderOf(which))
    guardians = await Promise.all(
      everySite.map((which) => guard(stack, configFor(observatory, which, folderOf(which)))),
    )
  })
  afterAll(() => stack.disposeAsync())

  /** Sends the signal at a random moment of the beat; resolves to the time until the first command. */
  async function trial(which: number, signal: NodeJS.Signals): Promise<number> {
    await using daemons = new AsyncDisposableStack()
    const daemon = await startDaemon(daemons, folderOf(which))
    // Half of the mounts stand parked, so that the roof itself is the first command.
    await open(observatory, which, which % 2 === 0 ? 'parked' : 'unparked')
    await until(() => daemon.latest()?.roof?.position === 'open', 'an open roof')
    await clock.sleep(random.next() * 500)
    const atMs = clock.now()
    daemon.signal(signal)
    await until(() => isRoofClosed(observatory, which, atMs), `the closed roof of site ${which}`)
    return (firstCommandMs(observatory, which, atMs) ?? Number.NaN) - atMs
  }

  it('command within 2.5 s of a daemon that is hung (SIGSTOP), and close the roof after the telescope', async () => {
    const timesMs = await Promise.all(everySite.map((which) => trial(which, 'SIGSTOP')))
    console.log(describeTimes('SIGSTOP to the first command', timesMs))
    expect(Math.max(...timesMs)).toBeLessThanOrEqual(promisedMs)
    for (const which of everySite) expect(closedAfterTelescope(observatory, which, true)).toBe(true)
  })

  it('command within 2.5 s of a daemon that was killed (SIGKILL), and close the roof after the telescope', async () => {
    const timesMs = await Promise.all(everySite.map((which) => trial(which, 'SIGKILL')))
    console.log(describeTimes('SIGKILL to the first command', timesMs))
    expect(Math.max(...timesMs)).toBeLessThanOrEqual(promisedMs)
    for (const which of everySite) expect(closedAfterTelescope(observatory, which, true)).toBe(true)
  })

  it('are small', () => {
    const kilobytes = guardians.map(({ pid }) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1])
    })
    console.log(`resident memory of a guardian: ${Math.round(Math.max(...kilobytes) / 1024)} MiB`)
    expect(Math.max(...kilobytes)).toBeLessThan(140 * 1024)
  })
})

/** What the guardian's tests are made of: real processes, and waits that are bounded. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiClient, type IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { type GuardianConfigFile, guardianPaths } from '../../src/guardian/config.ts'
import { type JournalEntry, readGuardianJournal } from '../../src/guardian/journal.ts'
import { killProcess } from '../../src/guardian/processes.ts'
import type { GuardianStatus, ProcessIdentity } from '../../src/guardian/protocol.ts'
import { startGuardian } from '../../src/guardian/start.ts'
import type { Faults, TapeLine } from './observatory.ts'

// Some forty processes start from the same few files: they are stripped of their types once.
process.env['NODE_COMPILE_CACHE'] ??= join(tmpdir(), `nightjar-guardian-cache-${process.getuid?.()}`)

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const node = ['--disable-warning=ExperimentalWarning']

export async function until(condition: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  const startMs = clock.monotonic()
  while (!condition()) {
    if (clock.monotonic() - startMs > timeoutMs) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`)
    await clock.sleep(10)
  }
}

export function temporaryFolder(stack: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-guardian-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Observatory extends AsyncDisposable {
  readonly socketPath: string
  readonly tape: readonly TapeLine[]
  readonly client: IndiClient
  break(which: number, faults: Faults): void
  /** kill -9 of the server and every driver in it; comes back with the mounts parked and the roofs closed. */
  restart(): Promise<void>
}

export async function startObservatory(folder: string, howMany: number): Promise<Observatory> {
  const socketPath = join(folder, 'indi.sock')
  const tape: TapeLine[] = []
  let child = await launch()

  async function launch(): Promise<ChildProcess> {
    const started = spawn(process.execPath, [...node, script('./observatory.ts'), socketPath, `${howMany}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let ready = false
    createInterface({ input: started.stdout! }).on('line', (line) => {
      const value = JSON.parse(line) as TapeLine | 'ready'
      if (value === 'ready') ready = true
      else tape.push(value)
    })
    await until(() => ready, 'the observatory')
    return started
  }

  const backoff = { firstMs: 50, longestMs: 200, shortestMs: 20, stableMs: 1_000, connectMs: 1_000 }
  const client = createIndiClient(connectTcp({ path: socketPath }), { clock, random: createRandom(7), backoff })
  return {
    socketPath,
    tape,
    client,
    break: (which, faults) => void child.stdin?.write(`${JSON.stringify([`${which}`, faults])}\n`),
    async restart() {
      child.kill('SIGKILL')
      child = await launch()
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      child.kill('SIGKILL')
    },
  }
}

/** Opens the roof of a site, and unparks its mount or leaves it parked. */
export async function open({ client }: Observatory, which: number, mount: 'parked' | 'unparked'): Promise<void> {
  await client.connectDevice(`Mount ${which}`)
  await client.connectDevice(`Roof ${which}`)
  const outcomes = [await client.set(`Roof ${which}`, 'DOME_SHUTTER', { SHUTTER_OPEN: true }, { timeoutMs: 5_000 })]
  if (mount === 'unparked') outcomes.push(await client.set(`Mount ${which}`, 'TELESCOPE_PARK', { UNPARK: true }))
  const failed = outcomes.find((outcome) => !outcome.ok)
  if (failed && !failed.ok) throw new Error(failed.reason)
}

export interface DaemonProcess {
  readonly pid: number
  readonly latest: () => GuardianStatus | undefined
  signal(name: NodeJS.Signals): void
}

export async function startDaemon(
  stack: AsyncDisposableStack,
  folder: string,
  how = '',
  port = '',
): Promise<DaemonProcess> {
  const child = spawn(process.execPath, [...node, script('./daemon.ts'), guardianPaths(folder).socket, how, port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stack.defer(() => void child.kill('SIGKILL'))
  let latest: GuardianStatus | undefined
  createInterface({ input: child.stdout! }).on('line', (line) => {
    latest = JSON.parse(line) as GuardianStatus
  })
  await until(() => latest !== undefined, 'a first answer of the guardian')
  return { pid: child.pid ?? 0, latest: () => latest, signal: (name) => void child.kill(name) }
}

export interface GuardianProcess extends ProcessIdentity {
  journal(): JournalEntry[]
}

export async function guard(stack: AsyncDisposableStack, config: GuardianConfigFile): Promise<GuardianProcess> {
  const started = await startGuardian(config, clock)
  if (!started.started) throw new Error('a guardian runs there already')
  stack.defer(() => void killProcess(started))
  return { ...started, journal: () => readGuardianJournal(guardianPaths(config.folder).journal) }
}

export function configFor(
  { socketPath }: Observatory,
  which: number,
  folder: string,
  policy: NonNullable<GuardianConfigFile['policy']> = {},
): GuardianConfigFile {
  const server = { path: socketPath }
  return {
    folder,
    mount: { kind: 'indi', server, device: `Mount ${which}` },
    roof: { kind: 'indi', server, device: `Roof ${which}` },
    inputs: [],
    policy,
  }
}

const isOf = (line: TapeLine, device: string, name: string): boolean => line.device === device && line.name === name

/** When the site was first commanded to be safe after `sinceMs`: park, or close. */
export function firstCommandMs({ tape }: Observatory, which: number, sinceMs: number): number | undefined {
  return tape.find(
    (line) =>
      line.way === 'in' &&
      line.atMs >= sinceMs &&
      ((isOf(line, `Mount ${which}`, 'TELESCOPE_PARK') && line.on.includes('PARK')) ||
        (isOf(line, `Roof ${which}`, 'DOME_SHUTTER') && line.on.includes('SHUTTER_CLOSE'))),
  )?.atMs
}

export const closeCommands = ({ tape }: Observatory, which: number, sinceMs = 0): TapeLine[] =>
  tape.filter(
    (line) =>
      line.way === 'in' &&
      line.atMs >= sinceMs &&
      isOf(line, `Roof ${which}`, 'DOME_SHUTTER') &&
      line.on.includes('SHUTTER_CLOSE'),
  )

export const parkCommands = ({ tape }: Observatory, which: number): TapeLine[] =>
  tape.filter((line) => line.way === 'in' && isOf(line, `Mount ${which}`, 'TELESCOPE_PARK') && line.on.includes('PARK'))

export const isRoofClosed = ({ tape }: Observatory, which: number, sinceMs: number): boolean =>
  tape.some(
    (line) =>
      line.way === 'out' &&
      line.atMs >= sinceMs &&
      isOf(line, `Roof ${which}`, 'DOME_SHUTTER') &&
      line.state === 'Ok' &&
      line.on.includes('SHUTTER_CLOSE'),
  )

/** At every close command, what the mount had last told was that it is parked. */
export function closedAfterTelescope(
  { tape }: Observatory,
  which: number,
  parkedAtFirst: boolean,
  sinceMs = 0,
): boolean {
  let parked = parkedAtFirst
  for (const line of tape.filter(({ atMs }) => atMs >= sinceMs)) {
    if (line.way === 'out' && isOf(line, `Mount ${which}`, 'TELESCOPE_PARK'))
      parked = line.state === 'Ok' && line.on.includes('PARK')
    const isClose =
      line.way === 'in' && isOf(line, `Roof ${which}`, 'DOME_SHUTTER') && line.on.includes('SHUTTER_CLOSE')
    if (isClose && !parked) return false
  }
  return true
}

export function describeTimes(name: string, timesMs: readonly number[]): string {
  const sorted = [...timesMs].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  return `${name}: ${sorted.length} times, median ${median} ms, longest ${sorted.at(-1)} ms`
}

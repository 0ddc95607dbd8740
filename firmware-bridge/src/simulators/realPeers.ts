/** For tests against real programs: which are installed, ports of their own, waiting with a bound, and ending them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import { NightjarError } from '../errors.ts'

/** Where programs live that an ordinary user's PATH leaves out. */
const systemFolders = ['/usr/sbin', '/sbin']
const pollMs = 20

/** The whole path of a program; undefined when it is not installed. A path stands for itself. */
export function findProgram(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** True when all are there; otherwise false, with one line printed that names the packages. */
export function arePresent(programs: readonly string[], packages: string): boolean {
  const missing = programs.filter((program) => findProgram(program) === undefined)
  if (missing.length > 0) process.stdout.write(`skipped: no ${missing.join(', ')} (apt-get install ${packages})\n`)
  return missing.length === 0
}

/** Polls until the condition holds; throws `peer/late` with what was waited for after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  clock: Clock = systemClock,
): Promise<void> {
  const start = clock.monotonic()
  while (!(await condition())) {
    if (clock.monotonic() - start > timeoutMs)
      throw new NightjarError('peer/late', `not within ${timeoutMs} ms: ${what}`)
    await clock.sleep(pollMs)
  }
}

/** A port of the loopback that the system has just given and taken back. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  /** What it has printed, both streams. */
  output(): string
  /** Ends it at once, and resolves when it is gone. */
  kill(): Promise<void>
}

const mostOutputCharacters = 64 * 1024

/** Starts a program in the foreground, as our child. Throws `peer/missing` when it is not installed. */
export function startProgram(
  name: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Program {
  const path = findProgram(name)
  if (path === undefined) throw new NightjarError('peer/missing', `${name} is not installed`)
  const child = spawn(path, argv, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-mostOutputCharacters)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = (): Promise<void> => {
    child.kill('SIGKILL')
    return gone
  }
  return { child, output: () => output, kill, [Symbol.asyncDispose]: kill }
}

/**
 * Debian's indiserver, shut in. It has no authentication, binds every interface and dies of one malformed packet
 * (CVE-2026-71979), so it runs in a network namespace of its own that has nothing but a loopback, and is reached through
 * a unix socket in a folder that only this user can enter. Its relay (`indiserverRelay.ts`) starts it again when it dies.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { connectHandedOver } from '../wire/attached.ts'
import { connectTcp } from '../wire/tcp.ts'
import { canReceiveDescriptors } from '../wire/unixSocket.ts'
import type { Connect } from '../wire/wire.ts'

export interface IndiserverOptions {
  /** Programs on PATH, or paths of programs, as indiserver takes them. */
  readonly drivers: readonly string[]
  readonly clock: Clock
  readonly env?: Readonly<Record<string, string>>
  /** Folders that are searched before PATH: a `gsc` of one's own for the CCD simulator. */
  readonly path?: readonly string[]
  /** Where drivers save their settings; by default a fresh folder, so that no run inherits from another. */
  readonly homeFolder?: string
  /**
   * `attached` (default where it works): straight to the server, BLOBs as shared memory; it costs a thread of some 25 MB.
   * `tcp`: through the relay, BLOBs as base64.
   */
  readonly blobs?: 'attached' | 'tcp'
  readonly restart?: Partial<RestartLimits>
  readonly onEvent?: (event: IndiserverEvent) => void
}

/** How a server that dies is started again. */
export interface RestartLimits {
  /** The first wait; it doubles from death to death. */
  readonly firstMs: number
  readonly longestMs: number
  /** A server that lived this long starts the waits from the beginning again. */
  readonly stableMs: number
  /** So many deaths within `windowMs` end it. */
  readonly most: number
  readonly windowMs: number
}

export const restartLimits: RestartLimits = {
  firstMs: 100,
  longestMs: 5_000,
  stableMs: 30_000,
  most: 20,
  windowMs: 600_000,
}

export type IndiserverEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'died'; readonly reason: string }
  /** It died too often and is not started again; `ended` follows. */
  | { readonly type: 'gaveUp'; readonly reason: string }
  | { readonly type: 'log'; readonly text: string }

export interface Indiserver extends AsyncDisposable {
  /** Joined to the server's TCP port. */
  readonly socketPath: string
  readonly connect: Connect
  /** Process group of the relay, the server and its drivers. */
  readonly processGroup: number
  /** Resolves to why, when the relay itself is gone: the server will not come back. */
  readonly ended: Promise<string>
  /** The last lines that the server and its drivers wrote. */
  log(): readonly string[]
  /** Writes a line to the server's FIFO: `start indi_simulator_ccd`, `stop indi_simulator_ccd`. */
  order(line: string): Outcome
  /** The running processes of one driver program. */
  driverProcesses(program: string): readonly number[]
}

/** How far behind a client may be: one 61-megapixel frame is 122 MB and indiserver's default is 128. */
const clientQueueMegabytes = 1000
/** How often a crashed driver is started again. */
const driverRestarts = 1000
const readyMs = 15_000
const stopMs = 2_000
const mostLogLines = 200
const relay = fileURLToPath(new URL('./indiserverRelay.ts', import.meta.url))

/** Starts the server and resolves when it takes connections. Throws `indi/missing`, `indi/namespace` or `indi/start`. */
export async function startIndiserver(options: IndiserverOptions): Promise<Indiserver> {
  const { clock } = options
  const searched = [...(options.path ?? []), process.env['PATH'] ?? ''].join(delimiter)
  requirePrograms(searched, options.drivers)
  const folder = mkdtempSync(join(tmpdir(), `nightjar-indi-${process.pid}-`))
  const home = options.homeFolder ?? join(folder, 'home')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const socketPath = join(folder, 'indi.sock')
  const brokerPath = join(folder, 'broker.sock')
  const fifo = join(folder, 'fifo')
  const unixName = 'nightjar'
  const limits = ['-m', `${clientQueueMegabytes}`, '-r', `${driverRestarts}`]
  const command = ['indiserver', ...limits, '-f', fifo, '-u', unixName, ...options.drivers]
  const isAttached = options.blobs !== 'tcp' && canReceiveDescriptors()
  const restart: RestartLimits = { ...restartLimits, ...options.restart }
  makeFifo(fifo)
  const child = spawn(
    'unshare',
    [
      ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
      '--net',
      process.execPath,
      relay,
      JSON.stringify({ socketPath, brokerPath, unixName, command, restart }),
    ],
    {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env, PATH: searched, HOME: home },
    },
  )
  const lines: string[] = []
  const ready = Promise.withResolvers<void>()
  const ended = watch(child, lines, (event) => {
    if (event.type === 'ready') ready.resolve()
    options.onEvent?.(event)
  })
  const stop = async (): Promise<void> => {
    await killGroup(child, clock, ended)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await inTime(clock, readyMs, ready.promise, ended)
  } catch (error) {
    await stop()
    throw startError(error, lines)
  }
  return {
    socketPath,
    connect: isAttached ? connectHandedOver(brokerPath) : connectTcp({ path: socketPath }),
    processGroup: child.pid!,
    ended,
    log: () => lines,
    order: (line) => writeFifo(fifo, line),
    driverProcesses: (program) => processesOf(child.pid!, program),
    [Symbol.asyncDispose]: stop,
  }
}

function requirePrograms(path: string, drivers: readonly string[]): void {
  const packages: Readonly<Record<string, string>> = { unshare: 'util-linux', ip: 'iproute2' }
  for (const program of ['unshare', 'ip', 'indiserver', ...drivers]) {
    if (isProgram(path, program)) continue
    const from = packages[program] ?? 'indi-bin'
    throw new NightjarError('indi/missing', `${program} is not installed: apt-get install ${from}`)
  }
}

function makeFifo(path: string): void {
  const made = spawnSync('mkfifo', ['-m', '600', path], { encoding: 'utf8' })
  if (made.status !== 0) throw new NightjarError('indi/fifo', `no FIFO at ${path}: ${made.stderr}; install coreutils`)
}

/** Never waits: without a server at the other end the order is refused. */
function writeFifo(path: string, line: string): Outcome {
  try {
    const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      writeSync(descriptor, `${line}\n`)
    } finally {
      closeSync(descriptor)
    }
    return done
  } catch (error) {
    return failure(`indiserver takes no orders (${(error as NodeJS.ErrnoException).code}): it is not running`)
  }
}

/** Processes of a group whose program has this name, those that have ended and were not reaped apart. */
function processesOf(group: number, program: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const status = readFileSync(`/proc/${name}/stat`, 'utf8')
      const [state, , processGroup] = status.slice(status.lastIndexOf(')') + 2).split(' ')
      if (Number(processGroup) !== group || state === 'Z') return []
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, 2)
      // A script's first word is its interpreter.
      return words.some((word) => basename(word) === basename(program)) ? [Number(name)] : []
    } catch {
      // It has gone meanwhile.
      return []
    }
  })
}

function isProgram(path: string, program: string): boolean {
  const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program))
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Turns the relay's lines into events; resolves when the relay has gone. */
function watch(child: ChildProcess, lines: string[], tell: (event: IndiserverEvent) => void): Promise<string> {
  const log = (text: string): void => {
    lines.push(text)
    if (lines.length > mostLogLines) lines.shift()
    tell({ type: 'log', text })
  }
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (line === 'ready') tell({ type: 'ready' })
    else if (line.startsWith('died ')) tell({ type: 'died', reason: line.slice(5) })
    else if (line.startsWith('gave up ')) tell({ type: 'gaveUp', reason: line.slice(8) })
    else log(line)
  })
  createInterface({ input: child.stderr! }).on('line', log)
  // The pipe breaks when the relay dies; that is told by its exit.
  child.stdin!.on('error', () => undefined)
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`the relay ended (${signal ?? `exit ${code}`})`))
  })
}

async function inTime(clock: Clock, ms: number, ready: Promise<void>, ended: Promise<string>): Promise<void> {
  const settled = new AbortController()
  const late = clock.sleep(ms, settled.signal).then(() => Promise.reject(new Error(`not ready within ${ms / 1000} s`)))
  late.catch(() => undefined)
  const gone = ended.then((reason) => Promise.reject(new Error(reason)))
  gone.catch(() => undefined)
  try {
    await Promise.race([ready, late, gone])
  } finally {
    settled.abort()
  }
}

function startError(error: unknown, lines: readonly string[]): NightjarError {
  const said = lines.slice(-5).join('; ')
  if (/unshare.*(not permitted|denied)/i.test(said)) {
    const fix = 'allow user namespaces (sysctl kernel.unprivileged_userns_clone=1) or run as root'
    return new NightjarError('indi/namespace', `no network namespace of its own for indiserver: ${said}; ${fix}`)
  }
  const reason = error instanceof Error ? error.message : String(error)
  return new NightjarError('indi/start', `indiserver did not start: ${reason}${said ? `; it said: ${said}` : ''}`)
}

/** The relay, the server and its drivers are one process group. */
async function killGroup(child: ChildProcess, clock: Clock, ended: Promise<string>): Promise<void> {
  if (child.pid === undefined) return
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // Nobody is left.
    }
  }
  send('SIGTERM')
  const waited = new AbortController()
  await Promise.race([ended, clock.sleep(stopMs, waited.signal).catch(() => undefined)])
  waited.abort()
  send('SIGKILL')
  await ended
}

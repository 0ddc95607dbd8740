/**
 * INDI drivers that must outlive the daemon: a server that is the daemon's child dies with it, and then nobody can park the
 * mount. So the drivers of mount and roof may run under the guardian; the daemon uses them like any other server's. Each
 * group is an indiserver in a network namespace of its own, behind a unix socket (firmware-bridge's relay, as a process).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'

export interface DriverGroupConfig {
  /** Names the group's socket. */
  readonly name: string
  /** Programs on PATH, or paths of programs, as indiserver takes them. */
  readonly programs: readonly string[]
}

/** Where the drivers of a group are served, for the guardian and the daemon alike. */
export const driverSocket = (folder: string, name: string): string => join(folder, `guardian-indi-${name}.sock`)

export interface DriversOptions {
  readonly folder: string
  readonly groups: readonly DriverGroupConfig[]
  readonly clock: Clock
  onEvent(event: string, details: Readonly<Record<string, unknown>>): void
}

const relay = fileURLToPath(import.meta.resolve('@nightjar/firmware-bridge/indi/indiserverRelay.ts'))
/** The relay starts a server again within its budget; when it has given up itself, it is started anew after this long. */
const relayRestartMs = 5_000
const restart = { firstMs: 100, longestMs: 5_000, stableMs: 30_000, most: 20, windowMs: 600_000 }
const driverRestarts = 1000
const stopMs = 2_000

/** Runs the groups until disposed of. Never throws: what does not start is told, and tried again. */
export function runDrivers(options: DriversOptions): AsyncDisposable {
  const over = new AbortController()
  const running = options.groups.map((group) => keepRunning(group, options, over.signal))
  return {
    async [Symbol.asyncDispose]() {
      over.abort()
      await Promise.all(running)
    },
  }
}

async function keepRunning(group: DriverGroupConfig, options: DriversOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const reason = await runOnce(group, options, signal)
    if (signal.aborted) return
    options.onEvent('drivers.ended', { group: group.name, reason })
    await options.clock.sleep(relayRestartMs, signal).catch(() => undefined)
  }
}

/** Resolves to why it ended, or when the signal has ended it. */
async function runOnce(group: DriverGroupConfig, options: DriversOptions, signal: AbortSignal): Promise<string> {
  const { folder, clock, onEvent } = options
  const socketPath = driverSocket(folder, group.name)
  const brokerPath = `${socketPath}.broker`
  const home = join(folder, 'guardian-indi', group.name)
  mkdirSync(home, { recursive: true, mode: 0o700 })
  for (const path of [socketPath, brokerPath]) rmSync(path, { force: true })
  const unixName = 'nightjar'
  const command = ['indiserver', '-r', `${driverRestarts}`, '-u', unixName, ...group.programs]
  const task = JSON.stringify({ socketPath, brokerPath, unixName, command, restart })
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const child = spawn('unshare', [...asRoot, '--net', process.execPath, relay, task], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, HOME: home },
  })
  // The pipe breaks when the relay dies; that is told by its exit.
  child.stdin.on('error', () => undefined)
  let said = ''
  createInterface({ input: child.stdout }).on('line', (line) => onEvent('drivers', { group: group.name, line }))
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-300)
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, killed) => resolve(`${killed ?? `exit ${code}`}: ${said.trim()}`))
  })
  const stop = (): void => void stopGroup(child, ended, clock)
  signal.addEventListener('abort', stop, { once: true })
  const reason = await ended
  signal.removeEventListener('abort', stop)
  return reason
}

/** The relay, the server and its drivers are one process group. */
async function stopGroup(child: ChildProcess, ended: Promise<string>, clock: Clock): Promise<void> {
  const send = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // Nobody is left.
    }
  }
  send('SIGTERM')
  const waited = new AbortController()
  await Promise.race([ended, clock.sleep(stopMs, waited.signal).catch(() => undefined)])
  waited.abort()
  send('SIGKILL')
}

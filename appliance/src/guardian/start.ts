/** Starts the guardian as a process that outlives the daemon, and starts it again when it has died or hangs. */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type GuardianConfigFile, guardianPaths, writeGuardianConfig } from './config.ts'
import type { GuardianLink } from './link.ts'
import { isRunning, killProcess, startTicks } from './processes.ts'
import { exitCodes, type ProcessIdentity } from './protocol.ts'

const entry = fileURLToPath(new URL('./main.ts', import.meta.url))
/** A small heap is enough for a few kilobytes of state, and one thread for a file that is written now and then. */
const flags = ['--disable-warning=ExperimentalWarning', '--max-old-space-size=64', '--max-semi-space-size=1']
const readyMs = 15_000
const mostLogBytes = 256 * 1024

export type StartedGuardian =
  | ({ readonly started: true } & ProcessIdentity)
  /** One runs for this data folder already; it reads the new settings by itself. */
  | { readonly started: false }

/**
 * Writes the settings and starts the guardian of their data folder, unless it runs. It has a session of its own, so that
 * neither a signal to our group nor our end touches it. Resolves when it listens; throws `guardian/start`.
 *
 * Under systemd it must be the guardian's own unit that starts it: what a service leaves behind is killed with it.
 */
export async function startGuardian(config: GuardianConfigFile, clock: Clock): Promise<StartedGuardian> {
  writeGuardianConfig(config)
  const log = openLog(join(config.folder, 'guardian.log'))
  const child = spawn(process.execPath, [...flags, entry, '--folder', config.folder], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'pipe', log],
    env: { NODE_COMPILE_CACHE: join(config.folder, 'guardian-cache'), ...process.env, UV_THREADPOOL_SIZE: '2' },
  })
  closeSync(log)
  try {
    return await listening(child, clock)
  } finally {
    child.stdout?.destroy()
    child.unref()
  }
}

/** Its complaints, for people; the story is in its journal. */
function openLog(path: string): number {
  const log = openSync(path, 'a', 0o600)
  if (fstatSync(log).size > mostLogBytes) ftruncateSync(log, 0)
  return log
}

async function listening(child: ReturnType<typeof spawn>, clock: Clock): Promise<StartedGuardian> {
  const settled = new AbortController()
  const said = new Promise<StartedGuardian>((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new NightjarError('guardian/start', `the guardian did not start: ${reason}`))
    child.once('error', (error) => fail(error.message))
    child.once('exit', (code, signal) => {
      if (code === exitCodes.running) resolve({ started: false })
      else fail(`it ended with ${signal ?? code}; see guardian.log in the data folder`)
    })
    child.stdout?.once('data', () => {
      const pid = child.pid ?? 0
      resolve({ started: true, pid, startTicks: startTicks(pid) ?? '' })
    })
    clock.sleep(readyMs, settled.signal).then(
      () => fail(`not ready within ${readyMs / 1000} s`),
      () => undefined,
    )
  })
  return said.finally(() => settled.abort())
}

export interface KeepGuardianOptions {
  readonly config: GuardianConfigFile
  readonly link: GuardianLink
  readonly clock: Clock
  /** Told of each attempt, for the journal. */
  onAttempt(outcome: { readonly ok: boolean; readonly text: string }): void
}

/** Between two attempts to bring the guardian back. */
const reviveEveryMs = 3_000

/**
 * Until the signal: a guardian that has fallen silent is ended, if it hangs, and started anew. Only where no unit of its
 * own does that.
 */
export async function keepGuardian(options: KeepGuardianOptions, signal: AbortSignal): Promise<void> {
  const { link, clock, config, onAttempt } = options
  while (!signal.aborted) {
    await clock.sleep(reviveEveryMs, signal).catch(() => undefined)
    const { alive, status } = link.state()
    if (signal.aborted || alive) continue
    const wasHung = status !== undefined && isRunning(status) && killProcess(status)
    try {
      const outcome = await startGuardian(config, clock)
      const how = outcome.started ? `started as process ${outcome.pid}` : 'another one runs'
      onAttempt({ ok: true, text: wasHung ? `a guardian that hung was ended; ${how}` : how })
    } catch (error) {
      onAttempt({ ok: false, text: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** The journal of the guardian of a data folder, for the panel. */
export const guardianJournalPath = (folder: string): string => guardianPaths(folder).journal

/** Processes by number and start time, so that a number that was given anew is never mistaken for the old process. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { ProcessIdentity } from './protocol.ts'

/** When the process started, in clock ticks since the boot; undefined when it does not run (a zombie does not). */
export function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name, in parentheses, may hold anything; what follows it are fields 3 and on (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state] = fields
    return state === 'Z' || state === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '' }
}

/** The very process still runs, be it stopped. */
export const isRunning = ({ pid, startTicks: started }: ProcessIdentity): boolean => startTicks(pid) === started

/** SIGKILL, unless it is gone or its number belongs to another process by now. True when the signal was sent. */
export function killProcess(identity: ProcessIdentity): boolean {
  if (identity.pid <= 1 || identity.pid === process.pid || !isRunning(identity)) return false
  try {
    process.kill(identity.pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

/**
 * One holder per file, by flock(2): the kernel gives the lock back however the process ends. Undefined when another holds
 * it.
 */
export async function lockFile(path: string): Promise<Disposable | undefined> {
  const descriptor = openSync(path, 'a', 0o600)
  // flock(1) of util-linux locks the open file that it inherits; the lock stays with ours when it has ended.
  const locker = spawn('flock', ['--exclusive', '--nonblock', '0'], { stdio: [descriptor, 'ignore', 'ignore'] })
  const code = await new Promise<number | null>((resolve, reject) => {
    locker.once('error', reject)
    locker.once('close', resolve)
  }).catch((error: unknown) => {
    closeSync(descriptor)
    throw error
  })
  if (code === 0) return { [Symbol.dispose]: () => closeSync(descriptor) }
  closeSync(descriptor)
  return undefined
}

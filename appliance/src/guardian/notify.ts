/**
 * systemd's readiness and watchdog protocol without a package: Node has no datagram sockets of the unix kind, so
 * systemd-notify(1) says it. The unit needs NotifyAccess=all, because what speaks is not the main process.
 */
import { spawn } from 'node:child_process'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface GuardianNotifier {
  ready(): void
  stopping(): void
  /** One line for `systemctl status`. */
  status(text: string): void
  /** Says that we live, as often as the unit asks for and as long as `isWell`, until the signal. */
  keepAlive(clock: Clock, isWell: () => boolean, signal: AbortSignal): Promise<void>
}

/** Half of WatchdogSec, as sd_watchdog_enabled(3) advises. */
const watchdogShare = 0.5

export function createGuardianNotifier(env: Environment): GuardianNotifier {
  const isManaged = env['NOTIFY_SOCKET'] !== undefined
  const intervalMs = (Number(env['WATCHDOG_USEC']) / 1000) * watchdogShare
  let speaking = false
  let waiting: string[] = []
  // One at a time, each waits until it was taken (the barrier of sd_notify(3)): a service manager that takes nothing must
  // not gather processes.
  const say = (word: string): void => {
    if (!isManaged) return
    const kind = word.slice(0, word.indexOf('='))
    waiting = [...waiting.filter((other) => !other.startsWith(`${kind}=`)), word]
    next()
  }
  const next = (): void => {
    if (speaking || waiting.length === 0) return
    speaking = true
    const words = waiting
    waiting = []
    const child = spawn('systemd-notify', words, { stdio: 'ignore', env: { ...env } as NodeJS.ProcessEnv })
    const ended = (): void => {
      speaking = false
      next()
    }
    child.once('error', ended)
    child.once('exit', ended)
  }
  return {
    ready: () => say('READY=1'),
    stopping: () => say('STOPPING=1'),
    status: (text) => say(`STATUS=${text.replaceAll(/[\r\n\0]+/g, ' ')}`),
    async keepAlive(clock, isWell, signal) {
      if (!isManaged || !(intervalMs > 0)) return
      while (!signal.aborted) {
        await clock.sleep(intervalMs, signal).catch(() => undefined)
        if (!signal.aborted && isWell()) say('WATCHDOG=1')
      }
    },
  }
}

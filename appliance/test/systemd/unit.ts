import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { databaseName, verifyFolder } from '../../src/store/verify.ts'
import { bootMachine, install, type Machine, waitFor } from './machine.ts'

/** The real unit with the real program under a real systemd: what it does when it starts, hangs and is stopped. */

const repository = fileURLToPath(new URL('../../..', import.meta.url))
const unit = 'nightjar.service'
/** The daemon wants it: without its guardian it opens nothing. */
const guardian = 'nightjar-guardian.service'
const startMs = 60_000
const observeMs = 120_000

export interface UnitReport {
  readonly bootSeconds: number
  /** From `systemctl start` until systemd had heard READY=1. */
  readonly readySeconds: number
  /** From SIGSTOP of the daemon until systemd failed it for its silence. */
  readonly watchdogSeconds: number
  /** From SIGSTOP until the next daemon was ready. */
  readonly backSeconds: number
  /** How long `systemctl stop` took with the telescope observing. */
  readonly stopSeconds: number
  /** STATUS= of the daemon before it was stopped. */
  readonly status: string
  /** Phases of both lives' nights, as the journal has them. */
  readonly phases: readonly string[]
  readonly verified: boolean
  /** Lines of systemd's own journal that say what was not as it should be. */
  readonly complaints: readonly string[]
}

/** Why the service would not start from this checkout; undefined when it would. It may not set the checkout up itself. */
export function checkoutObstacle(): string | undefined {
  const env = { ...process.env, NIGHTJAR_SETUP: 'never' }
  const { status } = spawnSync('sh', [join(repository, 'scripts/start'), '--help'], { env, stdio: 'ignore' })
  return status === 0 ? undefined : 'this checkout is not set up: scripts/start --help does it'
}

/** Starts, hangs and stops the daemon. `onStep` is told what is under way. */
export async function proveUnit(onStep: (step: string) => void = () => undefined): Promise<UnitReport> {
  onStep('booting')
  await using machine = await bootMachine({ prepare, readOnly: { [repository]: '/opt/nightjar' } })
  const show = (property: string): string => machine.run('systemctl', 'show', unit, '-p', property, '--value').trim()
  const isActive = (): boolean => show('ActiveState') === 'active'
  const folder = join(machine.root, 'var/lib/nightjar')
  const nights = (): number => phasesOf(folder).filter((phase) => phase === 'calibrating').length

  onStep('starting')
  const readySeconds = secondsOf(() => machine.run('systemctl', 'start', unit))
  await waitFor('the unit to be active', isActive, startMs)
  await waitFor('the night to begin', () => nights() === 1, observeMs)

  onStep('stopping the process, not the unit')
  const hung = show('MainPID')
  const hungAtMs = systemClock.monotonic()
  machine.run('systemctl', 'kill', '--signal=STOP', '--kill-whom=main', unit)
  await waitFor('the watchdog', () => log(machine).includes("Failed with result 'watchdog'"), startMs)
  const watchdogSeconds = (systemClock.monotonic() - hungAtMs) / 1000
  await waitFor('the next daemon', () => isActive() && show('MainPID') !== hung, startMs)
  const backSeconds = (systemClock.monotonic() - hungAtMs) / 1000

  onStep('waiting for the night to go on')
  await waitFor('the night to go on', () => nights() === 2, observeMs)
  const status = show('StatusText')
  onStep('stopping')
  const stopSeconds = secondsOf(() => machine.run('systemctl', 'stop', unit))
  return {
    bootSeconds: machine.bootSeconds,
    readySeconds,
    watchdogSeconds,
    backSeconds,
    stopSeconds,
    status,
    phases: phasesOf(folder),
    verified: show('Result') === 'success' && (await verifyFolder(folder)).ok,
    complaints: complaintsOf(log(machine)),
  }
}

/** As docs/install.md says, but the checkout is bound to its place instead of copied. */
function prepare(root: string): void {
  const source = join(repository, 'systemd')
  install(root, {
    [join(source, unit)]: `etc/systemd/system/${unit}`,
    [join(source, guardian)]: `etc/systemd/system/${guardian}`,
    [join(source, 'nightjar.sysusers')]: 'usr/lib/sysusers.d/nightjar.conf',
    [join(source, 'nightjar.tmpfiles')]: 'usr/lib/tmpfiles.d/nightjar.conf',
  })
  // Not enabled: it is started when the time is taken.
  mkdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'), { recursive: true })
  symlinkSync('/dev/null', join(root, 'etc/systemd/system/systemd-networkd-wait-online.service'))
}

function secondsOf(work: () => void): number {
  const startedAtMs = systemClock.monotonic()
  work()
  return (systemClock.monotonic() - startedAtMs) / 1000
}

const log = (machine: Machine): string => machine.run('journalctl', '-u', unit, '--no-pager', '-o', 'cat')

const ofEveryLife =
  /^(Starting|Started|Stopping|Stopped|Nightjar is at|Set-up code|Ctrl-C|[^:]+: (Deactivated|Consumed|Scheduled restart))/
/** The daemon that hangs, and what its death takes with it. */
const ofTheHang = /watchdog|SIGABRT|SIGSTOP|code=(killed|dumped)|Killing process \d+ .* with signal SIGKILL/i

/** Every line but those that a start, a hang and a clean stop are meant to make. */
function complaintsOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '' && !ofEveryLife.test(line))
  const lastStop = text.lastIndexOf('\nStopping ')
  return lines.filter((line) => text.lastIndexOf(line) > lastStop || !ofTheHang.test(line))
}

function phasesOf(folder: string): string[] {
  try {
    using database = new DatabaseSync(join(folder, databaseName), { readOnly: true, timeout: 5_000 })
    const sql = "SELECT body ->> 'to' AS phase FROM journal WHERE type = 'night.changed' ORDER BY seq"
    return database
      .prepare(sql)
      .all()
      .map((row) => String(row['phase']))
  } catch {
    // There is no store yet.
    return []
  }
}

/** What the unit file says, in seconds. */
export function unitSeconds(key: string): number {
  const text = readFileSync(join(repository, 'systemd', unit), 'utf8')
  return Number(new RegExp(`^${key}=(\\d+)$`, 'm').exec(text)?.[1])
}

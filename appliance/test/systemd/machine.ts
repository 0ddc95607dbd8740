import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

/** A small Debian with systemd as its process 1, in a container without any network but its own loopback. */

const suite = 'bookworm'
/** Made once by debootstrap, 276 MB; every machine is a copy of it. */
export const debianRoot = join(tmpdir(), `nightjar-debian-${suite}`)
const bootMs = 60_000
const powerOffMs = 20_000
const programs = { 'systemd-nspawn': 'systemd-container', nsenter: 'util-linux', debootstrap: 'debootstrap' } as const

/** Why no machine can be booted here; undefined when one can. */
export function machineObstacle(): string | undefined {
  if (userInfo().uid !== 0) return 'a container with systemd needs root'
  const missing = Object.entries(programs).filter(([program]) => spawnSync(program, ['--version']).error)
  if (missing.length > 0) return `apt-get install ${missing.map(([, name]) => name).join(' ')}`
  return undefined
}

/** Makes `debianRoot` when it is not there: about a minute, from debootstrap's own mirror or from `$DEBIAN_MIRROR`. */
export async function makeDebianRoot(): Promise<void> {
  if (existsSync(debianRoot)) return
  const part = `${debianRoot}.part`
  rmSync(part, { recursive: true, force: true })
  const include = '--include=systemd,systemd-sysv,dbus'
  const mirror = process.env['DEBIAN_MIRROR']
  const args = ['--variant=minbase', include, suite, part, ...(mirror === undefined ? [] : [mirror])]
  await promisify(execFile)('debootstrap', args, { maxBuffer: 1 << 24 })
  renameSync(part, debianRoot)
}

export interface Machine extends AsyncDisposable {
  /** Its file system, seen from outside. */
  readonly root: string
  /** From the start of the container until systemd said that it had started everything. */
  readonly bootSeconds: number
  /** Runs a program inside; what it printed, whatever its status. */
  run(program: string, ...args: string[]): string
}

/** Boots a copy of `debianRoot`. `prepare` gets its root folder before; `readOnly` folders appear at the given places. */
export async function bootMachine(options: {
  readonly prepare: (root: string) => void
  readonly readOnly: Readonly<Record<string, string>>
}): Promise<Machine> {
  const scratch = temporaryFolder()
  const root = join(scratch.path, 'root')
  execFileSync('cp', ['-a', '--reflink=auto', debianRoot, root])
  options.prepare(root)
  const binds = Object.entries(options.readOnly).map(([from, to]) => `--bind-ro=${from}:${to}`)
  for (const at of Object.values(options.readOnly)) mkdirSync(join(root, at), { recursive: true })
  const startedAtMs = systemClock.monotonic()
  const flags = ['-q', '-D', root, '--register=no', '--keep-unit', '--private-network', ...binds, '--boot']
  const container = spawn('systemd-nspawn', flags, { stdio: 'ignore' })
  const ended = once(container, 'exit')
  const run = (program: string, ...args: string[]): string => inside(container.pid ?? 0, program, args)
  const stop = async (): Promise<void> => {
    if (container.exitCode === null) run('systemctl', 'poweroff')
    const late = systemClock.sleep(powerOffMs).then(() => container.kill('SIGKILL'))
    await Promise.race([ended, late])
    await ended
    scratch[Symbol.dispose]()
  }
  try {
    const isUp = (): boolean => /^(running|degraded)/.test(run('systemctl', 'is-system-running'))
    await waitFor('the machine to boot', isUp, bootMs)
  } catch (error) {
    await stop()
    throw error
  }
  return { root, bootSeconds: (systemClock.monotonic() - startedAtMs) / 1000, run, [Symbol.asyncDispose]: stop }
}

/** Polls; throws `machine/late` naming what did not happen. Resolves to the milliseconds that it took. */
export async function waitFor(what: string, condition: () => boolean, timeoutMs: number): Promise<number> {
  const startedAtMs = systemClock.monotonic()
  while (!condition()) {
    if (systemClock.monotonic() - startedAtMs > timeoutMs)
      throw new NightjarError('machine/late', `waited ${timeoutMs / 1000} s for ${what}`)
    await systemClock.sleep(50)
  }
  return systemClock.monotonic() - startedAtMs
}

function inside(container: number, program: string, args: readonly string[]): string {
  const leader = childOf(container)
  if (leader === undefined) return ''
  const entered = ['-t', leader, '-m', '-p', '-i', '-u', '-n', program, ...args]
  const { stdout, stderr } = spawnSync('nsenter', entered, { encoding: 'utf8', env: { LC_ALL: 'C', PATH: path } })
  return `${stdout}${stderr}`
}
const path = '/usr/sbin:/usr/bin:/sbin:/bin'

/** systemd, whose parent is the container's program. */
function childOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').find(Boolean)
  } catch {
    return undefined
  }
}

/** Copies files into a machine that does not run yet. */
export function install(root: string, files: Readonly<Record<string, string>>): void {
  for (const [from, to] of Object.entries(files)) cpSync(from, join(root, to))
}

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { guardianPaths, writeGuardianConfig } from '../../src/guardian/config.ts'
import { isRunning } from '../../src/guardian/processes.ts'
import {
  closedAfterTelescope,
  configFor,
  guard,
  isRoofClosed,
  open,
  startDaemon,
  startObservatory,
  temporaryFolder,
  until,
} from './processes.ts'

const entry = fileURLToPath(new URL('../../src/guardian/main.ts', import.meta.url))

/** Refuses every module that is neither Node's nor of this repository, and writes down which were loaded. */
const hook = `
import { registerHooks } from 'node:module'
import { appendFileSync } from 'node:fs'
registerHooks({
  resolve(specifier, context, next) {
    const isOurs = /^(node:|file:|[./]|@nightjar\\/firmware-bridge\\/)/.test(specifier)
    if (!isOurs) throw new Error('a package: ' + specifier)
    appendFileSync(process.env.LOADED, specifier + '\\n')
    return next(specifier, context)
  },
})`

/** A service manager's socket: a line for every datagram. */
const receiver =
  '$|=1; socket(S,PF_UNIX,SOCK_DGRAM,0); bind(S,sockaddr_un($ARGV[0])); while(defined recv(S,$b,4096,0)){print "$b\\n"}'

describe('a guardian on its own', () => {
  it('runs where no package can be loaded', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    writeGuardianConfig({
      folder,
      mount: { kind: 'lx200', path: join(folder, 'mount'), baudRate: 9600 },
      roof: { kind: 'controller', path: join(folder, 'roof'), baudRate: 38_400 },
      inputs: [{ kind: 'nut', server: { path: join(folder, 'upsd') }, ups: 'site', limitMs: 60_000, required: true }],
    })
    const loaded = join(folder, 'loaded')
    const args = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, entry, '--folder', folder]
    const child = spawn(process.execPath, args, {
      env: { ...process.env, LOADED: loaded },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    stack.defer(() => void child.kill('SIGKILL'))
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await until(() => /ready|Error/.test(said), 'the guardian')
    // Both ports are missing: every wire has been tried by now.
    await clock.sleep(500)
    expect(said).toContain('ready')
    expect(child.exitCode).toBeNull()
    expect(readFileSync(loaded, 'utf8')).toContain('tty.ts')
  })

  it('has a session and a process group of its own: no signal to whoever started it reaches it', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const observatory = stack.use(await startObservatory(folder, 1))
    const guardian = await guard(stack, configFor(observatory, 0, folder))
    const stat = readFileSync(`/proc/${guardian.pid}/stat`, 'latin1')
    const [, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    expect([Number(group), Number(session)]).toEqual([guardian.pid, guardian.pid])
  })

  it('finds its servers again after they were restarted, and closes what is open then', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const observatory = stack.use(await startObservatory(folder, 1))
    const guardian = await guard(stack, configFor(observatory, 0, folder))
    const daemon = await startDaemon(stack, folder)
    await open(observatory, 0, 'unparked')
    daemon.signal('SIGKILL')
    await observatory.restart()
    const atMs = clock.now()
    // Somebody opens by hand what is just being closed: the guardian does not give up, so this may well fail.
    await open(observatory, 0, 'unparked').catch(() => undefined)
    await until(() => isRoofClosed(observatory, 0, atMs), 'the closed roof')
    expect(closedAfterTelescope(observatory, 0, true, atMs)).toBe(true)
    expect(isRunning(guardian)).toBe(true)
  })

  it('waits for the settings under a service manager, and is told from systemd’s side when it lives', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const [socket, observatoryFolder] = [join(folder, 'notify'), join(folder, 'site')]
    mkdirSync(observatoryFolder)
    // Perl is essential in Debian; what it does not ask for of a datagram (the barrier's descriptor) is closed, as systemd does.
    const manager = spawn('perl', ['-MSocket', '-e', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    stack.defer(() => void manager.kill('SIGKILL'))
    let received = ''
    manager.stdout.on('data', (bytes: Buffer) => {
      received += bytes.toString()
    })
    await until(() => existsSync(socket), 'the service manager')
    const child = spawn(process.execPath, [entry, '--folder', folder, '--stay'], {
      env: { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    stack.defer(() => void child.kill('SIGKILL'))
    await until(() => /READY=1/.test(received) && received.split('WATCHDOG=1').length > 2, 'its signs of life')
    expect(received).toContain('STATUS=waits for the settings')
    const observatory = stack.use(await startObservatory(observatoryFolder, 1))
    writeGuardianConfig(configFor(observatory, 0, folder))
    const daemon = await startDaemon(stack, folder)
    await until(() => daemon.latest()?.roof?.position === 'closed', 'a guarded roof')
    expect(existsSync(guardianPaths(folder).socket)).toBe(true)
  })
})

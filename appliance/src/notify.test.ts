import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, describe, expect, it } from 'vitest'
import { createNotifier, unixAddress } from './notify.ts'

const socat = ['/usr/bin/socat', '/usr/local/bin/socat'].find((path) => existsSync(path))
if (!socat) console.log('skipped: a real datagram socket needs socat (apt-get install socat)')

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = systemClock.monotonic() + 5000
  while (!isTrue()) {
    if (systemClock.monotonic() > deadline) throw new Error('waited 5 s in vain')
    await systemClock.sleep(10)
  }
}

const cleanUps: (() => void)[] = []
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp()
})

/** socat as the service manager: every datagram is appended to a file. */
async function listen(kind: 'path' | 'abstract') {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-notify-'))
  const path = join(folder, 'socket')
  const received = join(folder, 'received')
  const address = kind === 'path' ? `UNIX-RECV:${path}` : `ABSTRACT-RECV:${path}`
  const child = spawn(socat ?? 'socat', ['-u', address, `CREATE:${received}`], { stdio: 'ignore' })
  cleanUps.push(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const isBound = (): boolean =>
    kind === 'path' ? existsSync(path) : readFileSync('/proc/net/unix', 'utf8').includes(`@${path}`)
  await until(isBound)
  const text = (): string => (existsSync(received) ? readFileSync(received, 'utf8') : '')
  return { env: { NOTIFY_SOCKET: kind === 'path' ? path : `@${path}` }, text }
}

describe.skipIf(!socat)('a notifier talking to a real unix datagram socket', () => {
  it('says ready, alive, status and stopping in the words of sd_notify(3)', async () => {
    const manager = await listen('path')
    const notifier = createNotifier(manager.env)
    expect(notifier.ready('serving')).toBe(true)
    expect(notifier.watchdog()).toBe(true)
    expect(notifier.status('exposing')).toBe(true)
    expect(notifier.stopping()).toBe(true)
    const expected = 'READY=1\nSTATUS=servingWATCHDOG=1STATUS=exposingSTOPPING=1'
    await until(() => manager.text().length >= expected.length)
    expect(manager.text()).toBe(expected)
  })

  it('reaches an abstract socket', async () => {
    const manager = await listen('abstract')
    expect(createNotifier(manager.env).watchdog()).toBe(true)
    await until(() => manager.text() !== '')
    expect(manager.text()).toBe('WATCHDOG=1')
  })

  it('cannot be made to say more than a status by a line break in a text', async () => {
    const manager = await listen('path')
    createNotifier(manager.env).status('camera\nMAINPID=1')
    await until(() => manager.text() !== '')
    expect(manager.text()).toBe('STATUS=camera MAINPID=1')
  })
})

describe('a notifier', () => {
  it('does nothing outside systemd', () => {
    const notifier = createNotifier({})
    expect(notifier.ready('serving')).toBe(true)
    expect(notifier.watchdogIntervalMs).toBeUndefined()
  })

  it('reports a service manager that is not there instead of throwing', () => {
    expect(createNotifier({ NOTIFY_SOCKET: join(tmpdir(), 'nightjar-nobody-listens') }).watchdog()).toBe(false)
    expect(createNotifier({ NOTIFY_SOCKET: 'neither-path-nor-abstract' }).watchdog()).toBe(false)
  })

  it('asks for a sign of life twice per WatchdogSec, and only of the process that is watched', () => {
    expect(createNotifier({ WATCHDOG_USEC: '10000000' }).watchdogIntervalMs).toBe(5000)
    expect(createNotifier({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '41' }, 41).watchdogIntervalMs).toBe(5000)
    expect(createNotifier({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '41' }, 42).watchdogIntervalMs).toBeUndefined()
  })

  it('refuses a socket path that sockaddr_un cannot hold', () => {
    expect(unixAddress(`/${'a'.repeat(106)}`)).toHaveLength(2 + 108)
    expect(unixAddress(`/${'a'.repeat(107)}`)).toBeUndefined()
    expect(unixAddress(`@${'a'.repeat(107)}`)).toHaveLength(2 + 108)
  })
})

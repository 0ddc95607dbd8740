import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { connectSerial } from './serial.ts'
import { connectTty } from './tty.ts'

const hasSocat = spawnSync('socat', ['-V']).status === 0
if (!hasSocat) console.log('skipped: serial ports need socat (apt-get install socat)')

const folders: string[] = []
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 500 && !condition(); n++) await systemClock.sleep(10)
  expect(condition()).toBe(true)
}

/** Two joined pseudo-terminals that begin as terminals do (echo, line editing), as a USB adapter does. */
async function cable(): Promise<{ a: string; b: string; cut: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-tty-'))
  folders.push(folder)
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const child = spawn('socat', [`pty,link=${a}`, `pty,link=${b}`], { stdio: 'ignore' })
  children.push(child)
  await until(() => existsSync(a) && existsSync(b))
  return { a, b, cut: () => void child.kill('SIGKILL') }
}

const silent = { onBytes: () => undefined, onClose: () => undefined }

/** How many descriptors of this process are open on the device. */
function openOn(path: string): number {
  const device = realpathSync(path)
  const places = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`)
    } catch {
      return ''
    }
  })
  return places.filter((place) => place === device).length
}

describe.skipIf(!hasSocat)('a serial port without a package', () => {
  it('carries every byte both ways, untouched by the terminal, and leaves nothing open', async () => {
    const { a, b } = await cable()
    const heard = { a: [] as number[], b: [] as number[] }
    const reasons: string[] = []
    const open = (path: string, who: 'a' | 'b') =>
      connectTty({ path, baudRate: 115_200 })({
        onBytes: (bytes) => void heard[who].push(...bytes),
        onClose: (reason) => void reasons.push(reason),
      })
    const [near, far] = [await open(a, 'a'), await open(b, 'b')]
    const everyByte = Uint8Array.from({ length: 256 }, (_, value) => value)
    await near.write(everyByte)
    await until(() => heard.b.length === 256)
    expect(heard.b).toEqual([...everyByte])
    await far.write(Buffer.from('$STATE,1\r\n'))
    await until(() => heard.a.length === 10)
    await near.close()
    await near.close()
    await far.close()
    expect(reasons).toEqual(['closed', 'closed'])
    await expect(near.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
    await until(() => openOn(a) === 0 && openOn(b) === 0)
  })

  it('shares its lock with the other serial wire: whoever is second is refused', async () => {
    const { a } = await cable()
    const ours = await connectTty({ path: a, baudRate: 9600 })(silent)
    await expect(connectTty({ path: a, baudRate: 9600 })(silent)).rejects.toThrow(/another program has it open/)
    await expect(connectSerial({ path: a, baudRate: 9600 })(silent)).rejects.toThrow(
      /another program has the port open/,
    )
    await ours.close()
    const theirs = await connectSerial({ path: a, baudRate: 9600 })(silent)
    await expect(connectTty({ path: a, baudRate: 9600 })(silent)).rejects.toMatchObject({ code: 'wire/connect' })
    await theirs.close()
  })

  it('tells at once that the far side is gone', async () => {
    const { a, cut } = await cable()
    const reasons: string[] = []
    await connectTty({ path: a, baudRate: 9600 })({ ...silent, onClose: (reason) => void reasons.push(reason) })
    const startMs = systemClock.monotonic()
    cut()
    await until(() => reasons.length > 0)
    expect(systemClock.monotonic() - startMs).toBeLessThan(1000)
    expect(reasons).toEqual(['the device was unplugged'])
  })

  it('gives up on a device that takes no bytes', async () => {
    const { a } = await cable()
    const wire = await connectTty({ path: a, baudRate: 9600 })(silent)
    const outcomes = Array.from({ length: 40 }, () => wire.write(new Uint8Array(16 * 1024)).then(() => 'taken', String))
    await expect(outcomes.at(-1)).resolves.toMatch(/takes no bytes/)
    await wire.close()
    await Promise.all(outcomes)
  })
})

describe('a serial port that cannot be opened', () => {
  it('names the port and the fix', async () => {
    await expect(connectTty({ path: '/dev/nightjar-none', baudRate: 9600 })(silent)).rejects.toThrow(
      /is the cable plugged/,
    )
    await expect(connectTty({ path: '/etc/hostname', baudRate: 9600 })(silent)).rejects.toThrow(/is not a serial port/)
  })
})

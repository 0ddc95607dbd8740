import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { connectSerial } from './serial.ts'

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

/** Two joined pseudo-terminals, as a cable with a port at either end. */
async function cable(): Promise<{ a: string; b: string; cut: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-serial-'))
  folders.push(folder)
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  const child = spawn('socat', [`pty,raw,echo=0,link=${a}`, `pty,raw,echo=0,link=${b}`], { stdio: 'ignore' })
  children.push(child)
  await until(() => existsSync(a) && existsSync(b))
  return { a, b, cut: () => void child.kill('SIGKILL') }
}

describe.skipIf(!hasSocat)('a serial wire', () => {
  it('carries bytes both ways and closes cleanly', async () => {
    const { a, b } = await cable()
    const heard = { a: '', b: '' }
    const reasons: string[] = []
    const open = (path: string, who: 'a' | 'b') =>
      connectSerial({ path, baudRate: 9600 })({
        onBytes: (bytes) => void (heard[who] += Buffer.from(bytes)),
        onClose: (reason) => void reasons.push(reason),
      })
    const [near, far] = [await open(a, 'a'), await open(b, 'b')]
    await near.write(Buffer.from(':GR#'))
    await until(() => heard.b === ':GR#')
    await far.write(Buffer.from('03:47:24#'))
    await until(() => heard.a === '03:47:24#')
    await near.close()
    await near.close()
    await far.close()
    expect(reasons).toEqual(['closed', 'closed'])
    await expect(near.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
  })

  it('says at the next write that the device was unplugged, and no write hangs', async () => {
    const { a, cut } = await cable()
    const reasons: string[] = []
    const wire = await connectSerial({ path: a, baudRate: 9600 })({
      onBytes: () => undefined,
      onClose: (reason) => void reasons.push(reason),
    })
    cut()
    const writes: Promise<unknown>[] = []
    await until(() => {
      writes.push(wire.write(Buffer.from('x')).catch((error: Error) => error))
      return reasons.length > 0
    })
    await Promise.all(writes)
    await expect(wire.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
    await wire.close()
    expect(reasons).toHaveLength(1)
  })

  it('is for one user: a second opening is told that the port is taken', async () => {
    const { a } = await cable()
    const handlers = { onBytes: () => undefined, onClose: () => undefined }
    const connect = connectSerial({ path: a, baudRate: 9600 })
    const wire = await connect(handlers)
    await expect(connect(handlers)).rejects.toMatchObject({
      code: 'wire/connect',
      message: `serial ${a}: another program has the port open: close it, or give it another port`,
    })
    await wire.close()
    await (await connect(handlers)).close()
  })

  it('is opened by its USB identity under whatever name it has at that moment', async () => {
    const first = await cable()
    const second = await cable()
    let path = first.a
    const list = async () => [{ path, vendorId: '0403', productId: '6001', serialNumber: 'A10KZP45' }]
    const connect = connectSerial({ path: 'usb:0403:6001:A10KZP45', baudRate: 9600, list })
    for (const { a, b } of [first, second]) {
      path = a
      let heard = ''
      const far = await connectSerial({ path: b, baudRate: 9600 })({
        onBytes: (bytes) => void (heard += Buffer.from(bytes)),
        onClose: () => undefined,
      })
      const wire = await connect({ onBytes: () => undefined, onClose: () => undefined })
      await wire.write(Buffer.from(a))
      await until(() => heard === a)
      await wire.close()
      await far.close()
    }
    const gone = connectSerial({ path: 'usb:0403:6001', baudRate: 9600, list: async () => [] })
    await expect(gone({ onBytes: () => undefined, onClose: () => undefined })).rejects.toMatchObject({
      code: 'wire/connect',
      message: 'serial usb:0403:6001 is not plugged in',
    })
  })

  it('names the port and the fix when it cannot be opened', async () => {
    const handlers = { onBytes: () => undefined, onClose: () => undefined }
    await expect(connectSerial({ path: '/dev/no-such-port', baudRate: 9600 })(handlers)).rejects.toMatchObject({
      code: 'wire/connect',
      message: expect.stringContaining('serial /dev/no-such-port') as string,
    })
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { connectAttached, connectHandedOver } from './attached.ts'
import { acceptUnixSocket, listenUnixSocket, sendWithDescriptors, takeMemory } from './unixSocket.ts'
import type { AttachedMemory, WireHandlers } from './wire.ts'

let folder: string
let path: string
const numbers: number[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-attached-'))
  path = join(folder, 's')
})
afterEach(() => {
  for (const number of numbers.splice(0)) closeSync(number)
  rmSync(folder, { recursive: true })
})

const keep = (descriptor: number): number => {
  numbers.push(descriptor)
  return descriptor
}

interface Heard extends WireHandlers {
  text: string
  readonly memories: AttachedMemory[]
  readonly reasons: string[]
}

function listenIn(): Heard {
  const heard: Heard = {
    text: '',
    memories: [],
    reasons: [],
    onBytes: (bytes) => {
      heard.text += Buffer.from(bytes).toString()
    },
    onAttached: (memory) => void heard.memories.push(memory),
    onClose: (reason) => void heard.reasons.push(reason),
  }
  return heard
}

async function until(condition: () => boolean): Promise<void> {
  const start = clock.monotonic()
  while (!condition() && clock.monotonic() - start < 5_000) await clock.sleep(5)
  expect(condition()).toBe(true)
}

/** The wire and the descriptor of its far end. */
async function joined(heard: Heard) {
  const listener = keep(listenUnixSocket(path))
  const wire = await connectAttached(path)(heard)
  return { wire, far: acceptUnixSocket(listener)! }
}

/** An open file stands for shared memory: both are read the same way. */
function memoryOf(text: string): number {
  const file = join(folder, 'memory')
  writeFileSync(file, text)
  return keep(openSync(file, 'r'))
}

describe('a unix socket with attachments', () => {
  it('brings memory before the bytes that speak of it, and bytes both ways', async () => {
    const heard = listenIn()
    const { wire, far } = await joined(heard)
    const memory = memoryOf('0123456789')
    sendWithDescriptors(far, Buffer.from('two'), [memory, memory])
    await until(() => heard.text === 'two')
    expect(heard.memories.map(({ sizeBytes }) => sizeBytes)).toEqual([10, 10])
    expect(Buffer.from(heard.memories[0]!.read(4)).toString()).toBe('0123')
    expect(Buffer.from(heard.memories[1]!.read(99)).toString()).toBe('0123456789')
    for (const each of heard.memories) each.close()
    expect(heard.memories[0]!.read(1)).toHaveLength(0)
    const answer = new net.Socket({ fd: far })
    const said = new Promise<string>((resolve) => answer.once('data', (bytes) => resolve(bytes.toString())))
    await wire.write(Buffer.from('thanks'))
    expect(await said).toBe('thanks')
    answer.destroy()
    await until(() => heard.reasons.length === 1)
    expect(heard.reasons).toEqual(['the far side closed the wire'])
    await expect(wire.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
  })

  it('keeps the far side waiting while it is paused, and loses nothing at the end', async () => {
    const heard = listenIn()
    const { wire, far } = await joined(heard)
    wire.pause()
    const sender = new net.Socket({ fd: far })
    const sent = 8 << 20
    let taken = false
    sender.end(Buffer.alloc(sent, 'x'), () => {
      taken = true
    })
    await clock.sleep(100)
    expect([taken, heard.text.length, heard.reasons]).toEqual([false, 0, []])
    wire.resume()
    await until(() => heard.reasons.length === 1)
    expect(heard.text.length).toBe(sent)
  })

  it('leaves no descriptor open, neither of a wire nor of memory that nobody takes', async () => {
    const { onAttached: _, ...plain } = listenIn()
    const memory = memoryOf('x')
    const open = (): number => readdirSync('/proc/self/fd').length
    const before = open()
    const listener = listenUnixSocket(path)
    const wire = await connectAttached(path)(plain)
    const far = acceptUnixSocket(listener)!
    sendWithDescriptors(far, Buffer.from('x'), [memory])
    await clock.sleep(50)
    await wire.close()
    await wire.close()
    closeSync(far)
    closeSync(listener)
    await until(() => open() <= before)
  })

  it('says so when a broker has nothing to hand over', async () => {
    const broker = net.createServer((socket) => socket.end()).listen(path)
    await expect(connectHandedOver(path)(listenIn())).rejects.toThrow('nothing was handed over')
    broker.close()
  })

  it('stops waiting for a broker that does not answer when it is told to', async () => {
    const broker = net.createServer(() => undefined).listen(path)
    const enough = new AbortController()
    const asked = connectHandedOver(path)(listenIn(), enough.signal)
    await clock.sleep(50)
    enough.abort()
    await expect(asked).rejects.toMatchObject({ code: 'wire/connect' })
    broker.close()
  })

  it('takes nothing from what is not memory, or is too much of it', () => {
    expect(takeMemory(openSync('/dev/zero', 'r'), 100).byteLength).toBe(0)
    const file = memoryOf('0123456789')
    expect(takeMemory(openSync(`/proc/self/fd/${file}`, 'r'), 9).byteLength).toBe(0)
    expect(takeMemory(openSync(`/proc/self/fd/${file}`, 'r'), 10).byteLength).toBe(10)
  })

  it('does not keep a process from exiting', async () => {
    const server = net.createServer(() => undefined).listen(path)
    const module = new URL('./attached.ts', import.meta.url).href
    const program = join(folder, 'program.mjs')
    writeFileSync(
      program,
      `import { connectAttached } from ${JSON.stringify(module)}
      await connectAttached(${JSON.stringify(path)})({ onBytes() {}, onClose() {} })
      setTimeout(() => process.exit(7), 1_000)`,
    )
    const child = spawn(process.execPath, [program], { stdio: 'ignore', timeout: 5_000, killSignal: 'SIGKILL' })
    const [status] = await once(child, 'close')
    server.close()
    expect(status).toBe(7)
  })

  it('names the path of a socket that is not there', async () => {
    await expect(connectAttached(path)(listenIn())).rejects.toThrow(`unix ${path}: ENOENT`)
    expect(existsSync(path)).toBe(false)
    await expect(connectAttached(`/${'x'.repeat(120)}`)(listenIn())).rejects.toMatchObject({ code: 'wire/path' })
  })
})

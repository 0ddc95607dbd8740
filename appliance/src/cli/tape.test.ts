import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseTape } from '@nightjar/firmware-bridge/wire/tape.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectTo } from './tape.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
let folder: string
let device: Server
let address: string

/** A device that greets, and answers every line in capitals. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-tape-'))
  device = createServer((socket) => {
    socket.write('hello\n')
    socket.on('data', (bytes) => socket.write(bytes.toString().toUpperCase()))
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(device, 'listening')
  address = `127.0.0.1:${(device.address() as { port: number }).port}`
})

const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
  device.close()
  rmSync(folder, { recursive: true, force: true })
})

function tape(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [main, 'tape', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  return child
}

async function textUntil(stream: NodeJS.ReadableStream, end: string): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += String(chunk)
    if (text.includes(end)) break
  }
  return text
}

async function finish(child: ChildProcess): Promise<{ status: number | null; out: string; err: string }> {
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => (out += String(chunk)))
  child.stderr?.on('data', (chunk) => (err += String(chunk)))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, out, err }
}

describe('nightjar tape', () => {
  it('records a device between it and another program, and plays it back', async () => {
    const file = join(folder, 'device.tape')
    const recorder = tape('record', address, file, '--listen', String(await freePort()))
    const done = once(recorder, 'close')
    const client = await connectTo127(await textUntil(recorder.stdout!, '\n'))
    await textUntil(client, 'hello\n')
    client.destroy()
    expect((await done)[0]).toBe(0)
    const recording = parseTape(readFileSync(file, 'utf8'))
    expect(recording.name).toBe(`tcp ${address}`)
    expect(recording.entries.map((entry) => Buffer.from(entry.bytes).toString())).toEqual(['hello\n'])

    const player = tape('replay', file)
    const listener = await connectTo127(await textUntil(player.stdout!, '\n'))
    expect(await textUntil(listener, 'hello\n')).toBe('hello\n')
    listener.destroy()
  })

  it('records the answer to one text for some seconds, and shows it', async () => {
    const file = join(folder, 'answer.tape')
    expect((await finish(tape('record', address, file, '--send', 'park', '--seconds', '0.3'))).status).toBe(0)
    expect((await finish(tape('show', file))).out).toMatch(/, lines\n +0\.\d+ s . .*\n/)
    const { out } = await finish(tape('show', file, '--raw'))
    expect(out).toMatch(/> +4 bytes {2}"park"\n/)
    expect(out).toMatch(/< +\d+ bytes {2}".*PARK"\n/)
  })

  it('does not write over a recording', async () => {
    const file = join(folder, 'old.tape')
    writeFileSync(file, 'precious')
    const { status, err } = await finish(tape('record', address, file, '--seconds', '1'))
    expect(status).toBe(1)
    expect(err).toBe(`nightjar tape: ${file} is there already: give another name\n`)
    expect(readFileSync(file, 'utf8')).toBe('precious')
  })

  it('names the file and line of what is not a tape', async () => {
    const file = join(folder, 'bad.tape')
    writeFileSync(file, 'SIMPLE  =                    T\n')
    expect(await finish(tape('show', file))).toEqual({
      status: 1,
      out: '',
      err: `nightjar tape: ${file}: line 1: not a JSON object\n`,
    })
  })

  it('refuses an address that is none', () => {
    for (const wrong of ['localhost', 'a:b', 'host:123456', ''])
      expect(() => connectTo(wrong, 9600)).toThrow(/neither host:port/)
  })
})

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function connectTo127(line: string) {
  const socket = connect(Number(line.trim().split(':')[1]), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

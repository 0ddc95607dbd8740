import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, it } from 'vitest'
import { listenDaemon } from './daemonPort.ts'
import { ownIdentity, startTicks } from './processes.ts'
import { createLineReader, encodeLine, type GuardianStatus, longestLineBytes } from './protocol.ts'

const status: GuardianStatus = {
  type: 'status',
  version: 1,
  ...ownIdentity(),
  phase: 'watching',
  causes: [],
  alarms: [],
  mayOpen: false,
  mountDown: false,
  mount: null,
  roof: null,
  inputs: [],
  actions: [],
}

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 1000 && !condition(); n++) await systemClock.sleep(5)
  expect(condition()).toBe(true)
}

async function port() {
  // Ages are told by hand: what the machine is busy with does not matter.
  const time = { ms: 1_000 }
  const clock: Clock = { ...systemClock, monotonic: () => time.ms }
  const stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-guardian-port-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const events: string[] = []
  const path = join(folder, 'guardian.sock')
  const listening = await listenDaemon({ path, clock, status: () => status, onEvent: (event) => events.push(event) })
  stack.use(listening)
  /** A client that says these lines; what it hears is gathered. */
  const say = (...lines: (string | Buffer)[]) => {
    const socket = net.connect({ path })
    const client = {
      heard: '',
      closed: false,
      /** So many lines have come, answers to as many messages. */
      answers: () => client.heard.split('\n').length - 1,
      write: (text: string) => void socket.write(text),
    }
    socket.on('data', (bytes) => {
      client.heard += bytes.toString()
    })
    socket.on('close', () => (client.closed = true))
    socket.on('error', () => undefined)
    stack.defer(() => void socket.destroy())
    for (const line of lines) socket.write(line)
    return client
  }
  return { ...listening, say, events, time, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const hello = (identity = ownIdentity()) => encodeLine({ type: 'hello', version: 1, ...identity })
const beat = (health: number) => encodeLine({ type: 'beat', health })

describe('the daemon’s port', () => {
  it('knows no daemon before one has said hello', async () => {
    await using daemon = await port()
    expect(daemon.view()).toMatchObject({ link: 'none', processAlive: false })
    // The nonsense at the end is told when the beat before it has been read.
    daemon.say(beat(1), 'nonsense\n')
    await until(() => daemon.events.includes('daemon.nonsense'))
    expect(daemon.view().link).toBe('none')
  })

  it('answers each beat, and sees when the work stands still though the beats go on', async () => {
    await using daemon = await port()
    const client = daemon.say(hello(), beat(1))
    await until(() => client.answers() === 2)
    daemon.time.ms += 700
    client.write(beat(1))
    await until(() => client.answers() === 3)
    expect(daemon.view()).toMatchObject({ beatAgeMs: 0, healthAgeMs: 700 })
    client.write(beat(2))
    await until(() => client.answers() === 4)
    daemon.time.ms += 300
    expect(daemon.view()).toMatchObject({ beatAgeMs: 300, healthAgeMs: 300 })
  })

  it('counts the age of what the daemon tells of its mount', async () => {
    await using daemon = await port()
    const mount = { parked: true, slewing: false, tracking: false, ageMs: 400 }
    const client = daemon.say(hello(), encodeLine({ type: 'beat', health: 1, mount }))
    await until(() => client.answers() === 2)
    daemon.time.ms += 600
    expect(daemon.toldMount()).toEqual({ ...mount, ageMs: 1_000 })
  })

  it('refuses a process that does not exist, one whose start is another, and another version', async () => {
    await using daemon = await port()
    const other = daemon.say(hello({ pid: process.ppid, startTicks: '1' }))
    await until(() => other.heard.includes('no process'))
    const version = daemon.say(encodeLine({ type: 'hello', version: 2, ...ownIdentity() }))
    await until(() => version.heard.includes('speaks version 1, not 2'))
    expect(daemon.view().link).toBe('none')
    expect(daemon.kill()).toBe(false)
  })

  it('refuses a second daemon while the first beats, and takes it when the first is silent', async () => {
    await using daemon = await port()
    const first = daemon.say(hello(), beat(1))
    await until(() => first.answers() === 2)
    const parent = { pid: process.ppid, startTicks: startTicks(process.ppid) ?? '' }
    const second = daemon.say(hello(parent))
    await until(() => second.heard.includes(`process ${process.pid} is the daemon`))
    expect(daemon.view()).toMatchObject({ link: 'open', processAlive: true })
    daemon.time.ms += 2_000
    const third = daemon.say(hello(parent))
    await until(() => third.answers() === 1 && first.closed)
    expect(daemon.events.at(-1)).toBe('daemon.hello')
    expect(daemon.view()).toMatchObject({ link: 'open', beatAgeMs: 0 })
  })

  it.each([
    ['what is no JSON', 'beat\n'],
    ['what is no message of ours', '{"type":"open the roof"}\n'],
    ['a process group for a process', '{"type":"hello","version":1,"pid":-1,"startTicks":"1"}\n'],
    ['a line without end', 'x'.repeat(longestLineBytes + 1)],
  ])('hangs up on %s', async (_, text) => {
    await using daemon = await port()
    const client = daemon.say(text)
    await until(() => client.closed)
    expect(daemon.events).toEqual(['daemon.nonsense'])
  })

  it('survives ten thousand broken pieces, and still takes the daemon', async () => {
    await using daemon = await port()
    const random = createRandom('nonsense')
    const good = Buffer.from(hello() + beat(1))
    for (let n = 0; n < 20; n++) {
      const pieces = Array.from({ length: 500 }, () => {
        const piece = Buffer.from(good.subarray(random.integer(good.length)))
        for (let flips = random.integer(4); flips > 0; flips--)
          piece[random.integer(piece.length)] = random.integer(256)
        return piece
      })
      const client = daemon.say(...pieces.filter((piece) => !piece.toString().includes('"hello"')))
      await until(() => client.closed)
    }
    const client = daemon.say(hello(), beat(1))
    await until(() => client.answers() === 2)
    expect(daemon.view().link).toBe('open')
  })
})

describe('the reader of lines', () => {
  it('puts together what came in pieces, in the middle of a letter too', () => {
    const heard: string[] = []
    const read = createLineReader(
      (message) => heard.push(JSON.stringify(message)),
      () => heard.push('fault'),
    )
    const bytes = Buffer.from('{"type":"beat","words":"Übergröße"}\n\n{"type":"bye"}\n')
    for (const byte of bytes) read(Uint8Array.of(byte))
    expect(heard).toEqual(['{"type":"beat","words":"Übergröße"}', '{"type":"bye"}'])
  })
})

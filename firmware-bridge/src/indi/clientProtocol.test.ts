import { deflateSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { AttachedMemory, Connect, Wire, WireHandlers } from '../wire/wire.ts'
import { type ClientEvent, createIndiClient, type IndiClient } from './client.ts'
import type { Values } from './command.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage, SwitchRule } from './messages.ts'
import { findProperty, findText } from './properties.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing[Symbol.asyncDispose]()
})

interface Session {
  readonly clock: VirtualClock
  readonly client: IndiClient
  readonly events: ClientEvent[]
  readonly heard: IndiMessage[]
  readonly wires: Wire[]
  /** Bytes from the server, as they are on the wire. */
  say(text: string | Uint8Array): Promise<void>
}

/** A client on a server that says only what the test says. */
async function session(limits: { readonly pendingWriteBytes?: number } = {}, deaf = false): Promise<Session> {
  const clock = new VirtualClock(0)
  const [events, heard, wires]: [ClientEvent[], IndiMessage[], Wire[]] = [[], [], []]
  const decoder = createDecoder({ onMessage: (message) => void heard.push(message), onFault: () => undefined })
  const connect = memoryConnect((open) => {
    const wire = open({ onBytes: (bytes) => decoder.feed(bytes), onClose: () => undefined })
    if (deaf) wire.pause()
    wires.push(wire)
  })
  const client = createIndiClient(connect, { clock, random: createRandom(1), limits })
  opened.push(client)
  client.listen((event) => void events.push(event))
  await clock.advance(10)
  return {
    clock,
    client,
    events,
    heard,
    wires,
    async say(text) {
      await wires.at(-1)?.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
      await clock.advance(10)
    },
  }
}

const switches = (rule: SwitchRule): string =>
  `<defSwitchVector device="D" name="S" state="Ok" perm="rw" rule="${rule}" timeout="1">
  <defSwitch name="A">On</defSwitch><defSwitch name="B">Off</defSwitch><defSwitch name="C">Off</defSwitch></defSwitchVector>`

describe('the switch rules', () => {
  it.each([
    ['OneOfMany', { B: true }, { A: false, B: true, C: false }],
    ['OneOfMany', { A: false }, 'D.S: exactly one switch must be on, not 0'],
    ['OneOfMany', { A: true, B: true }, 'D.S: exactly one switch must be on, not 2'],
    ['AtMostOne', { A: false }, { A: false, B: false, C: false }],
    ['AtMostOne', { C: true }, { A: false, B: false, C: true }],
    ['AtMostOne', { B: true, C: true }, 'D.S: at most one switch may be on, not 2'],
    ['AnyOfMany', { B: true, C: true }, { A: true, B: true, C: true }],
    ['AnyOfMany', { A: 1 }, 'D.S.A is a switch: true or false, not 1'],
  ] as [SwitchRule, Values, Values | string][])('of %s make of %j what is sent: %j', async (rule, values, expected) => {
    const { client, say, heard } = await session()
    await say(switches(rule))
    const outcome = client.set('D', 'S', values, { timeoutMs: 5 })
    if (typeof expected === 'string') {
      expect(await outcome).toEqual({ ok: false, reason: expected })
      expect(heard.filter((message) => message.type === 'new')).toEqual([])
      return
    }
    await say('')
    const sent = heard.find((message) => message.type === 'new')
    expect(
      sent?.type === 'new' &&
        Object.fromEntries(sent.elements.map((item) => [item.name, 'value' in item && item.value])),
    ).toEqual(expected)
  })
})

describe('the protocol as it really comes', () => {
  it('takes text that is not UTF-8 as latin1, and sends none that would break the driver', async () => {
    const { client, say, heard } = await session()
    await say(
      '<defTextVector device="D" name="T" state="Ok" perm="rw"><defText name="X">caf\xe9</defText></defTextVector>',
    )
    expect(findText(client.state, 'D', 'T', 'X')).toBe('café')
    await say('<setTextVector device="D" name="T"><oneText name="X">\xe6\x98\x9f</oneText></setTextVector>')
    expect(findText(client.state, 'D', 'T', 'X')).toBe('星')
    expect(await client.set('D', 'T', { X: 'a\x01b' })).toEqual({
      ok: false,
      reason: 'D.T.X must not contain control characters',
    })
    expect(heard.some((message) => message.type === 'new')).toBe(false)
  })

  it('waits for a definition after a set, takes a second one as news, and loses one, a device, or all', async () => {
    const { client, say, events } = await session()
    await say('<setTextVector device="D" name="T" state="Ok"><oneText name="X">early</oneText></setTextVector>')
    expect(client.state.devices.size).toBe(0)
    const define = (device: string, name: string, value: string): string =>
      `<defTextVector device="${device}" name="${name}" state="Ok" perm="rw"><defText name="X">${value}</defText></defTextVector>`
    await say(define('D', 'T', 'one') + define('D', 'U', 'x') + define('E', 'T', 'x'))
    await say(define('D', 'T', 'two'))
    expect(findText(client.state, 'D', 'T', 'X')).toBe('two')
    const defined = events.filter((event) => event.type === 'defined').map(({ fresh }) => fresh)
    expect(defined).toEqual([true, true, true, false])
    await say('<delProperty device="D" name="T"/>')
    expect(findProperty(client.state, 'D', 'T')).toBeUndefined()
    expect(findProperty(client.state, 'D', 'U')).toBeDefined()
    await say('<delProperty device="D"/>')
    expect([...client.state.devices.keys()]).toEqual(['E'])
    await say('<delProperty/>')
    expect(client.state.devices.size).toBe(0)
  })

  it('asks and answers pings, and sees whom others command or watch', async () => {
    const { clock, client, say, heard, events } = await session()
    const round = client.ping(1_000)
    await say('<pingRequest uid="SetBLOB/1"/>')
    expect(heard).toContainEqual({ type: 'pingReply', uid: 'SetBLOB/1' })
    const asked = heard.find((message) => message.type === 'pingRequest')
    await say(`<pingReply uid="${asked?.type === 'pingRequest' ? asked.uid : ''}"/>`)
    expect(await round).toBe(10)
    expect(await clock.run(client.ping(1_000))).toBeUndefined()
    await say('<getProperties version="1.7" device="Mount" name="EQUATORIAL_EOD_COORD"/>')
    const foreign = events.filter((event) => event.type === 'foreign').map(({ message }) => message)
    expect(foreign).toEqual([{ type: 'getProperties', version: '1.7', device: 'Mount', name: 'EQUATORIAL_EOD_COORD' }])
  })

  it('asks for BLOBs by property, with the policy that was wanted', async () => {
    const { client, say, heard } = await session()
    client.wantBlobs('D', 'CCD1', 'Only')
    client.wantBlobs('D', 'CCD2', 'Never')
    for (const name of ['CCD1', 'CCD2', 'CCD3']) {
      await say(`<defBLOBVector device="D" name="${name}" state="Ok" perm="ro"><defBLOB name="X"/></defBLOBVector>`)
    }
    expect(heard.filter((message) => message.type === 'enableBLOB')).toEqual([
      { type: 'enableBLOB', device: 'D', name: 'CCD1', policy: 'Only' },
      { type: 'enableBLOB', device: 'D', name: 'CCD2', policy: 'Never' },
    ])
  })
})

describe('compressed BLOBs', () => {
  const content = Buffer.alloc(100_000, 'stars ')
  const blob = (bytes: Uint8Array, sizeBytes: number, format: string): Uint8Array =>
    encode({
      type: 'set',
      kind: 'blob',
      device: 'D',
      name: 'B',
      state: 'Ok',
      elements: [{ name: 'B', format, sizeBytes, bytes }],
    })
  const settled = async (events: ClientEvent[]): Promise<void> => {
    // zlib works on a thread of its own, in real time.
    for (let i = 0; i < 400 && !events.some((event) => event.type === 'blob' || event.type === 'fault'); i++) {
      await systemClock.sleep(5)
    }
  }

  it('with .z are inflated, exactly to their announced size', async () => {
    const { say, events } = await session()
    await say(blob(deflateSync(content), content.length, '.fits.z'))
    await settled(events)
    const [got] = events.flatMap((event) => (event.type === 'blob' ? event.blobs : []))
    expect(got?.format).toBe('.fits')
    expect(content.equals(got!.bytes)).toBe(true)
  })

  it.each([
    ['a bomb that inflates to more', deflateSync(content), 1_000],
    ['one that inflates to less', deflateSync(content), 200_000],
    ['one that announces more than is allowed', deflateSync(content), 2 ** 40],
    ['one that announces nothing', deflateSync(content), 0],
    ['one that is not zlib', content.subarray(0, 1_000), 5_000],
  ])('are refused: %s', async (_, bytes, sizeBytes) => {
    const { say, events, client } = await session()
    await say(blob(bytes, sizeBytes, '.fits.z'))
    await settled(events)
    expect(events.find((event) => event.type === 'fault')).toMatchObject({ fault: { code: 'indi/inflate' } })
    expect(events.some((event) => event.type === 'blob')).toBe(false)
    expect(client.open).toBe(true)
  })

  it('with .fz are passed on whole, also from a driver that announces only the encoded length', async () => {
    const { say, events } = await session()
    const whole = Buffer.alloc(1_000, 'fz')
    await say(`<setBLOBVector device='D' name='B'><oneBLOB name='B' size='5760' enclen='1336' format='.fits.fz'>
${whole.toString('base64')}</oneBLOB></setBLOBVector>`)
    const [got] = events.flatMap((event) => (event.type === 'blob' ? event.blobs : []))
    expect(got).toMatchObject({ format: '.fits.fz', sizeBytes: 5760 })
    expect(whole.equals(got!.bytes)).toBe(true)
  })
})

describe('attached BLOBs', () => {
  interface Memory extends AttachedMemory {
    closed: boolean
  }
  const memory = (text: string): Memory => {
    const bytes = Buffer.from(text)
    const made: Memory = {
      sizeBytes: bytes.length,
      closed: false,
      read: (count) => bytes.subarray(0, count),
      close: () => {
        made.closed = true
      },
    }
    return made
  }
  const attached = (name: string, length: number): Buffer =>
    Buffer.from(
      `<setBLOBVector device="D" name="${name}"><oneBLOB name="B" size="${length}" len="${length}" format=".bin" attached="true">\n</oneBLOB></setBLOBVector>`,
    )

  async function wired() {
    const clock = new VirtualClock(0)
    const events: ClientEvent[] = []
    let handlers: WireHandlers | undefined
    const connect: Connect = async (given) => {
      handlers = given
      return {
        name: 'test',
        write: async () => undefined,
        pause: () => undefined,
        resume: () => undefined,
        close: async () => given.onClose('closed'),
      }
    }
    const client = createIndiClient(connect, { clock, random: createRandom(1) })
    opened.push(client)
    client.listen((event) => void events.push(event))
    await clock.advance(10)
    return { events, handlers: handlers!, client, clock }
  }

  it('take their memory in order and cut it to their length', async () => {
    const { events, handlers } = await wired()
    const [first, second] = [memory('first, and room behind it'), memory('second')]
    handlers.onAttached?.(first)
    handlers.onAttached?.(second)
    handlers.onBytes(Buffer.concat([attached('A', 5), attached('B', 6)]))
    const blobs = events.flatMap((event) => (event.type === 'blob' ? event.blobs : []))
    expect(blobs.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(['first', 'second'])
    expect([first.closed, second.closed]).toEqual([true, true])
  })

  it('are faults when memory is missing, too small, or too much', async () => {
    const { events, handlers, clock } = await wired()
    const codes = (): string[] => events.flatMap((event) => (event.type === 'fault' ? [event.fault.code] : []))
    handlers.onBytes(attached('A', 5))
    const small = memory('tiny')
    handlers.onAttached?.(small)
    handlers.onBytes(attached('A', 5))
    expect(codes()).toEqual(['indi/attachment-missing', 'indi/blob-truncated'])
    expect(small.closed).toBe(true)
    const many = Array.from({ length: 17 }, () => memory('x'))
    for (const each of many) handlers.onAttached?.(each)
    expect(codes().at(-1)).toBe('indi/too-many-attachments')
    expect(many.filter((each) => each.closed)).toHaveLength(1)
    handlers.onClose('cut')
    await clock.advance(1)
    expect(many.every((each) => each.closed)).toBe(true)
  })
})

describe('a server that stops reading', () => {
  it('is hung up on before it makes this process keep more than the limit', async () => {
    const { clock, client, events, wires } = await session({ pendingWriteBytes: 10_000 }, true)
    for (let i = 0; i < 400; i++) client.readBack('Some Device', `PROPERTY_${i}`)
    await clock.advance(5_000)
    expect(events.filter((event) => event.type === 'closed').length).toBeGreaterThan(0)
    expect(wires.length).toBeGreaterThan(1)
  })
})

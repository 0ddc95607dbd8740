import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Wire } from '../wire/wire.ts'
import { type ClientEvent, createIndiClient, type IndiClient } from './client.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type { DefMessage, IndiMessage, NewMessage } from './messages.ts'
import { findNumber } from './properties.ts'

const clients: IndiClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client[Symbol.asyncDispose]()
})

/** A driver that does what each test needs, by hand, on a real wire with real bytes. */
class Peer {
  readonly heard: IndiMessage[] = []
  readonly wires: Wire[] = []
  properties: DefMessage[] = []
  onNew: (message: NewMessage) => void = () => undefined
  answersReadBack = true
  silent = false

  readonly connect = memoryConnect((open) => {
    const decoder = createDecoder({ onMessage: (message) => this.#receive(message), onFault: () => undefined })
    this.wires.push(open({ onBytes: (bytes) => decoder.feed(bytes), onClose: () => undefined }))
  })

  say(...messages: IndiMessage[]): void {
    for (const message of messages)
      void this.wires
        .at(-1)
        ?.write(encode(message))
        .catch(() => undefined)
  }

  #receive(message: IndiMessage): void {
    this.heard.push(message)
    if (this.silent) return
    if (message.type === 'pingRequest') this.say({ type: 'pingReply', uid: message.uid })
    if (message.type === 'new') this.onNew(message)
    if (message.type !== 'getProperties' || (message.name !== undefined && !this.answersReadBack)) return
    for (const property of this.properties) {
      if (message.name === undefined || message.name === property.name) this.say(property)
    }
  }

  /** The commands that came, without read-backs and pings. */
  news(): NewMessage[] {
    return this.heard.filter((message) => message.type === 'new')
  }
}

const frame: DefMessage = {
  type: 'def',
  kind: 'number',
  device: 'C',
  name: 'CCD_FRAME',
  label: '',
  group: '',
  state: 'Idle',
  permission: 'rw',
  timeoutSeconds: 60,
  elements: [
    { name: 'X', label: '', format: '%g', min: 0, max: 100, step: 1, value: 3 },
    { name: 'Y', label: '', format: '%g', min: 0, max: 100, step: 1, value: 4 },
  ],
}

function connection(connected: boolean): DefMessage {
  return {
    type: 'def',
    kind: 'switch',
    device: 'C',
    name: 'CONNECTION',
    label: '',
    group: '',
    state: 'Ok',
    permission: 'rw',
    timeoutSeconds: 60,
    rule: 'OneOfMany',
    elements: [
      { name: 'CONNECT', label: '', value: connected },
      { name: 'DISCONNECT', label: '', value: !connected },
    ],
  }
}

const blobs: DefMessage = {
  type: 'def',
  kind: 'blob',
  device: 'C',
  name: 'CCD1',
  label: '',
  group: '',
  state: 'Idle',
  permission: 'ro',
  timeoutSeconds: 60,
  elements: [{ name: 'CCD1', label: '' }],
}

function start(peer: Peer): { clock: VirtualClock; client: IndiClient; events: ClientEvent[] } {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21))
  const events: ClientEvent[] = []
  const client = createIndiClient(peer.connect, { clock, random: createRandom(1) })
  client.listen((event) => void events.push(event))
  clients.push(client)
  return { clock, client, events }
}

const setFrame = (x: number, y: number, state: 'Ok' | 'Alert' | 'Busy'): IndiMessage => ({
  type: 'set',
  kind: 'number',
  device: 'C',
  name: 'CCD_FRAME',
  state,
  elements: [
    { name: 'X', value: x },
    { name: 'Y', value: y },
  ],
})

/** A driver that takes a frame, as `after` says it does. */
function framePeer(...after: IndiMessage[]): Peer {
  const peer = new Peer()
  peer.properties = [frame]
  peer.onNew = () => peer.say(...after)
  return peer
}

describe('an INDI client', () => {
  it('asks for properties with a version, without which every driver exits', async () => {
    const peer = framePeer()
    const { clock, client } = start(peer)
    await clock.advance(100)
    expect(peer.heard[0]).toEqual({ type: 'getProperties', version: '1.7' })
    expect(findNumber(client.state, 'C', 'CCD_FRAME', 'X')).toBe(3)
  })

  it('sends every element of a vector, those that were not asked for as they are', async () => {
    const peer = framePeer()
    const { clock, client } = start(peer)
    peer.onNew = () => {
      peer.properties = [
        {
          ...frame,
          elements: frame.elements.map((item) => ({ ...item, value: item.name === 'X' ? 9 : 4 })),
        } as DefMessage,
      ]
    }
    expect(await clock.run(client.set('C', 'CCD_FRAME', { X: 9 }))).toEqual({ ok: true })
    expect(peer.news()[0]?.elements).toEqual([
      { name: 'X', value: 9 },
      { name: 'Y', value: 4 },
    ])
  })

  it.each([
    ['a driver that answers Ok and keeps the old value', [setFrame(3, 4, 'Ok')], 'the device kept X = 3'],
    [
      'a driver that takes a wrong value, then says Alert and why',
      [setFrame(9, 4, 'Ok'), setFrame(9, 4, 'Alert'), { type: 'message', device: 'C', message: 'out of range' }],
      'out of range (the device reports Alert)',
    ],
    ['a driver that does not answer at all', [], 'the device kept X = 3'],
    ['a driver that dies of it', [{ type: 'delProperty', device: 'C' }], 'C was lost'],
  ] as [string, IndiMessage[], string][])('tells refusal by %s', async (_, answers, reason) => {
    const peer = framePeer(...answers)
    const last = answers.findLast((message) => message.type === 'set' && message.kind === 'number')
    if (last?.type === 'set' && last.kind === 'number') {
      const state = last.state ?? 'Idle'
      peer.onNew = () => {
        const elements = last.elements.map((item, i) => ({ ...frame.elements[i], value: item.value }))
        peer.properties = [{ ...frame, state, elements } as DefMessage]
        peer.say(...answers)
      }
    }
    const { clock, client } = start(peer)
    expect(await clock.run(client.set('C', 'CCD_FRAME', { X: 9 }))).toEqual({ ok: false, reason })
  })

  it('waits while the device is Busy, and no longer than it was told to', async () => {
    const peer = framePeer(setFrame(3, 4, 'Busy'))
    peer.answersReadBack = false
    const { clock, client } = start(peer)
    const outcome = client.set('C', 'CCD_FRAME', { X: 9 }, { timeoutMs: 7_000 })
    expect(await clock.run(outcome)).toEqual({ ok: false, reason: 'C.CCD_FRAME was not done within 7 s' })
    expect(clock.monotonic()).toBe(7_000)
  })

  it.each([
    [{ Z: 1 }, 'C.CCD_FRAME has no element Z'],
    [{ X: Number.NaN }, 'C.CCD_FRAME.X = NaN is not a finite number'],
    [{ X: 101 }, 'C.CCD_FRAME.X = 101 is outside 0 to 100'],
  ])('does not send %j at all', async (values, reason) => {
    const peer = framePeer()
    const { clock, client } = start(peer)
    expect(await clock.run(client.set('C', 'CCD_FRAME', values))).toEqual({ ok: false, reason })
    expect(peer.news()).toEqual([])
  })

  it('fails at once for a property that does not come, an aborted signal, and a lost wire', async () => {
    const peer = framePeer()
    const { clock, client } = start(peer)
    expect(await clock.run(client.set('C', 'NOPE', { X: 1 }, { timeoutMs: 500 }))).toEqual({
      ok: false,
      reason: 'C has no NOPE',
    })
    peer.answersReadBack = false
    const aborting = new AbortController()
    const aborted = client.set('C', 'CCD_FRAME', { X: 9 }, { signal: aborting.signal })
    await clock.advance(100)
    aborting.abort('enough')
    expect(await aborted).toEqual({ ok: false, reason: 'aborted: enough' })
    const lost = client.set('C', 'CCD_FRAME', { X: 9 })
    await clock.advance(100)
    await peer.wires.at(-1)?.close()
    expect(await lost).toEqual({ ok: false, reason: 'the connection to the server was lost' })
  })

  it('brings back connection, settings and BLOBs after the driver was restarted, and after the wire was lost', async () => {
    const peer = new Peer()
    let values = [3, 4]
    const held = (): DefMessage =>
      ({ ...frame, elements: frame.elements.map((item, i) => ({ ...item, value: values[i] })) }) as DefMessage
    const driver = (connected: boolean): void => {
      peer.properties = connected ? [connection(true), held(), blobs] : [connection(false)]
    }
    driver(false)
    peer.onNew = (message) => {
      if (message.name === 'CONNECTION') {
        driver(true)
        peer.say(...peer.properties)
      } else if (message.kind === 'number') {
        values = message.elements.map((item) => item.value)
        driver(true)
        peer.say(setFrame(values[0]!, values[1]!, 'Ok'))
      }
    }
    const { clock, client } = start(peer)
    client.wantBlobs('C', 'CCD1')
    expect(await clock.run(client.connectDevice('C'))).toEqual({ ok: true })
    expect(await clock.run(client.set('C', 'CCD_FRAME', { X: 50 }, { keep: true }))).toEqual({ ok: true })

    for (const lose of [
      () => peer.say({ type: 'delProperty', device: 'C' }, ...peer.properties),
      () => peer.wires.at(-1)?.close(),
    ]) {
      peer.heard.length = 0
      values = [3, 4]
      driver(false)
      await lose()
      await clock.advance(5_000)
      expect(peer.news().map((message) => message.name)).toEqual(['CONNECTION', 'CCD_FRAME'])
      expect(peer.heard).toContainEqual({ type: 'enableBLOB', device: 'C', name: 'CCD1', policy: 'Also' })
      expect(values).toEqual([50, 4])
    }
  })

  it('tries again to connect a device that did not connect, but not all the time', async () => {
    const peer = new Peer()
    peer.properties = [connection(false)]
    const { clock, client } = start(peer)
    expect(await clock.run(client.connectDevice('C', 1_000))).toMatchObject({ ok: false, reason: 'C does not connect' })
    await clock.advance(60_000)
    expect(peer.news().length).toBeGreaterThanOrEqual(4)
    expect(peer.news().length).toBeLessThanOrEqual(5)
  })

  it('closes a wire on which nothing comes any more, and opens another', async () => {
    const peer = framePeer()
    const { clock, events } = start(peer)
    await clock.advance(60_000)
    expect(peer.wires).toHaveLength(1)
    peer.silent = true
    await clock.advance(25_000)
    expect(peer.wires.length).toBeGreaterThanOrEqual(2)
    expect(events.map((event) => event.type)).toContain('closed')
  })

  it('hangs up on a server that sends nothing but rubbish', async () => {
    const peer = framePeer()
    const { clock, events } = start(peer)
    await clock.advance(100)
    void peer.wires[0]?.write(Buffer.from('<setTextVector><oops'.repeat(60)))
    await clock.advance(5_000)
    expect(peer.wires.length).toBeGreaterThanOrEqual(2)
    expect(events).toContainEqual({
      type: 'fault',
      fault: { code: 'indi/bad-tag', message: 'a tag was cut off by another' },
    })
  })

  it('hears a device by what it says, and asks one that says nothing', async () => {
    const peer = new Peer()
    peer.properties = [connection(true)]
    const { clock, client } = start(peer)
    await clock.run(client.connectDevice('C'))
    await clock.advance(60_000)
    expect(clock.now() - client.heardAtMs('C')).toBeLessThanOrEqual(5_000)
    peer.answersReadBack = false
    await clock.advance(60_000)
    expect(clock.now() - client.heardAtMs('C')).toBeGreaterThanOrEqual(60_000)
    expect(client.open).toBe(true)
  })

  it('answers pings, and waits for what it is asked to wait for', async () => {
    const peer = framePeer()
    const { clock, client } = start(peer)
    await clock.advance(10)
    peer.say({ type: 'pingRequest', uid: 'SetBLOB/1' })
    await clock.advance(10)
    expect(peer.heard).toContainEqual({ type: 'pingReply', uid: 'SetBLOB/1' })
    const found = client.waitFor(
      (state) => (findNumber(state, 'C', 'CCD_FRAME', 'X') === 8 ? 'there' : undefined),
      1_000,
    )
    peer.say(setFrame(8, 4, 'Ok'))
    expect(await clock.run(found)).toBe('there')
    expect(await clock.run(client.waitFor(() => undefined, 1_000))).toBeUndefined()
  })
})

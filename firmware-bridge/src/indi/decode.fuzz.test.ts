import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../random.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage, ProtocolFault } from './messages.ts'
import { emptyState, type IndiState, reduce } from './properties.ts'

const documents = 20_000
const mostCpuMs = 100
const mostGrowthBytes = 256 << 20

/** One of each kind, as indiserver and drivers write them. */
const corpus: readonly string[] = [
  `<defNumberVector device="CCD Simulator" name="CCD_FRAME" label="Frame" group="Image Settings" state="Idle" perm="rw" timeout="60" timestamp="2026-11-21T05:04:25">
    <defNumber name="X" label="Left " format="%4.0f" min="0" max="0" step="0">\n0\n</defNumber>
    <defNumber name="Y" label="Top" format="%4.0f" min="0" max="0" step="0">\n0\n</defNumber></defNumberVector>`,
  `<defSwitchVector\n  device='CCD Simulator'\n  name='CONNECTION'\n  rule='OneOfMany'\n  state='Idle'\n><defSwitch name='CONNECT'>On</defSwitch><defSwitch name='DISCONNECT'>Off</defSwitch></defSwitchVector>`,
  `<setTextVector device="A" name="B" state="Ok" message="&lt;x&gt; &amp; y"><oneText name="C">caf\xe9 &#8364; \x01</oneText></setTextVector>`,
  `<setNumberVector device="T" name="EQUATORIAL_EOD_COORD"><oneNumber name="RA">3:47:24.5</oneNumber><oneNumber name="DEC">-0:30</oneNumber></setNumberVector>`,
  `<defLightVector device="W" name="WEATHER_STATUS" state="Alert"><defLight name="RAIN">Alert</defLight></defLightVector>`,
  `<setBLOBVector device="CCD Simulator" name="CCD1" state="Ok"><oneBLOB name="CCD1" size="20" len="20" enclen="28" format=".fits">\nYW55IGNhcm5hbCBw\nbGVhc3VyZS4=\n</oneBLOB></setBLOBVector>`,
  `<delProperty device="CCD Simulator"/><message device="A" timestamp="2026-11-21T05:04:25" message="[INFO] hello"/>`,
  `<!-- c --><?xml version="1.0"?><enableBLOB device="A" name="CCD1">Also</enableBLOB><getProperties version="1.7"/><pingRequest uid="SetBLOB/1"/>`,
]

const spice = [
  '<',
  '>',
  '"',
  "'",
  '/',
  '=',
  '&',
  '<!',
  '<!--',
  '-->',
  '<?',
  ']]>',
  '\0',
  '\xff',
  '</',
  '/>',
  '="',
  '  ',
  '9999999999',
  '-1',
  'nan',
  '<a><b>',
  '<setBLOBVector>',
]

function mutate(text: string, random: Random): string {
  let result = text
  for (let n = 1 + random.integer(6); n > 0; n--) {
    const at = random.integer(result.length + 1)
    const length = random.integer(20)
    const head = result.slice(0, at)
    const tail = result.slice(at + length)
    switch (random.integer(6)) {
      case 0:
        result = head + tail
        break
      case 1:
        result = head + spice[random.integer(spice.length)] + result.slice(at)
        break
      case 2:
        result = head + String.fromCharCode(random.integer(256)) + result.slice(at + 1)
        break
      case 3:
        result = head + result.slice(at, at + length).repeat(1 + random.integer(50)) + tail
        break
      case 4:
        result = head
        break
      default:
        result = head + (corpus[random.integer(corpus.length)] ?? '').slice(random.integer(100)) + tail
    }
  }
  return result
}

interface Harness {
  readonly feed: (bytes: Uint8Array) => void
  readonly messages: IndiMessage[]
  readonly faults: ProtocolFault[]
}

function createHarness(): Harness {
  const messages: IndiMessage[] = []
  const faults: ProtocolFault[] = []
  let state: IndiState = emptyState
  const decoder = createDecoder({
    onMessage(message) {
      messages.push(message)
      state = reduce(state, message, 0).state
      encode(message)
    },
    onFault: (fault) => faults.push(fault),
  })
  return { feed: (bytes) => decoder.feed(bytes), messages, faults }
}

function feedInPieces(bytes: Buffer, random: Random, feed: Harness['feed']): void {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.integer(random.next() < 0.1 ? 5 : 2000)
    feed(bytes.subarray(at, at + length))
    at += length
  }
}

describe('the INDI decoder under fuzz', () => {
  it(`takes ${documents} mutated documents without a throw, quickly, in bounded memory, and recovers from each`, () => {
    const random = createRandom('indi fuzz')
    const ping = Buffer.from('<pingReply uid="end"/>')
    const rssBefore = process.memoryUsage().rss
    let slowestCpuMs = 0
    let faults = 0
    for (let n = 0; n < documents; n++) {
      const text = mutate(corpus[random.integer(corpus.length)] ?? '', random)
      const harness = createHarness()
      const before = process.cpuUsage()
      feedInPieces(Buffer.from(text, 'latin1'), random, harness.feed)
      const { user, system } = process.cpuUsage(before)
      slowestCpuMs = Math.max(slowestCpuMs, (user + system) / 1000)
      harness.feed(ping)
      // A comment may end anywhere in the next 64 kB; everything else must be over at the next message.
      if (!text.includes('<!'))
        expect([text, harness.messages.at(-1)]).toEqual([text, { type: 'pingReply', uid: 'end' }])
      faults += harness.faults.length
    }
    expect(faults).toBeGreaterThan(documents / 10)
    expect(slowestCpuMs).toBeLessThan(mostCpuMs)
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(mostGrowthBytes)
  }, 180_000)

  it('does not lose its way on one connection that brings nothing but rubbish', () => {
    const random = createRandom('indi rubbish')
    const harness = createHarness()
    for (let n = 0; n < 2000; n++) {
      const text = mutate(corpus[random.integer(corpus.length)] ?? '', random)
      feedInPieces(Buffer.from(text, 'latin1'), random, harness.feed)
    }
    harness.feed(Buffer.alloc(70_000, 0x20))
    harness.feed(Buffer.from('<pingReply uid="end"/>'))
    expect(harness.messages.at(-1)).toEqual({ type: 'pingReply', uid: 'end' })
  }, 60_000)

  it('takes arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (pieces) => {
        const harness = createHarness()
        for (const piece of pieces) harness.feed(piece)
      }),
      { numRuns: 1000, seed: 7 },
    )
  })
})

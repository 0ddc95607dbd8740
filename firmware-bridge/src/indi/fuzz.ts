/**
 * Fuzzing of everything that a server's bytes reach: tokenizer, decoder, reducer, encoder, panel. Used by the test, and for
 * as long as one likes by `scripts/soak fuzz-indi`. Run as a program it prints its report as JSON, so that its memory is
 * measured alone.
 */
import { systemClock } from '../clock.ts'
import { createRandom, type Random } from '../random.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type { IndiMessage } from './messages.ts'
import { panelTree } from './panel.ts'
import { peakRssBytes } from './peakMemory.ts'
import { emptyState, type IndiState, reduce } from './properties.ts'

export interface FuzzOptions {
  /** Goes on until so many bytes have been changed, and as many fed. */
  readonly mutatedBytes: number
  readonly seed: number
  readonly onProgress?: (report: FuzzReport) => void
}

export interface FuzzReport {
  readonly documents: number
  /** Bytes given to the decoder. */
  readonly bytes: number
  /** Bytes inserted, removed or replaced in them. */
  readonly mutatedBytes: number
  readonly messages: number
  readonly faults: number
  readonly crashes: number
  /** Documents after which the next good message was not understood. */
  readonly lost: number
  /** Seed and document of the first crash or loss. */
  readonly first: string | undefined
  /** CPU and wall time of the slowest single chunk. */
  readonly slowestCpuMs: number
  readonly slowestWallMs: number
  readonly peakRssBytes: number
}

const progressDocuments = 20_000
/** So many documents come over one connection; each also starts behind the rubbish of those before it. */
const documentsPerConnection = 100
/** How often the panel's tree is made from whatever the rubbish has defined. */
const panelDocuments = 50

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
  `<setBLOBVector device="CCD Simulator" name="CCD1" state="Ok"><oneBLOB name="CCD1" size="20" len="20" format=".fits.z" attached="true"/></setBLOBVector>`,
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

interface Mutated {
  readonly text: string
  readonly changed: number
}

/** One to six changes: cut, spice, another byte, repetition, truncation, a piece of another document. */
function mutate(original: string, random: Random): Mutated {
  let text = original
  let changed = 0
  for (let n = 1 + random.integer(6); n > 0; n--) {
    const at = random.integer(text.length + 1)
    const length = random.integer(20)
    const [head, cut, tail] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)]
    const put = (inserted: string, rest: string, removed: number): void => {
      text = head + inserted + rest
      changed += inserted.length + removed
    }
    switch (random.integer(6)) {
      case 0:
        put('', tail, cut.length)
        break
      case 1:
        put(spice[random.integer(spice.length)]!, text.slice(at), 0)
        break
      case 2:
        put(String.fromCharCode(random.integer(256)), text.slice(at + 1), 1)
        break
      case 3:
        put(cut.repeat(1 + random.integer(50)), tail, cut.length)
        break
      case 4:
        put('', '', text.length - at)
        break
      default:
        put(corpus[random.integer(corpus.length)]!.slice(random.integer(100)), tail, cut.length)
    }
  }
  return { text, changed }
}

/** One more broken document, from whatever `random` says. */
export function mutatedDocument(random: Random): string {
  return mutate(corpus[random.integer(corpus.length)]!, random).text
}

const ping = Buffer.from('<pingReply uid="end"/>')

interface Harness {
  feed(bytes: Uint8Array): void
  readonly messages: number
  readonly faults: number
  last(): IndiMessage | undefined
  state(): IndiState
}

function createHarness(): Harness {
  let [messages, faults] = [0, 0]
  let last: IndiMessage | undefined
  let state = emptyState
  const decoder = createDecoder({
    onMessage(message) {
      messages++
      last = message
      state = reduce(state, message, 0).state
      encode(message)
    },
    onFault: () => void faults++,
  })
  return {
    feed: (bytes) => decoder.feed(bytes),
    get messages() {
      return messages
    },
    get faults() {
      return faults
    },
    last: () => last,
    state: () => state,
  }
}

/** Feeds in pieces of 1 to 2000 bytes; returns CPU and wall milliseconds of the slowest. */
function feedInPieces(
  bytes: Buffer,
  random: Random,
  harness: Harness,
): { readonly cpuMs: number; readonly wallMs: number } {
  let [cpuMs, wallMs] = [0, 0]
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.integer(random.next() < 0.1 ? 5 : 2000)
    const startedAt = systemClock.monotonic()
    const before = process.cpuUsage()
    harness.feed(bytes.subarray(at, at + length))
    const { user, system } = process.cpuUsage(before)
    cpuMs = Math.max(cpuMs, (user + system) / 1000)
    wallMs = Math.max(wallMs, systemClock.monotonic() - startedAt)
    at += length
  }
  return { cpuMs, wallMs }
}

/** Runs until enough has been changed. Never throws: crashes are counted, and the first is kept. */
export function fuzzDecoder(options: FuzzOptions): FuzzReport {
  const random = createRandom(`indi fuzz ${options.seed}`)
  const sums = { documents: 0, bytes: 0, mutatedBytes: 0, messages: 0, faults: 0, crashes: 0, lost: 0 }
  let [slowestCpuMs, slowestWallMs] = [0, 0]
  let first: string | undefined
  const report = (): FuzzReport => ({
    ...sums,
    first,
    slowestCpuMs,
    slowestWallMs,
    peakRssBytes: peakRssBytes(),
  })
  const note = (what: string, text: string): void => {
    first ??= `${what} at document ${sums.documents} of seed ${options.seed}: ${JSON.stringify(text)}`
  }
  let harness = createHarness()
  const hangUp = (): void => {
    sums.messages += harness.messages
    sums.faults += harness.faults
    harness = createHarness()
  }
  while (sums.mutatedBytes < options.mutatedBytes || sums.bytes < options.mutatedBytes) {
    const { text, changed } = mutate(corpus[random.integer(corpus.length)]!, random)
    const bytes = Buffer.from(text, 'latin1')
    sums.documents++
    sums.bytes += bytes.length
    sums.mutatedBytes += changed
    try {
      const { cpuMs, wallMs } = feedInPieces(bytes, random, harness)
      slowestCpuMs = Math.max(slowestCpuMs, cpuMs)
      slowestWallMs = Math.max(slowestWallMs, wallMs)
      harness.feed(ping)
      if (sums.documents % panelDocuments === 0) JSON.stringify(panelTree(harness.state()))
    } catch (error) {
      sums.crashes++
      note(String(error), text)
    }
    // Everything but a comment must be over at the next message.
    const last = harness.last()
    if (!text.includes('<!') && (last?.type !== 'pingReply' || last.uid !== 'end')) {
      sums.lost++
      note('lost', text)
    }
    // A comment that did not end would swallow the documents after it.
    if (text.includes('<!') || sums.documents % documentsPerConnection === 0) hangUp()
    if (sums.documents % progressDocuments === 0) options.onProgress?.(report())
  }
  hangUp()
  return report()
}

if (import.meta.main) {
  const [mutatedBytes = '10000000', seed = '1'] = process.argv.slice(2)
  process.stdout.write(`${JSON.stringify(fuzzDecoder({ mutatedBytes: Number(mutatedBytes), seed: Number(seed) }))}\n`)
}

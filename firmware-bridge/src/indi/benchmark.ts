/** Figures of this room for `scripts/bench`: a frame received over a socket as INDI against the same bytes read bare. */
import { execFile } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '../clock.ts'
import { connectTcp } from '../wire/tcp.ts'
import { benchmarkCommands, benchmarkIndiserver, benchmarkUpdates } from './benchmarkCommands.ts'
import { type BenchmarkRow, benchmarkRow, median } from './benchmarkRow.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'

export interface BenchmarkFrame {
  readonly label: string
  readonly bytes: number
}

export const benchmarkFrames: readonly BenchmarkFrame[] = [
  { label: '2048x2048', bytes: 2048 * 2048 * 2 },
  { label: '4096x4096', bytes: 4096 * 4096 * 2 },
  { label: '61 Mpx, 122 MB', bytes: 122_000_000 },
]

const runs = 5
const memoryRuns = 3

/**
 * Wall milliseconds from the request to the whole frame as bytes, medians of `runs`, over TCP on loopback, sender in this
 * process. The peer reads the same bytes from the same socket into one buffer and decodes the base64 with Node's Buffer.
 */
export async function benchIndi(): Promise<BenchmarkRow[]> {
  const rows: BenchmarkRow[] = []
  for (const frame of benchmarkFrames) rows.push(await benchmarkFrame(frame, runs))
  rows.push(await benchmarkMemory())
  rows.push(await benchmarkMessages(runs))
  rows.push(await benchmarkUpdates(), await benchmarkCommands(), ...(await benchmarkIndiserver()))
  return rows
}

/** Peak memory of a process that receives the largest frame and does nothing else, beside the size of that frame. */
async function benchmarkMemory(): Promise<BenchmarkRow> {
  const frame = benchmarkFrames.at(-1)!
  await using sender = await startSender(frameMessage(frame))
  const program = fileURLToPath(new URL('./benchmarkMemory.ts', import.meta.url))
  const peaks: number[] = []
  for (let run = 0; run < memoryRuns; run++) {
    const { stdout } = await promisify(execFile)(process.execPath, [program, `${sender.port}`, `${frame.bytes}`])
    peaks.push((JSON.parse(stdout) as { readonly peakRssBytes: number }).peakRssBytes / 1e6)
  }
  const peer = { name: 'size of the BLOB', value: frame.bytes / 1e6 }
  return benchmarkRow('peak memory of the process', Math.max(...peaks), 'MB', frame.label, peer, memoryRuns)
}

function frameMessage(frame: BenchmarkFrame): Uint8Array {
  const payload = new Uint8Array(frame.bytes)
  for (let i = 0; i < payload.length; i++) payload[i] = Math.imul(i, 2_654_435_761) >>> 13
  return encode({
    type: 'set',
    kind: 'blob',
    device: 'Camera',
    name: 'CCD1',
    state: 'Ok',
    elements: [{ name: 'CCD1', format: '.fits', sizeBytes: payload.length, bytes: payload }],
  })
}

async function benchmarkFrame(frame: BenchmarkFrame, n: number): Promise<BenchmarkRow> {
  const message = frameMessage(frame)
  const ours: number[] = []
  const bare: number[] = []
  await using sender = await startSender(message)
  for (let run = 0; run <= n; run++) {
    const oursMs = await timed(() => receiveAsIndi(sender.port, frame.bytes))
    const bareMs = await timed(() => receiveBare(sender.port, message.length))
    if (run === 0) continue
    ours.push(oursMs)
    bare.push(bareMs)
  }
  const peer = { name: 'bare socket read + Buffer base64', value: median(bare) }
  return benchmarkRow('BLOB received', median(ours), 'ms', frame.label, peer, n)
}

/** A telescope's position, the message that comes most often. No peer in Node or Debian reads the same into messages. */
async function benchmarkMessages(n: number): Promise<BenchmarkRow> {
  const elements = [
    { name: 'RA', value: 3.790138888888889 },
    { name: 'DEC', value: 24.10833333333333 },
  ]
  const head = { type: 'set', kind: 'number', device: 'Mount', name: 'EQUATORIAL_EOD_COORD', state: 'Busy' } as const
  const count = 20_000
  const one = encode({ ...head, elements })
  const all = Buffer.concat(Array.from({ length: count }, () => one))
  const rates: number[] = []
  for (let run = 0; run <= n; run++) {
    let messages = 0
    const decoder = createDecoder({ onMessage: () => messages++, onFault: () => undefined })
    const ms = await timed(() => decoder.feed(all))
    if (run > 0 && messages === count) rates.push(count / ms)
  }
  return benchmarkRow('messages decoded', median(rates), 'messages/ms', null, undefined, n)
}

async function timed(work: () => unknown): Promise<number> {
  const start = systemClock.monotonic()
  await work()
  return systemClock.monotonic() - start
}

async function startSender(message: Uint8Array): Promise<AsyncDisposable & { readonly port: number }> {
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.resume()
    socket.write(message)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function receiveAsIndi(port: number, bytes: number): Promise<void> {
  const whole = Promise.withResolvers<void>()
  const decoder = createDecoder({
    onMessage(message) {
      const got = message.type === 'set' && message.kind === 'blob' ? message.elements[0]?.bytes.length : 0
      if (got === bytes) whole.resolve()
      else whole.reject(new Error(`${got} of ${bytes} bytes`))
    },
    onFault: (fault) => whole.reject(new Error(fault.message)),
  })
  const handlers = { onBytes: (chunk: Uint8Array) => decoder.feed(chunk), onClose: () => undefined }
  const wire = await connectTcp({ host: '127.0.0.1', port })(handlers)
  await whole.promise
  await wire.close()
}

/** What a program that only wants the bytes would do at best: one read buffer, one target, the runtime's own decoder. */
async function receiveBare(port: number, length: number): Promise<number> {
  const text = Buffer.allocUnsafeSlow(length)
  let at = 0
  await new Promise<void>((resolve) => {
    const socket = net.connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.allocUnsafeSlow(256 * 1024),
        callback(size, chunk) {
          at += (chunk as Buffer).copy(text, at, 0, size)
          if (at === length) {
            socket.destroy()
            resolve()
          }
          return true
        },
      },
    } as net.NetConnectOpts)
  })
  const start = text.indexOf('>', text.indexOf('<oneBLOB')) + 1
  const end = text.indexOf('<', start)
  return Buffer.from(text.toString('latin1', start, end), 'base64').length
}

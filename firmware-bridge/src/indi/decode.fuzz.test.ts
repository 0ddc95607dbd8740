import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createDecoder } from './decode.ts'
import { type FuzzReport, mutatedDocument } from './fuzz.ts'
import type { IndiMessage } from './messages.ts'

const mutatedBytes = 10_000_000
const mostWaitMs = 100
const mostRssBytes = 256_000_000
const program = fileURLToPath(new URL('./fuzz.ts', import.meta.url))

function createHarness(): { feed(bytes: Uint8Array): void; readonly messages: IndiMessage[] } {
  const messages: IndiMessage[] = []
  const decoder = createDecoder({ onMessage: (message) => void messages.push(message), onFault: () => undefined })
  return { feed: (bytes) => decoder.feed(bytes), messages }
}

describe('the INDI decoder under fuzz', () => {
  it('takes ten million mutated bytes without a crash or a long wait, in bounded memory, and recovers from each', async () => {
    // In a process of its own: its memory is measured from its start.
    const { stdout } = await promisify(execFile)(process.execPath, [program, String(mutatedBytes), '1'])
    const report = JSON.parse(stdout) as FuzzReport
    console.log(
      `fuzz: ${report.documents} documents, ${report.bytes} bytes, ${report.mutatedBytes} of them changed, ${report.messages} messages, ${report.faults} faults, ` +
        `slowest chunk ${report.slowestCpuMs.toFixed(1)} ms CPU, peak RSS ${(report.peakRssBytes / 1e6).toFixed(0)} MB`,
    )
    expect(report.first).toBeUndefined()
    expect(report).toMatchObject({ crashes: 0, lost: 0 })
    expect(report.mutatedBytes).toBeGreaterThanOrEqual(mutatedBytes)
    expect(report.faults).toBeGreaterThan(report.documents / 10)
    expect(report.messages).toBeGreaterThan(report.documents)
    // CPU time: other programs on this machine do not count.
    expect(report.slowestCpuMs).toBeLessThan(mostWaitMs)
    expect(report.peakRssBytes).toBeLessThan(mostRssBytes)
  }, 180_000)

  it('does not lose its way on one connection that brings nothing but rubbish', () => {
    const random = createRandom('indi rubbish')
    const harness = createHarness()
    for (let n = 0; n < 2000; n++) {
      const text = mutatedDocument(random)
      harness.feed(Buffer.from(text, 'latin1'))
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

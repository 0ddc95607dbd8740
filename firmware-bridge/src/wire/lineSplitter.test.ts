import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createLineSplitter } from './lineSplitter.ts'

function collect(longestBytes = 64): { lines: string[]; dropped: () => number; push: (text: string) => void } {
  const lines: string[] = []
  let dropped = 0
  const splitter = createLineSplitter({
    longestBytes,
    onLine: (line) => void lines.push(line),
    onOverlong: () => void dropped++,
  })
  return { lines, dropped: () => dropped, push: (text) => splitter.push(Buffer.from(text)) }
}

describe('lines of a stream', () => {
  it('come whole however the bytes are cut, characters of several bytes too', () => {
    const text = 'first\r\nsecond µ\n\nthird\n'
    const bytes = Buffer.from(text)
    for (let cut = 1; cut < bytes.length; cut++) {
      const lines: string[] = []
      const splitter = createLineSplitter({ longestBytes: 64, onLine: (line) => void lines.push(line) })
      splitter.push(bytes.subarray(0, cut))
      splitter.push(bytes.subarray(cut))
      expect(lines).toEqual(['first', 'second µ', 'third'])
    }
  })

  it('that never end are dropped whole, and the next one comes', () => {
    const { lines, dropped, push } = collect(10)
    push('x'.repeat(1000))
    push('y'.repeat(1000))
    push('\nshort\n12345678901\n1234567890\n')
    expect(lines).toEqual(['short', '1234567890'])
    expect(dropped()).toBe(2)
  })

  it('are never longer than the limit in 200,000 bytes of noise', () => {
    const random = createRandom('line noise')
    const { lines, push } = collect(40)
    for (let sent = 0; sent < 200_000; sent += 100) {
      push(String.fromCharCode(...Array.from({ length: 100 }, () => random.integer(64))))
    }
    expect(lines.length).toBeGreaterThan(1000)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
    expect(lines.some((line) => line.includes('\n'))).toBe(false)
  })
})

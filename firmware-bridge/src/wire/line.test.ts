import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createLineReader, exactly, oneOf, toBytes, upTo } from './line.ts'

describe('a reader of lines', () => {
  it('gives whole lines from any pieces, with any of its terminators', () => {
    const random = createRandom('lines')
    const text = '$GPGGA,1\r\n\r\n$GPRMC,2\n$GPZDA,3\r'
    for (let run = 0; run < 100; run++) {
      const lines: string[] = []
      const reader = createLineReader({ terminators: '\r\n', mostBytes: 82, onLine: (line) => void lines.push(line) })
      for (let at = 0; at < text.length; ) {
        const length = 1 + random.integer(5)
        reader.push(toBytes(text.slice(at, at + length)))
        at += length
      }
      expect(lines).toEqual(['$GPGGA,1', '$GPRMC,2', '$GPZDA,3'])
    }
  })

  it('drops a line that is too long, tells it once, and goes on at the next', () => {
    const lines: string[] = []
    const faults: string[] = []
    const reader = createLineReader({
      terminators: '#',
      mostBytes: 10,
      onLine: (line) => void lines.push(line),
      onFault: (reason) => void faults.push(reason),
    })
    reader.push(toBytes(`${'x'.repeat(1000)}#ok#`))
    reader.push(toBytes('half'))
    reader.reset()
    reader.push(toBytes('whole#'))
    expect(lines).toEqual(['ok', 'whole'])
    expect(faults).toEqual(['a line is longer than 10 bytes'])
  })
})

describe('the shape of an answer', () => {
  it('is one character of a set, text up to a terminator, or so many characters', () => {
    expect(oneOf('01')('')).toBe('more')
    expect(oneOf('01')('1#')).toBe(1)
    expect(oneOf('01')('x')).toBe('garbled')
    expect(upTo('#')('03:47')).toBe('more')
    expect(upTo('#')('03:47:24#0')).toBe(9)
    expect(upTo('#', 4)('12345')).toBe('garbled')
    expect(exactly(3)('ab')).toBe('more')
    expect(exactly(3)('abcd')).toBe(3)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import reference from './sexagesimal.reference.json' with { type: 'json' }
import { formatNumber, parseNumber } from './sexagesimal.ts'

type Written = readonly [format: string, value: number, text: string]
type Read = readonly [text: string, value: number | null]

describe('INDI numbers', () => {
  it('are written as libindi 1.9.9 writes them', () => {
    for (const [format, value, text] of reference.written as unknown as readonly Written[]) {
      expect([format, value, formatNumber(format, value)]).toEqual([format, value, text])
    }
  })

  it('are read as libindi 1.9.9 reads them', () => {
    for (const [text, value] of reference.read as unknown as readonly Read[]) {
      if (value === null) expect([text, parseNumber(text)]).toEqual([text, Number.NaN])
      else expect([text, Math.abs(parseNumber(text) - value) < 1e-12]).toEqual([text, true])
    }
  })

  it('may be separated by blanks, as the white paper allows', () => {
    expect(parseNumber('-12 30 36')).toBeCloseTo(-12.51, 12)
  })

  it('survive %12.9m within its resolution', () => {
    fc.assert(
      fc.property(fc.double({ min: -360, max: 360, noNaN: true }), (value) => {
        expect(Math.abs(parseNumber(formatNumber('%12.9m', value)) - value)).toBeLessThan(0.0051 / 3600)
      }),
    )
  })

  it('never throw for any format or text', () => {
    fc.assert(
      fc.property(fc.string(), fc.double(), fc.string(), (format, value, text) => {
        formatNumber(format, value)
        formatNumber(`%${format}m`, value)
        parseNumber(text)
      }),
    )
  })
})

import { describe, expect, it } from 'vitest'
import type { BenchRow } from '../contract/bench.ts'
import { formatDocument, formatTable, roomsToMeasure, run } from './bench.ts'
import { formatNumber } from './formatNumber.ts'
import { formatQuality } from './qualityDocument.ts'

const row: BenchRow = {
  room: 'frames',
  figure: 'background',
  value: 12.3456,
  unit: 'ms',
  threads: 1,
  frame: '2048x2048',
  peer: 'sep 1.2.1',
  peerValue: 24.6912,
  ratio: 0.5,
  n: 5,
}
const alone: BenchRow = { ...row, figure: 'statistics', frame: null, peer: null, peerValue: null, ratio: null }

describe('the bench table', () => {
  it('lines up its columns and leaves blank what was not measured', () => {
    expect(formatTable([row, alone]).split('\n')).toEqual([
      'room    figure      frame      threads  value  unit  peer       peer value  ratio  n',
      'frames  background  2048x2048        1   12.3  ms    sep 1.2.1        24.7  0.500  5',
      'frames  statistics                   1   12.3  ms                                  5',
      '',
    ])
  })

  it('writes numbers to three digits and never in powers of ten', () => {
    expect([0, 0.01234, 1.5, 999.6, 123456, null].map(formatNumber)).toEqual([
      '0',
      '0.0123',
      '1.50',
      '1000',
      '123456',
      '',
    ])
  })

  it('becomes a document that says where and how it was measured', () => {
    const text = formatDocument([row], '2 × Some CPU')
    expect(text).toContain('on 2 × Some CPU')
    expect(text).toContain('| frames | background | 2048x2048 | 1 | 12.3 | ms | sep 1.2.1 | 24.7 | 0.500 | 5 |\n')
  })

  it('refuses a room that is not there by naming those that are', async () => {
    await expect(run(['cellar'])).rejects.toThrow(/"cellar"; there are: indi, frames/)
  })
})

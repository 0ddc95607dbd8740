import { describe, expect, it } from 'vitest'
import type { BenchRow } from '../contract/bench.ts'
import { formatDocument, formatTable, roomsToMeasure, run } from './bench.ts'
import { formatNumber } from './formatNumber.ts'
import { formatQuality, isQuality } from './qualityDocument.ts'

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

  it('keeps the lines of rooms that were not measured', () => {
    const before = formatDocument([row, { ...row, room: 'server', value: 7 }], 'any')
    const text = formatDocument([{ ...row, value: 8 }], 'any', before)
    const values = text.split('\n').flatMap((line) => (/^\| (frames|server) /.test(line) ? [line.split(' | ')[4]] : []))
    expect(values).toEqual(['8.00', '7.00'])
  })

  it('refuses a room that is not there by naming those that are', async () => {
    await expect(run(['cellar'])).rejects.toThrow(/"cellar"; there are: indi, frames/)
  })

  it('knows the rooms of pixels by one name, each once', () => {
    expect(roomsToMeasure(['pixels', 'frames'])).toEqual(['frames', 'preprocessing', 'differencing', 'chain'])
  })

  it('has the quality of differences in a document of its own, a column for each sky', () => {
    const one = { ...alone, room: 'differencing', figure: 'MAD of S_corr', value: 1.014, unit: 'S_corr', n: 1 }
    const rows = [
      { ...one, frame: 'scene A', n: 4 },
      { ...one, frame: 'scene D', value: 0.99 },
      { ...one, frame: 'pair NIRCam', value: 2.87 },
    ]
    expect([row, ...rows].map(isQuality)).toEqual([false, true, true, true])
    const text = formatQuality(rows)
    expect(text).toContain('- **A**: sharper, deeper reference; 4 frames.\n')
    expect(text).toContain(
      '| figure | unit | A | D |\n| --- | --- | ---: | ---: |\n| MAD of S_corr | S_corr | 1.01 | 0.990 |\n',
    )
    expect(text).toContain('| figure | unit | NIRCam |\n| --- | --- | ---: |\n| MAD of S_corr | S_corr | 2.87 |\n')
  })
})

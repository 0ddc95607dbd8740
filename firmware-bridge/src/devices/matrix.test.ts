import { describe, expect, it } from 'vitest'
import { driverCard } from './device.ts'
import { kinds } from './kinds.ts'
import { driverCards, matrixText } from './matrix.ts'

describe('the device × capability matrix', () => {
  it('has a card for every kind that INDI has, without anybody registering it', async () => {
    const indi = (await driverCards()).filter(({ protocol }) => protocol === 'INDI').map(({ kind }) => kind)
    expect([...indi].sort()).toEqual([
      'camera',
      'cover',
      'filterWheel',
      'flatPanel',
      'focuser',
      'gps',
      'guider',
      'mount',
      'power',
      'roof',
      'rotator',
      'safety',
      'skyQuality',
      'weather',
    ])
  })

  it('has no card that claims a capability twice or one that its kind does not know', async () => {
    for (const { kind, protocol, can } of await driverCards()) {
      expect([protocol, new Set(can).size]).toEqual([protocol, can.length])
      expect(kinds[kind] as readonly string[]).toEqual(expect.arrayContaining([...can]))
    }
  })

  it('shows a row for each capability and a column for each protocol', () => {
    const text = matrixText([
      driverCard('focuser', 'INDI', ['moveTo', 'abort']),
      driverCard('focuser', 'ACME', ['moveTo']),
    ])
    const focuser = text.slice(text.indexOf('## focuser'), text.indexOf('## filter wheel'))
    expect(focuser.trim().split('\n')).toEqual([
      '## focuser',
      '',
      '| | ACME | INDI |',
      '| --- | :---: | :---: |',
      '| move to | ● | ● |',
      '| abort |  | ● |',
      '| temperature |  |  |',
    ])
    expect(text).toContain('## camera\n\nNo driver yet.')
  })
})

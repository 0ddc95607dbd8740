import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import { decodeReply, encodeCommand, explainError, splitWords } from './messages.ts'
import { readUps } from './reading.ts'

describe('a line of upsd', () => {
  // The replies as NUT's developer guide prints them (docs/net-protocol.txt).
  it('is a variable, a list’s ends, an error or OK', () => {
    expect(decodeReply('VAR su700 ups.mfr "APC"')).toEqual({
      type: 'variable',
      ups: 'su700',
      name: 'ups.mfr',
      value: 'APC',
    })
    expect(decodeReply('BEGIN LIST VAR su700')).toEqual({ type: 'begin', list: 'VAR su700' })
    expect(decodeReply('END LIST VAR su700')).toEqual({ type: 'end', list: 'VAR su700' })
    expect(decodeReply('ERR DRIVER-NOT-CONNECTED')).toEqual({
      type: 'error',
      code: 'DRIVER-NOT-CONNECTED',
      detail: '',
    })
    expect(decodeReply('OK Goodbye')).toEqual({ type: 'ok', detail: 'Goodbye' })
    expect(decodeReply('VAR su700 ups.mfr')).toMatchObject({ type: 'other' })
  })

  it('holds quotes and backslashes behind a backslash', () => {
    expect(splitWords('VAR a b "say \\"hi\\" \\\\ there"')).toEqual(['VAR', 'a', 'b', 'say "hi" \\ there'])
    expect(Buffer.from(encodeCommand('PASSWORD', 'a "b\\c')).toString()).toBe('PASSWORD "a \\"b\\\\c"\n')
    expect(splitWords(Buffer.from(encodeCommand('X', 'a "b\\c')).toString().trim())).toEqual(['X', 'a "b\\c'])
  })

  it('cannot carry a second command in a value', () => {
    expect(Buffer.from(encodeCommand('USERNAME', 'x\nFSD ups')).toString()).toBe('USERNAME "x FSD ups"\n')
  })

  it('is read without a throw in 300,000 bytes of noise between real words', () => {
    const random = createRandom('nut noise')
    const pieces = ['VAR ', 'ups ', 'ups.status ', '"OB LB"', 'ERR ', 'BEGIN LIST ', '"', '\\', '\n', '\r\n', 'OK ']
    const kinds = new Map<string, number>()
    const splitter = createLineSplitter({
      longestBytes: 512,
      onLine(line) {
        const { type } = decodeReply(line)
        kinds.set(type, (kinds.get(type) ?? 0) + 1)
      },
    })
    for (let sent = 0; sent < 300_000; ) {
      const noise = Array.from({ length: random.integer(6) }, () => String.fromCharCode(random.integer(256))).join('')
      const bytes = Buffer.from((pieces[random.integer(pieces.length)] ?? '') + noise, 'latin1')
      splitter.push(bytes)
      sent += bytes.length
    }
    expect([...kinds.keys()]).toEqual(expect.arrayContaining(['other', 'error', 'ok']))
  })
})

describe('the state of a supply', () => {
  const read = (status: string): ReturnType<typeof readUps> => readUps(new Map([['ups.status', status]]))

  it('is on mains, on battery, or has not told', () => {
    expect(read('OL CHRG')).toMatchObject({ onMains: true, lowBattery: false, flags: ['OL', 'CHRG'] })
    expect(read('OB DISCHRG')).toMatchObject({ onMains: false, lowBattery: false })
    expect(read('OB LB')).toMatchObject({ onMains: false, lowBattery: true })
    expect(read('FSD OL')).toMatchObject({ onMains: true, lowBattery: true })
    expect(read('WAIT').onMains).toBeUndefined()
    expect(read('OL OB').onMains).toBeUndefined()
  })

  it('has charge and runtime where they are numbers', () => {
    const variables = new Map([
      ['battery.charge', '87.5'],
      ['battery.runtime', 'NA'],
    ])
    expect(readUps(variables)).toMatchObject({ chargePercent: 87.5, runtimeSeconds: undefined, onMains: undefined })
  })

  it('says in words what upsd refuses, also what nobody has heard of', () => {
    expect(explainError('UNKNOWN-UPS')).toContain('upsc -l')
    expect(explainError('NEW-THING')).toBe('upsd refused: NEW-THING')
  })
})

import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { crc16, createLineReader, encodeLine } from './codec.ts'
import { formatRequest, parseAnswer, parseReport, parseSetting } from './commands.ts'
import { humidityPercent, temperatureC } from './sensors.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('the safety controller’s lines', () => {
  it('carry the CRC-16/CCITT-FALSE, whose catalogued check value is 29B1', () => {
    expect(crc16(bytes('123456789'))).toBe(0x29b1)
    expect(Buffer.from(encodeLine('123456789')).toString('latin1')).toBe('123456789*29B1\n')
  })

  it('come out whole however they were cut', () => {
    const sent = Buffer.concat([encodeLine('=01 HEART'), encodeLine('!ROOF x'), encodeLine('=02 STOP')])
    for (let size = 1; size <= sent.length; size++) {
      const reader = createLineReader()
      const bodies: string[] = []
      for (let at = 0; at < sent.length; at += size) bodies.push(...reader.push(sent.subarray(at, at + size)))
      expect(bodies).toEqual(['=01 HEART', '!ROOF x', '=02 STOP'])
      expect(reader.bad).toBe(0)
    }
  })

  it('with one or two wrong bits are all found out, as the polynomial promises for lines this short', () => {
    const line = Buffer.from(encodeLine('@2A OPEN'))
    const bits = (line.length - 1) * 8
    let tried = 0
    for (let first = 0; first < bits; first++) {
      for (let second = first; second < bits; second++) {
        const wrong = Buffer.from(line)
        for (const bit of new Set([first, second])) wrong[bit >> 3]! ^= 1 << (bit & 7)
        if (wrong.subarray(0, -1).some((byte) => byte === 10 || byte === 13)) continue
        expect(createLineReader().push(wrong)).toEqual([])
        tried++
      }
    }
    expect(tried).toBeGreaterThan(4000)
  })

  it('that are too long are dropped, and the next one is heard', () => {
    const reader = createLineReader(48)
    expect(reader.push(Buffer.alloc(1 << 20, 'x'))).toEqual([])
    expect(reader.push(bytes('\n'))).toEqual([])
    expect(reader.push(encodeLine('@01 STOP'))).toEqual(['@01 STOP'])
    expect(reader.bad).toBe(1)
  })
})

describe('the safety controller’s words', () => {
  it('are written as the firmware reads them', () => {
    expect(formatRequest(0x0a, { verb: 'HELLO', version: 1 })).toBe('@0A HELLO 1')
    expect(formatRequest(255, { verb: 'DEW', heater: 2, percent: 49.6 })).toBe('@FF DEW 2 50')
    expect(formatRequest(1, { verb: 'SET', name: 'wet-s', value: 120 })).toBe('@01 SET wet-s 120')
  })

  it('are read into a report', () => {
    const answer = parseAnswer('=07 STATE between opening none none 00 10 3 2905 8192 9000 7700 0 40 86400 2')
    expect(answer).toMatchObject({ type: 'accepted', sequence: 7, verb: 'STATE' })
    expect(answer?.type === 'accepted' && parseReport(answer.words)).toMatchObject({
      position: 'between',
      motor: 'opening',
      fault: 'none',
      inputs: { parked: true, rain: false },
      silenceSeconds: 3,
      motorMilliamps: 2905,
      dewPercent: [0, 40],
      uptimeSeconds: 86400,
    })
  })

  it('that are not of this protocol are no answer, and nothing throws', () => {
    for (const body of ['', '=', '=GG STATE', '=01', '!BOOT', '!BOOT 1 1.0.0 flood first', '!ROOF open', '@01 OPEN']) {
      expect(parseAnswer(body)).toBeUndefined()
    }
    expect(parseReport(['open', 'still', 'none', 'none', '00', '10', '1'])).toBeUndefined()
    expect(parseReport('open still none none 00 10 1 2 3 4 5 6 7 8 x'.split(' '))).toBeUndefined()
    expect(parseSetting(['wet-s', '1', '2'])).toBeUndefined()
    const random = createRandom('words')
    for (let n = 0; n < 20_000; n++) {
      parseAnswer(
        Array.from({ length: random.integer(40) }, () => String.fromCharCode(32 + random.integer(95))).join(''),
      )
    }
  })
})

describe('the sensors', () => {
  /** Resistance of the NTCLE100E3103 in ohms by the data sheet's other formula: R = R25 exp(A + B/T + C/T² + D/T³). */
  const ohms = (celsius: number): number => {
    const t = celsius + 273.15
    return 10_000 * Math.exp(-14.6337 + 4791.842 / t - 115_334 / t ** 2 - 3.730535e6 / t ** 3)
  }

  it('read the thermistor within 0.1 °C of its resistance formula from -30 to 50 °C', () => {
    for (let celsius = -30; celsius <= 50; celsius += 5) {
      const r = ohms(celsius)
      expect(temperatureC((16384 * r) / (r + 10_000))).toBeCloseTo(celsius, 0)
      expect(Math.abs((temperatureC((16384 * r) / (r + 10_000)) ?? 99) - celsius)).toBeLessThan(0.1)
    }
  })

  it('read the humidity sensor’s 0.8 V as 0 % and, at 25 °C, 3.9 V as 100 %', () => {
    expect(humidityPercent((0.8 / 5) * 16384, 25)).toBeCloseTo(0, 6)
    expect(humidityPercent((3.9 / 5) * 16384, 25)).toBeCloseTo(99.94, 1)
  })

  it('that are broken or shorted tell nothing', () => {
    for (const sum of [0, 60, 16368]) {
      expect(temperatureC(sum)).toBeUndefined()
      expect(humidityPercent(sum, 20)).toBeUndefined()
    }
  })
})

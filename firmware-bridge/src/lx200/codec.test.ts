import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { altitudeDeg, azimuthDeg, siderealDeg } from '../simulators/lx200MountAxes.ts'
import { toBytes } from '../wire/line.ts'
import { formatDate, formatDegrees, formatHours, parseSexagesimal, precisionOf } from './angles.ts'
import { createCommandReader, decodeCommand, encodeCommand, replyShape } from './codec.ts'
import { actions, type Lx200Command, queries, settings } from './commands.ts'
import { barsMeanSlewing, formatStatus, parseAlignment, parsePackedStatus, parseStatus } from './status.ts'
import { codeCounts, explainCommandError, explainGeneralError, explainGoto } from './words.ts'

describe('angles as LX200 mounts write them', () => {
  it('are read in every format of Meade’s protocol and of OnStep', () => {
    expect(parseSexagesimal('03:47.4')).toBeCloseTo(3.79, 12)
    expect(parseSexagesimal('03:47:24')).toBeCloseTo(3.79, 12)
    expect(parseSexagesimal('03:47:24.5000')).toBeCloseTo(3 + 47 / 60 + 24.5 / 3600, 12)
    expect(parseSexagesimal('+24*06')).toBeCloseTo(24.1, 12)
    expect(parseSexagesimal("+24*06'30")).toBeCloseTo(24 + 6.5 / 60, 12)
    expect(parseSexagesimal('+24\xdf06:30')).toBeCloseTo(24 + 6.5 / 60, 12)
    expect(parseSexagesimal('-00*30:00.000')).toBe(-0.5)
    expect(parseSexagesimal("341*00'00")).toBe(341)
  })

  it('are refused when they are anything else', () => {
    for (const text of ['', '12', '12:60:00', '12:30:60', '1234:00', '12:3x:00', '+-1*00', '12:30:', '0312*']) {
      expect(parseSexagesimal(text), text).toBeUndefined()
    }
  })

  it('are written with carries, signs and the digits that each precision has', () => {
    expect(formatHours(23.9999999, 'high')).toBe('00:00:00')
    expect(formatHours(3.79, 'low')).toBe('03:47.4')
    expect(formatHours(3.79, 'highest')).toBe('03:47:24.0000')
    const style = { precision: 'low', digits: 2, signed: true } as const
    expect(formatDegrees(-0.5, style)).toBe('-00*30')
    expect(formatDegrees(-0.001, style)).toBe('+00*00')
    expect(formatDegrees(24.1, { ...style, precision: 'high', separator: "'" })).toBe("+24*06'00")
    expect(formatDegrees(341, { precision: 'low', digits: 3, signed: false })).toBe('341*00')
    expect(formatDegrees(-12.999999, { ...style, precision: 'high' })).toBe('-13*00:00')
    expect(formatDate(Date.UTC(2026, 10, 21))).toBe('11/21/26')
  })

  it('tell their precision', () => {
    expect(precisionOf('03:47.4')).toBe('low')
    expect(precisionOf('+24*06')).toBe('low')
    expect(precisionOf("+24*06'30")).toBe('high')
    expect(precisionOf('03:47:24.0000')).toBe('highest')
  })
})

describe('commands', () => {
  it('are written as the protocols have them', () => {
    const text = (command: Lx200Command): string => encodeCommand(command)
    expect(text({ type: 'query', what: 'rightAscension' })).toBe(':GR#')
    expect(text({ type: 'set', what: 'targetRightAscension', value: 5 })).toBe(':Sr05:00:00#')
    expect(text({ type: 'set', what: 'targetDeclination', value: -5.5 })).toBe(':Sd-05*30:00#')
    expect(text({ type: 'set', what: 'longitudeWest', value: -19 })).toBe(':Sg341*00#')
    expect(text({ type: 'set', what: 'latitude', value: 47.5 })).toBe(':St+47*30#')
    expect(text({ type: 'set', what: 'utcOffset', value: -5.5 })).toBe(':SG-05.5#')
    expect(text({ type: 'set', what: 'trackingFrequency', value: 60.164274 })).toBe(':ST60.2#')
    expect(text({ type: 'pulse', direction: 'north', milliseconds: 500 })).toBe(':Mgn0500#')
    expect(text({ type: 'stop' })).toBe(':Q#')
    expect(text({ type: 'stop', direction: 'west' })).toBe(':Qw#')
    expect(text({ type: 'setDate', year: 2026, month: 11, day: 21 })).toBe(':SC11/21/26#')
    expect(text({ type: 'alignmentQuery' })).toBe('\x06')
    const fine = { coordinates: 'highest', site: 'high' } as const
    expect(encodeCommand({ type: 'set', what: 'targetRightAscension', value: 5 }, fine)).toBe(':Sr05:00:00.0000#')
  })

  it('come back as they were written, every one of them', () => {
    const commands: Lx200Command[] = [
      ...Object.keys(queries).map((what) => ({ type: 'query', what }) as Lx200Command),
      ...Object.keys(actions).map((what) => ({ type: 'do', what }) as Lx200Command),
      ...Object.keys(settings).map((what) => ({ type: 'set', what, value: 7 }) as Lx200Command),
      { type: 'queryValue', code: '9A' },
      { type: 'setValue', code: 'E9', value: '12' },
      { type: 'setDate', year: 2026, month: 2, day: 3 },
      { type: 'setSiteName', site: 3, name: 'Hill' },
      { type: 'selectSite', site: 2 },
      { type: 'move', direction: 'east' },
      { type: 'stop', direction: 'south' },
      { type: 'stop' },
      { type: 'pulse', direction: 'west', milliseconds: 1234 },
      { type: 'rate', rate: 9 },
    ]
    for (const command of commands) {
      expect(decodeCommand(encodeCommand(command).slice(1, -1))).toEqual(command)
    }
  })

  it('are cut from a stream in any pieces, past noise and past what never ends', () => {
    const heard: Lx200Command[] = []
    const reader = createCommandReader((command) => void heard.push(command))
    const stream = `xx#\x06:GR#\r\n:Sr05:00:00#:${'9'.repeat(200)}#::#:Q#`
    for (const byte of toBytes(stream)) reader.push(Uint8Array.of(byte))
    expect(heard.map((command) => command.type)).toEqual(['alignmentQuery', 'query', 'set', 'unknown', 'stop'])
  })
})

describe('answers', () => {
  const shape = (command: Lx200Command, dialect: 'classic' | 'onstep', heard: string) =>
    replyShape(command, dialect)?.(heard)
  const goto = { type: 'do', what: 'goto' } as const

  it('to a slew are a digit, and with Meade’s mounts a text when refused', () => {
    expect(shape(goto, 'onstep', '6')).toBe(1)
    expect(shape(goto, 'classic', '0')).toBe(1)
    expect(shape(goto, 'classic', '1Object Below')).toBe('more')
    expect(shape(goto, 'classic', '1Object Below Horizon#')).toBe(22)
    expect(shape(goto, 'classic', '\x7f')).toBe('garbled')
  })

  it('to a date are two texts with Meade’s mounts', () => {
    const date = { type: 'setDate', year: 2026, month: 1, day: 1 } as const
    expect(shape(date, 'onstep', '1')).toBe(1)
    expect(shape(date, 'classic', '1Updating Planetary Data#')).toBe('more')
    expect(shape(date, 'classic', '1Updating Planetary Data#          #')).toBe(36)
    expect(shape(date, 'classic', '0')).toBe(1)
  })

  it('do not come for motions', () => {
    for (const command of [{ type: 'stop' }, { type: 'move', direction: 'east' }] as const) {
      expect(replyShape(command, 'onstep')).toBeUndefined()
    }
    expect(replyShape({ type: 'do', what: 'park' }, 'classic')).toBeUndefined()
    expect(shape({ type: 'do', what: 'park' }, 'onstep', '1')).toBe(1)
  })
})

describe('states', () => {
  // Put together by hand after OnStep 4.24's Command.ino, `:GU#`.
  it('of OnStep are read from their letters', () => {
    expect(parseStatus('nNPHEo260')).toMatchObject({
      tracking: false,
      slewing: false,
      park: 'parked',
      atHome: true,
      mountType: 'equatorial',
      pierSide: 'unknown',
      error: 0,
    })
    expect(parseStatus('pSGrsza/ET259')).toMatchObject({
      tracking: true,
      slewing: true,
      park: 'unparked',
      ppsSynchronised: true,
      pulseGuiding: true,
      compensation: 'refraction',
      pierSide: 'east',
      error: 9,
    })
    expect(parseStatus('NI(KW26?')).toMatchObject({ park: 'parking', rate: 'lunar', mountType: 'fork', error: 15 })
  })

  it('that are no states are refused', () => {
    for (const text of ['', '03:47:24', 'N/A', '+24*06:30', '60.16427', 'nNEo260', 'nNxPEo260', 'On-Step', '1']) {
      expect(parseStatus(text), text).toBeUndefined()
    }
  })

  it('packed in nine bytes are read bit by bit', () => {
    // Not tracking, no goto | solar | at home | German, east | PEC off | parked | rates | limit sense.
    const text = Buffer.from([0x83, 0x82, 0x81, 0xa1, 0x80, 0x82, 0x82, 0x85, 0x83]).toString('latin1')
    expect(parsePackedStatus(text)).toMatchObject({
      tracking: false,
      slewing: false,
      rate: 'solar',
      atHome: true,
      mountType: 'equatorial',
      pierSide: 'east',
      park: 'parked',
      error: 3,
    })
    expect(parsePackedStatus('short')).toBeUndefined()
  })

  it('come back as they were written', () => {
    const status = parseStatus('nNpHrsOET250')!
    expect(parseStatus(formatStatus(status))).toEqual(status)
  })

  it('of the alignment and the distance bars are read', () => {
    expect(parseAlignment('GT1')).toEqual({ mountType: 'german', tracking: true, stars: 1 })
    expect(parseAlignment('XX1')).toBeUndefined()
    expect(barsMeanSlewing('\x7f')).toBe(true)
    expect(barsMeanSlewing('')).toBe(false)
  })
})

describe('words', () => {
  it('are there for each code of OnStep’s three lists, and for no other', () => {
    // Command.ino and Globals.h of OnStep 4.24: 9 refusals of a goto, 16 general errors, 24 command errors before CE_NULL.
    expect(codeCounts).toEqual({ goto: 9, general: 16, command: 24 })
    expect(explainGoto('0')).toBeUndefined()
    expect(explainGoto('6')).toContain('outside the limits')
    expect(explainGoto('1', 'Object Below Horizon')).toContain('"Object Below Horizon"')
    expect(explainGeneralError(0)).toBeUndefined()
    expect(explainGeneralError(7)).toContain('meridian')
    expect(explainGeneralError(40)).toContain('not in the protocol')
    expect(explainCommandError(9)).toBe('the mount is parked')
    expect(explainCommandError(12)).toBe('no park position has been set')
  })
})

describe('the simulated sky', () => {
  // Meeus, Astronomical Algorithms (1998), examples 12.b and 13.b: Venus over Washington, 1987 April 10, 19:21:00 UT.
  it('turns as Meeus’s examples do', () => {
    const atMs = Date.UTC(1987, 3, 10, 19, 21)
    expect(siderealDeg(atMs, 0)).toBeCloseTo(128.7378734, 4)
    expect(altitudeDeg(64.352133, -6.719892, 38.921389)).toBeCloseTo(15.1249, 3)
    expect(azimuthDeg(64.352133, -6.719892, 38.921389)).toBeCloseTo(68.0337 + 180, 3)
  })
})

describe('a million bytes of noise', () => {
  it('leave the readers of commands and answers standing', () => {
    const random = createRandom('lx200 noise')
    const corpus = [
      ':GR#',
      '03:47:24#',
      "+24*06'30#",
      'nNPHEo260#',
      ':Sr05:00:00#',
      ':MS#',
      '1Object Below Horizon#',
      '\x06',
    ]
    let commands = 0
    let answers = 0
    const reader = createCommandReader(() => commands++)
    const asked = [...Object.keys(queries)].map((what) => ({ type: 'query', what }) as Lx200Command)
    const shapes = [
      ...asked,
      { type: 'do', what: 'goto' } as const,
      { type: 'setDate', year: 1, month: 1, day: 1 } as const,
    ]
    let fed = 0
    while (fed < 1_000_000) {
      const real = corpus[random.integer(corpus.length)] ?? ''
      const noise = Buffer.from(Array.from({ length: random.integer(40) }, () => random.integer(256)))
      const bytes = random.next() < 0.5 ? Buffer.concat([Buffer.from(real, 'latin1'), noise]) : noise
      fed += bytes.length
      reader.push(bytes)
      const text = bytes.toString('latin1')
      const dialect = random.next() < 0.5 ? 'classic' : 'onstep'
      const length = replyShape(shapes[random.integer(shapes.length)]!, dialect)?.(text)
      if (typeof length === 'number') {
        answers++
        expect(length).toBeLessThanOrEqual(text.length)
        expect(length).toBeGreaterThan(0)
      }
      const angle = parseSexagesimal(text)
      if (angle !== undefined) expect(Math.abs(angle)).toBeLessThan(1000)
      parseStatus(text)
      parsePackedStatus(text)
    }
    expect(commands).toBeGreaterThan(1_000)
    expect(answers).toBeGreaterThan(1_000)
  })
})

import { describe, expect, it } from 'vitest'
import { reference } from '../reference.ts'
import { airmassAt, dmsText, fitsDate, frameHeader, hmsText, mjdOf } from './facts.ts'
import { FitsHeader, real } from './header.ts'
import { openFits } from './read.ts'

const foreign = openFits(Buffer.from(reference.header.base64, 'base64')).hdus[0]?.header ?? FitsHeader.empty

function again(header: FitsHeader): FitsHeader {
  return FitsHeader.parse(header.cards.map((card) => card.raw).join(''))
}

describe('a header written by astropy', () => {
  it('is understood', () => {
    expect(foreign.text('OBJECT')).toBe("O'Neill's star")
    expect(foreign.comment('OBJECT')).toBe('an apostrophe')
    expect(foreign.text('NOTE')).toBe(reference.header.note)
    expect(foreign.number('detector settings gain')).toBe(1.25)
    expect(foreign.number('NEGATIVE')).toBe(-1.5e-7)
    expect(foreign.number('BIG')).toBe(1e25)
    expect(foreign.flag('YES')).toBe(true)
    expect([foreign.has('EMPTY'), foreign.get('EMPTY')]).toEqual([true, undefined])
    expect(foreign.lines('HISTORY')).toEqual(['first line', 'second line'])
    expect(foreign.lines('COMMENT')).toContain('a remark')
  })

  it('keeps every byte of what nobody touched', () => {
    const changed = foreign.with('YES', false).with('EXPTIME', real(60), '[s]')
    const untouched = foreign.cards.filter((card) => card.key !== 'YES').map((card) => card.raw)
    expect(
      changed.cards.filter((card) => card.key !== 'YES' && card.key !== 'EXPTIME').map((card) => card.raw),
    ).toEqual(untouched)
    expect(foreign.flag('YES')).toBe(true)
    expect(foreign.with('YES', true)).toBe(foreign)
  })
})

describe('a header', () => {
  it('writes values in fixed format', () => {
    const header = FitsHeader.from({
      A: 1,
      B: [real(60), '[s]'],
      C: 'x',
      D: true,
      E: 1e-7,
      F: -2.5,
      G: 1e21,
      H: "it's",
      I: undefined,
    })
    expect(header.cards.map((card) => card.raw.trimEnd())).toEqual([
      'A       =                    1',
      'B       =                 60.0 / [s]',
      "C       = 'x       '",
      'D       =                    T',
      'E       =               1.0E-7',
      'F       =                 -2.5',
      'G       =               1.0E21',
      "H       = 'it''s   '",
    ])
    expect(header.encode().length).toBe(2880)
  })

  it('brings every value back', () => {
    const text = "quotes ''' and more ".repeat(30).trim()
    const values = {
      A: 0.1,
      B: 1 / 3,
      C: -1e-300,
      D: 123456789012,
      E: text,
      F: false,
      G: '',
      H: '&',
      I: `${'x'.repeat(67)}&`,
    }
    const header = again(FitsHeader.from(values))
    for (const [key, value] of Object.entries(values)) expect(header.get(key), key).toBe(value)
  })

  it('reads what cameras write', () => {
    const header = FitsHeader.parse(
      [
        "EXPTIME = '1.5     '",
        'GAIN    =               1.5D2 / e',
        'OBJECT  = M31',
        'EMPTY   =',
        "OPEN    = 'never closed",
        'FLAG    =T',
      ]
        .map((card) => card.padEnd(80))
        .join(''),
    )
    expect(header.number('EXPTIME')).toBe(1.5)
    expect(header.number('GAIN')).toBe(150)
    expect(header.text('OBJECT')).toBe('M31')
    expect(header.number('OBJECT')).toBeUndefined()
    expect(header.text('OPEN')).toBe('never closed')
    expect(header.flag('FLAG')).toBe(true)
  })

  it('takes the first of two cards with the same keyword', () => {
    const header = FitsHeader.parse(['GAIN    = 1', 'GAIN    = 2'].map((card) => card.padEnd(80)).join(''))
    expect(header.number('GAIN')).toBe(1)
    expect(header.with('GAIN', 3).cards.map((card) => card.value)).toEqual([3, 2])
  })

  it('writes only what FITS allows', () => {
    expect(() => FitsHeader.empty.with('TOOLONGKEY', 1)).toThrow(/not a FITS keyword/)
    expect(() => FitsHeader.empty.with('lower', 1)).toThrow(/not a FITS keyword/)
    expect(() => FitsHeader.empty.with('A', Number.NaN)).toThrow(/cannot be NaN/)
    expect(FitsHeader.empty.with('A', 'Ångström 5 µm ☃').text('A')).toBe('Ångström 5 µm ☃')
    expect(again(FitsHeader.empty.with('A', 'Ångström 5 µm ☃')).text('A')).toBe('Angstrom 5 um ?')
    expect(
      again(FitsHeader.empty.withHistory('a '.repeat(100)))
        .lines('HISTORY')
        .join(' ').length,
    ).toBe(199)
  })
})

describe('the header of an exposure', () => {
  const header = frameHeader({
    imageType: 'light',
    startedAtMs: Date.UTC(2024, 0, 2, 3, 4, 5, 678),
    exposureSeconds: 60,
    software: 'nightjar 0.1.0',
    raDeg: 83.822083,
    decDeg: -5.391111,
    altitudeDeg: 30,
    gainElectronsPerAdu: 1.5,
    pixelMicrometres: [3.8, 3.8],
    binning: [2, 2],
    focalLengthMm: 800,
  })

  it('says when', () => {
    expect(header.text('DATE-OBS')).toBe('2024-01-02T03:04:05.678')
    expect(header.text('DATE-AVG')).toBe('2024-01-02T03:04:35.678')
    expect(header.text('DATE-END')).toBe('2024-01-02T03:05:05.678')
    expect(header.text('TIMESYS')).toBe('UTC')
    // astropy: Time('2024-01-02T03:04:05.678').mjd
    expect(header.number('MJD-OBS')).toBeCloseTo(60311.12784349537, 7)
    expect(header.cards.find((card) => card.key === 'XPOSURE')?.raw).toContain(' 60.0 / [s]')
  })

  it('says where and how', () => {
    expect(header.text('OBJCTRA')).toBe('05 35 17.30')
    expect(header.text('OBJCTDEC')).toBe('-05 23 28.0')
    expect(header.text('RADESYS')).toBe('ICRS')
    expect(header.number('EGAIN')).toBe(1.5)
    expect(header.number('XPIXSZ')).toBe(7.6)
    expect(header.number('SCALE')).toBeCloseTo(1.95951, 4)
    expect(header.text('IMAGETYP')).toBe('Light Frame')
  })

  it('has the secant’s air mass high up, less near the horizon, and none below it', () => {
    const secant = (altitudeDeg: number): number => 1 / Math.sin((altitudeDeg * Math.PI) / 180)
    for (const altitude of [90, 75, 60]) expect((airmassAt(altitude) ?? 0) / secant(altitude)).toBeCloseTo(1, 2)
    expect(airmassAt(10)).toBeLessThan(secant(10))
    // Refraction and the Earth's curve leave 38 air masses at the horizon.
    expect(airmassAt(1e-9)).toBeCloseTo(37.9, 1)
    expect(airmassAt(0)).toBeUndefined()
    const below = frameHeader({ imageType: 'dark', startedAtMs: 0, exposureSeconds: 1, software: 'x', altitudeDeg: -3 })
    expect(below.has('AIRMASS')).toBe(false)
    expect(below.has('RADESYS')).toBe(false)
  })

  it('rounds angles and times without a sixtieth second', () => {
    expect(hmsText(359.99999999)).toBe('00 00 00.00')
    expect(dmsText(-0.00001)).toBe('-00 00 00.0')
    expect(dmsText(59.99999)).toBe('+60 00 00.0')
    expect(mjdOf(0)).toBe(40587)
    expect(fitsDate(0)).toBe('1970-01-01T00:00:00.000')
  })
})

import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { formatNmeaAngle, formatNmeaTime, frameNmea, nmeaChecksum, parseNmea } from './codec.ts'

/** The sentences of DePriest's "NMEA data" page and of u-blox's ANTARIS protocol specification, as printed there. */
const printed = {
  gga: '$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47',
  rmc: '$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A',
  gsa: '$GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1*39',
  ggaUblox: '$GPGGA,092725.00,4717.11399,N,00833.91590,E,1,8,1.01,499.6,M,48.0,M,,0*5B',
  rmcUblox: '$GPRMC,083559.00,A,4717.11437,N,00833.91522,E,0.004,77.52,091202,,,A*57',
  gsaUblox: '$GPGSA,A,3,23,29,07,08,09,18,26,28,,,,,1.94,1.18,1.54*0D',
  zdaUblox: '$GPZDA,082710.00,16,09,2002,00,00*64',
}
const read = (line: string) => {
  const result = parseNmea(line)
  return result.ok ? result.sentence : result.reason
}

describe('NMEA sentences', () => {
  it('are read as their documents print them', () => {
    expect(read(printed.gga)).toEqual({
      type: 'GGA',
      timeOfDayMs: (12 * 3600 + 35 * 60 + 19) * 1000,
      latitudeDeg: 48 + 7.038 / 60,
      longitudeDeg: 11 + 31 / 60,
      quality: 1,
      satellites: 8,
      hdop: 0.9,
      elevationMetres: 545.4,
    })
    expect(read(printed.rmc)).toMatchObject({ valid: true, utcMs: Date.UTC(1994, 2, 23, 12, 35, 19), speedKnots: 22.4 })
    expect(read(printed.gsa)).toEqual({ type: 'GSA', fix: '3d', satellites: 5, pdop: 2.5 })
    expect(read(printed.ggaUblox)).toMatchObject({ latitudeDeg: 47 + 17.11399 / 60, elevationMetres: 499.6 })
    expect(read(printed.rmcUblox)).toMatchObject({ utcMs: Date.UTC(2002, 11, 9, 8, 35, 59) })
    expect(read(printed.gsaUblox)).toMatchObject({ satellites: 8, pdop: 1.94 })
    expect(read(printed.zdaUblox)).toEqual({ type: 'ZDA', utcMs: Date.UTC(2002, 8, 16, 8, 27, 10) })
  })

  it('of any talker are read, and others told by name', () => {
    expect(read(frameNmea('GNZDA,082710.00,16,09,2002,00,00').trim())).toMatchObject({ type: 'ZDA' })
    expect(parseNmea(frameNmea('GPGSV,1,1,00').trim())).toEqual({ ok: true, name: 'GPGSV' })
    expect(parseNmea(frameNmea('PUBX,00,1').trim())).toEqual({ ok: true, name: 'PUBX' })
  })

  it('with one flipped bit anywhere are refused', () => {
    const bytes = Buffer.from(printed.gga, 'latin1')
    for (let at = 1; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[at]! ^= 1 << bit
        const text = flipped.toString('latin1')
        // The case of a checksum's letter means nothing.
        if (text.toUpperCase() === printed.gga) continue
        expect(parseNmea(text).ok, text).toBe(false)
      }
    }
    expect(parseNmea('$GPGGA,123519').ok).toBe(false)
  })

  it('without a fix have no place, and nonsense is undefined', () => {
    expect(read(frameNmea('GPGGA,,,,,,0,00,99.99,,,,,,').trim())).toMatchObject({ quality: 0, latitudeDeg: undefined })
    expect(read(frameNmea('GPRMC,,V,,,,,,,,,,N').trim())).toMatchObject({ valid: false, utcMs: undefined })
    expect(read(frameNmea('GPGGA,256199,9107.0,N,18131.0,E,1,08,0.9,x,M,,,,').trim())).toMatchObject({
      timeOfDayMs: undefined,
      latitudeDeg: undefined,
      longitudeDeg: undefined,
      elevationMetres: undefined,
    })
  })

  it('are written with the checksum that is printed', () => {
    expect(nmeaChecksum(printed.gga.slice(1, -3))).toBe('47')
    expect(formatNmeaAngle(-(33 + 52.1234 / 60), 2)).toBe('3352.12340,S')
    expect(formatNmeaAngle(8 + 33.9159 / 60, 3)).toBe('00833.91590,E')
    expect(formatNmeaAngle(59.99999999, 2)).toBe('6000.00000,N')
    expect(formatNmeaTime(Date.UTC(2002, 8, 16, 8, 27, 10, 250))).toBe('082710.25')
  })

  it('survive a million bytes of noise', () => {
    const random = createRandom('nmea noise')
    const lines = Object.values(printed)
    let taken = 0
    for (let fed = 0; fed < 1_000_000; ) {
      const line = lines[random.integer(lines.length)]!
      const at = random.integer(line.length)
      const noise = String.fromCharCode(...Array.from({ length: random.integer(30) }, () => random.integer(256)))
      const text = random.next() < 0.02 ? line : line.slice(0, at) + noise + line.slice(at + random.integer(10))
      fed += text.length
      const result = parseNmea(text)
      if (result.ok && result.sentence) taken++
    }
    expect(taken).toBeGreaterThan(100)
  })
})

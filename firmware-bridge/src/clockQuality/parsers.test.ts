import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { isSynchronised, parseTracking, rootDistanceSeconds } from './chronyTracking.ts'
import { parseReport } from './gpsdReport.ts'
import { parseAdjtimex } from './kernelClock.ts'

// chronyc(1), example of `tracking`, as -c prints it: 0.000006523 s slow of NTP time, root delay 0.000373169 s,
// root dispersion 0.000024780 s.
const example =
  'CB00710F,foo.example.net,3,1505904565.123456,0.000006523,-0.000006747,0.000035822,3.225,0.000,0.129,0.000373169,0.000024780,64.2,Normal'

const trackingOf = (text: string) => {
  const reading = parseTracking(text)
  if (!reading.ok) throw new Error(reading.reason)
  return reading.value
}

describe('chronyc’s tracking line', () => {
  it('gives the offset with the sign of system minus true, and the root distance', () => {
    const tracking = trackingOf(example)
    expect(tracking).toMatchObject({ referenceId: 'CB00710F', stratum: 3, offsetSeconds: -0.000006523 })
    expect(isSynchronised(tracking)).toBe(true)
    expect(rootDistanceSeconds(tracking)).toBeCloseTo(0.00002478 + 0.000373169 / 2, 12)
  })

  it('is not synchronised while it says so, and not when the clock follows only itself', () => {
    const local = '7F7F0101,,3,1795245082.1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal'
    const none = '00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised'
    expect(isSynchronised(trackingOf(local))).toBe(false)
    expect(isSynchronised(trackingOf(none))).toBe(false)
  })

  it('is nothing when a field is missing or is no number', () => {
    expect(parseTracking('506 Cannot talk to daemon').ok).toBe(false)
    expect(parseTracking(example.replace('0.000373169', '')).ok).toBe(false)
    expect(parseTracking(example.replace('CB00710F', 'not hex!')).ok).toBe(false)
    expect(parseTracking('').ok).toBe(false)
  })
})

describe('a report of gpsd', () => {
  // Said by gpsd 3.22 to a receiver of NMEA sentences.
  it('is a fix with place and time', () => {
    const tpv =
      '{"class":"TPV","device":"/dev/a","mode":3,"time":"2026-11-21T07:15:13.000Z","ept":0.005,"lat":47.500000000,"lon":19.000000000,"altHAE":240.0000,"altMSL":200.0000,"alt":200.0000}'
    expect(parseReport(tpv)).toEqual({
      type: 'fix',
      mode: '3d',
      utcMs: Date.UTC(2026, 10, 21, 7, 15, 13),
      latitudeDeg: 47.5,
      longitudeDeg: 19,
      elevationMetres: 200,
    })
  })

  it('is the clock’s offset, to the nanosecond', () => {
    const toff =
      '{"class":"TOFF","device":"/dev/a","real_sec":1795245313, "real_nsec":0,"clock_sec":1795245313,"clock_nsec":659428071}'
    expect(parseReport(toff)).toEqual({ type: 'offset', from: 'text', clockMinusTrueSeconds: 0.659428071 })
    const early = '{"class":"PPS","real_sec":100,"real_nsec":0,"clock_sec":99,"clock_nsec":999999000}'
    const offset = parseReport(early)
    expect(offset).toMatchObject({ type: 'offset', from: 'pulse' })
    if (offset?.type === 'offset') expect(offset.clockMinusTrueSeconds).toBeCloseTo(-1e-6, 12)
  })

  it('counts the satellites in use, told or listed', () => {
    expect(parseReport('{"class":"SKY","nSat":12,"uSat":9}')).toEqual({ type: 'sky', usedSatellites: 9 })
    const listed = '{"class":"SKY","satellites":[{"PRN":1,"used":true},{"PRN":2,"used":false},null]}'
    expect(parseReport(listed)).toEqual({ type: 'sky', usedSatellites: 1 })
  })

  it('drops places that are not on the Earth and times that are none', () => {
    expect(parseReport('{"class":"TPV","mode":3,"lat":91,"lon":"19","time":"soon"}')).toEqual({
      type: 'fix',
      mode: '3d',
      utcMs: undefined,
      latitudeDeg: undefined,
      longitudeDeg: undefined,
      elevationMetres: undefined,
    })
  })
})

describe('the kernel’s clock', () => {
  // Printed by Debian's adjtimex 1.29 on a machine where nothing steers the clock.
  const printed = `         mode: 0
       offset: 0
    frequency: 0
     maxerror: 16000000
     esterror: 16000000
       status: 64
time_constant: 2
    precision: 1
    tolerance: 32768000
         tick: 10000
     raw time:  1795245305s 907405us = 1795245305.907405
 return value = 5
`
  it('says that nobody keeps it, and how far it may be off: 16 s is the kernel’s largest', () => {
    expect(parseAdjtimex(printed)).toEqual({
      ok: true,
      value: { synchronised: false, offsetSeconds: 0, maximumErrorSeconds: 16 },
    })
  })

  it('reads microseconds or nanoseconds, as the status says', () => {
    const kept = printed.replace('status: 64', 'status: 8193').replace('offset: 0', 'offset: -2500')
    expect(parseAdjtimex(kept)).toMatchObject({ value: { synchronised: true, offsetSeconds: 2.5e-6 } })
    const micro = printed.replace('status: 64', 'status: 1').replace('offset: 0', 'offset: -2500')
    expect(parseAdjtimex(micro)).toMatchObject({ value: { offsetSeconds: 2.5e-3 } })
    expect(parseAdjtimex('').ok).toBe(false)
  })
})

describe('noise', () => {
  it('of 400,000 bytes is read by all three without a throw, and never as a clock that is synchronised', () => {
    const random = createRandom('clock noise')
    const pieces = [
      '{"class":"TPV",',
      '"mode":3',
      '}',
      ',',
      '7F7F0101',
      'Normal',
      '\n',
      'status: ',
      '"',
      '1e999',
      'null',
      '[',
      ']',
    ]
    for (let sent = 0; sent < 400_000; ) {
      let text = ''
      for (let count = random.integer(30); count >= 0; count--) {
        text += (pieces[random.integer(pieces.length)] ?? '') + String.fromCharCode(random.integer(128))
      }
      sent += text.length
      const tracking = parseTracking(text)
      if (tracking.ok) expect(Number.isFinite(rootDistanceSeconds(tracking.value))).toBe(true)
      parseReport(text)
      const kernel = parseAdjtimex(text)
      if (kernel.ok) expect(Number.isFinite(kernel.value.offsetSeconds)).toBe(true)
    }
  })

  it('in any field of a true line changes it to a failure or another finite reading', () => {
    const random = createRandom('tracking noise')
    let refused = 0
    for (let round = 0; round < 2_000; round++) {
      const at = random.integer(example.length)
      const text = example.slice(0, at) + String.fromCharCode(33 + random.integer(90)) + example.slice(at + 1)
      const reading = parseTracking(text)
      if (!reading.ok) refused++
      else expect(Number.isFinite(reading.value.offsetSeconds + rootDistanceSeconds(reading.value))).toBe(true)
    }
    expect(refused).toBeGreaterThan(200)
  })
})

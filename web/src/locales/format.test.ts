import { expect, test } from 'vitest'
import { compass, declination, duration, fileSize, rightAscension } from './format.ts'

test('angles are rounded without ever showing sixty seconds', () => {
  // 53.4° = 3 h 33 m 36 s; 12.14° = 12° 08′ 24″.
  expect([rightAscension(53.4), declination(12.14)]).toEqual(['03 33 36.0', '+12 08 24.0'])
  expect([rightAscension(359.99999), declination(-0.99999)]).toEqual(['00 00 00.0', '−01 00 00.0'])
  expect(declination(-0.5)).toBe('−00 30 00.0')
})

test('durations and sizes keep two figures or so', () => {
  expect([0, 14_400, 200_000, 7_300_000, 400_000_000].map(duration)).toEqual(['now', '14 s', '3 min', '2 h', '5 d'])
  expect([512, 1_230_000, 412e9].map(fileSize)).toEqual(['512 B', '1.2 MB', '412 GB'])
})

test('north is where azimuth begins and ends', () => {
  expect([0, 22, 23, 138, 359, -45].map(compass)).toEqual(['N', 'N', 'NE', 'SE', 'N', 'NW'])
})

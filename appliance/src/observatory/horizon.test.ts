import { expect, test } from 'vitest'
import { horizonAt, readHorizon } from './horizon.ts'

/** As Carte du Ciel writes it: comments, then `azimuth altitude`, from north through east. */
const cartesDuCiel = '# Horizon file\n# azimuth altitude\n0 10\n90 20\n180 0\n270 40\n'

test('a horizon file is read whatever separates its columns and ends its lines', () => {
  const expected = [
    { azimuthDeg: 0, altitudeDeg: 10 },
    { azimuthDeg: 90, altitudeDeg: 20 },
    { azimuthDeg: 180, altitudeDeg: 0 },
    { azimuthDeg: 270, altitudeDeg: 40 },
  ]
  const unsorted = '\uFEFF270,40\r\n90,20 ; a tree\r\n\r\n180\t0 // the sea\r\n360 10'
  for (const text of [cartesDuCiel, unsorted]) expect(readHorizon(text)).toEqual({ ok: true, points: expected })
})

test('a horizon file that cannot be right is refused with its line', () => {
  expect(readHorizon('0 10\n90 abc\n')).toEqual({
    ok: false,
    reason: 'line 2: "90 abc" is not an azimuth and an altitude in degrees',
  })
  expect(readHorizon('0 10\n400 3')).toEqual({ ok: false, reason: 'line 2: azimuth 400 is not within 0 and 360' })
  expect(readHorizon('0 10\n10 91')).toEqual({ ok: false, reason: 'line 2: altitude 91 is not within -90 and 90' })
  expect(readHorizon('# nothing')).toEqual({ ok: false, reason: 'a horizon needs at least two points, found 0' })
  const endless = Array.from({ length: 3700 }, (_, i) => `${i / 20} 5`).join('\n')
  expect(readHorizon(endless)).toEqual({ ok: false, reason: 'more than 3600 points' })
})

test('the horizon runs in straight lines between its points and across north', () => {
  const read = readHorizon(cartesDuCiel)
  if (!read.ok) throw new Error(read.reason)
  const at = (azimuthDeg: number): number => horizonAt(read.points, azimuthDeg)
  expect([0, 45, 90, 135, 180, 270].map(at)).toEqual([10, 15, 20, 10, 0, 40])
  // Half way from 40° in the west to 10° in the north.
  expect(at(315)).toBe(25)
  expect(at(-45)).toBe(25)
  expect(horizonAt([], 10)).toBe(-90)
})

test('of two heights at one azimuth the higher one holds', () => {
  expect(readHorizon('10 0\n10 30\n20 0')).toMatchObject({ points: [{ altitudeDeg: 30 }, { altitudeDeg: 0 }] })
})

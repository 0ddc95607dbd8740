import { expect, test } from 'vitest'
import { FitsHeader } from '../frames/fits/header.ts'
import { chooseMaster, misfit } from './masterChoice.ts'

const frame = FitsHeader.from({
  'DATE-OBS': '2026-03-10T01:00:00',
  XBINNING: 1,
  GAIN: 100,
  'CCD-TEMP': -10,
  EXPTIME: 30,
})
const dark = frame.with('BIASSUB', true)

test('a master that cannot fit says why, and what headers do not say is not held against it', () => {
  expect(misfit('dark', frame, frame)).toBeUndefined()
  expect(misfit('dark', FitsHeader.from({}), frame)).toBeUndefined()
  expect(misfit('bias', frame.with('GAIN', 200), frame)).toBe('its GAIN is 200, the frame’s 100')
  expect(misfit('flat', frame.with('GAIN', 200), frame)).toBeUndefined()
  expect(misfit('flat', frame.with('XBINNING', 2), frame)).toContain('XBINNING is 2')
  expect(misfit('dark', frame.with('CCD-TEMP', -5), frame)).toContain('at -5 °C, the frame’s at -10 °C')
  expect(misfit('dark', frame.with('CCD-TEMP', -5), frame, { masterTemperatureC: 6 })).toBeUndefined()
  expect(misfit('bias', frame.with('CCD-TEMP', -5), frame)).toBeUndefined()
  expect(misfit('dark', frame.withAll({ BIASSUB: false, EXPTIME: 60 }), frame)).toContain('take biases too')
  expect(misfit('dark', dark.with('EXPTIME', 60), frame)).toBeUndefined()
})

test('an exact dark is taken first, the nearest in time of several', () => {
  const others = [dark.with('EXPTIME', 60), dark.with('DATE-OBS', '2026-02-20T01:00:00'), dark, dark.with('GAIN', 0)]
  expect(chooseMaster('dark', others, frame)).toEqual({ type: 'dark', rung: 'exact', index: 2, note: undefined })
})

test('without an exact dark the one of the nearest exposure time is scaled', () => {
  const others = [10, 300, 60].map((seconds) => dark.with('EXPTIME', seconds))
  expect(chooseMaster('dark', others, frame)).toEqual({
    type: 'dark',
    rung: 'scaled',
    index: 2,
    note: 'the master dark of 60 s was scaled to 30 s',
  })
})

test('a fresh dark to be scaled goes before an old one, and an old one before none', () => {
  const old = dark.with('DATE-OBS', '2026-01-10T01:00:00')
  const choice = chooseMaster('dark', [old, dark.with('EXPTIME', 60)], frame)
  expect(choice).toMatchObject({ rung: 'scaled', index: 1 })
  expect(chooseMaster('dark', [old.with('EXPTIME', 20), old], frame)).toEqual({
    type: 'dark',
    rung: 'old',
    index: 1,
    note: 'the master dark was taken 59 days from the frame, more than 30 (calibration.masterDays)',
  })
  expect(chooseMaster('dark', [old.with('EXPTIME', 20)], frame).note).toContain(
    'calibration.masterDays); the master dark of 20 s was scaled to 30 s',
  )
  expect(chooseMaster('dark', [old], frame, { masterDays: 90 }).rung).toBe('exact')
})

test('with nothing that fits the reason is that of the first candidate', () => {
  expect(chooseMaster('flat', [], frame)).toEqual({
    type: 'flat',
    rung: 'none',
    index: undefined,
    note: 'there is no master flat',
  })
  expect(chooseMaster('dark', [dark.with('CCD-TEMP', 5)], frame)).toMatchObject({
    rung: 'none',
    note: expect.stringContaining('the master dark was not used: its sensor was at 5 °C'),
  })
})

test('a bias or flat of another exposure time is exact', () => {
  expect(chooseMaster('flat', [frame.with('EXPTIME', 2)], frame).rung).toBe('exact')
  expect(chooseMaster('bias', [frame.with('EXPTIME', 0)], frame).rung).toBe('exact')
})

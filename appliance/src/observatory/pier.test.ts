import { expect, test } from 'vitest'
import { defaultGateSettings } from '../contract/gateSettings.ts'
import { counterweightUpDeg, pierReason, wrapDeg } from './pier.ts'

const german = { ...defaultGateSettings.pointing, counterweightUpDeg: 10, maxHourAngleDeg: 180 }

test('the counterweight is level on the meridian, up past it, down before it, and level again under the pole', () => {
  // Telescope west of the pier, looking east: down while the target is still in the east.
  expect([-90, 0, 10, 180].map((hour) => counterweightUpDeg('west', hour))).toEqual([-90, 0, 10, 0])
  expect([90, 0, -10, 170].map((hour) => counterweightUpDeg('east', hour))).toEqual([-90, 0, 10, -10])
  expect(counterweightUpDeg('west', 100)).toBe(80)
  expect([190, -190, 180, 540].map(wrapDeg)).toEqual([-170, 170, -180, -180])
})

test('a German mount may pass the meridian by its limit, on either side', () => {
  expect(pierReason(german, 'west', 10)).toBeUndefined()
  expect(pierReason(german, 'west', 10.1)).toContain('counterweight up by 10.1°, more than 10°')
  expect(pierReason(german, 'east', -10)).toBeUndefined()
  expect(pierReason(german, 'east', -10.1)).toContain('telescope east of the pier')
})

test('a side that is not told closes the way past the meridian, and a fork has none', () => {
  expect([-30, 0, 10.1, 60].map((hour) => pierReason(german, 'unknown', hour))).toEqual(Array(4).fill(undefined))
  expect(pierReason(german, 'unknown', 5)).toContain('the side of the pier is not known: 0° to 10° is closed')
  expect(pierReason({ ...german, mount: 'fork' }, 'unknown', 5)).toBeUndefined()
})

test('an hour angle beyond the limit of the site, or none at all, is refused for every mount', () => {
  expect(pierReason({ ...german, mount: 'fork', maxHourAngleDeg: 90 }, 'unknown', -91)).toContain(
    '91.0° east of the meridian, farther than 90°',
  )
  expect(pierReason(german, 'west', Number.NaN)).toContain('nobody knows')
})

import { describe, expect, it } from 'vitest'
import { inUnit } from './units.ts'

describe('a reading in a station’s own unit', () => {
  it('comes in ours', () => {
    expect(inUnit(36, 'kph', 'metresPerSecond')).toBeCloseTo(10, 12)
    // The international mile and the nautical mile are exact: 1609.344 m and 1852 m.
    expect(inUnit(1, 'mph', 'metresPerSecond')).toBeCloseTo(1609.344 / 3600, 12)
    expect(inUnit(1, 'knots', 'metresPerSecond')).toBeCloseTo(1852 / 3600, 12)
    expect(inUnit(212, 'F', 'celsius')).toBeCloseTo(100, 12)
    expect(inUnit(273.15, 'K', 'celsius')).toBeCloseTo(0, 12)
    // A standard atmosphere: 29.92 inHg, 760 mmHg, 1013.25 hPa.
    expect(inUnit(29.92, 'inHg', 'hectopascals')).toBeCloseTo(1013.2, 1)
    expect(inUnit(760, 'mmHg', 'hectopascals')).toBeCloseTo(1013.25, 2)
    expect(inUnit(1, 'in/h', 'millimetresPerHour')).toBeCloseTo(25.4, 12)
  })

  it('does not come at all when nobody knows the unit', () => {
    expect(inUnit(3, 'furlongs', 'metresPerSecond')).toBeUndefined()
    expect(inUnit(3, 'constructor', 'celsius')).toBeUndefined()
  })
})

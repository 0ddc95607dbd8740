import { expect, test } from 'vitest'
import { barycentricJulianDate } from './barycentre.ts'

// astropy 5.2.1: Time.light_travel_time at the geocentre plus Time.tdb; [ra, dec, Unix ms, BJD_TDB − 2450000].
const astropy = [
  [31.0428, 46.6878, 946684800000, 1544.5035726342503],
  [31.0428, 46.6878, 1513742592855, 8107.673318243899],
  [31.0428, 46.6878, 1700000000000, 10263.431522980549],
  [31.0428, 46.6878, 1766000000000, 11027.319312519321],
  [31.0428, 46.6878, 1250000000123, 5055.0935927211485],
  [0, 0, 1513742592855, 8107.669887557202],
  [266.4, -29.0, 946684800000, 1544.4952544775344],
  [266.4, -29.0, 1513742592855, 8107.664010575827],
  [270, 66.56, 1700000000000, 10263.426727561384],
  [120, -70, 1513742592855, 8107.66908522079],
] as const

test.each(astropy)('the barycentric date of %d %d at %d is that of astropy within 0.05 s', (ra, dec, ms, bjd) => {
  expect(Math.abs(barycentricJulianDate(ra, dec, ms) - 2450000 - bjd) * 86400).toBeLessThan(0.05)
})

import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { defaultGateSettings } from '../../contract/gateSettings.ts'
import type { Place } from './sky.ts'
import { pathFromSunDeg } from './sunPath.ts'

const at = (hourAngleDeg: number, decDeg: number): Place => ({ hourAngleDeg, decDeg, altitudeDeg: 0, azimuthDeg: 0 })
const fork = { ...defaultGateSettings.pointing, mount: 'fork' as const }
const german = defaultGateSettings.pointing
const ends = (from: Place, to: Place) => ({ from, fromSide: undefined, to, toSide: undefined })

test('a slew along the equator passes a Sun beside it at its declination, and one over it not at all', () => {
  expect(pathFromSunDeg(ends(at(-40, 0), at(40, 0)), at(0, 20), fork, 48)).toBeCloseTo(20, 9)
  expect(pathFromSunDeg(ends(at(-40, 0), at(40, 0)), at(0, 0), fork, 48)).toBeCloseTo(0, 9)
  // Nearest where its hour circle at 40° comes closest to the Sun: cos = √(sin² 10° + cos² 10° cos² 80°).
  expect(pathFromSunDeg(ends(at(40, 10), at(60, 50)), at(-40, 10), fork, 48)).toBeCloseTo(75.894, 3)
})

test('a German mount goes from one side of the meridian to the other over the pole', () => {
  // The Sun in the south at -20° is 110° from the pole; the axes never come down to it.
  const over = { from: at(-60, 60), fromSide: 'west', to: at(60, 60), toSide: 'east' } as const
  expect(pathFromSunDeg(over, at(0, -20), german, 48)).toBeGreaterThan(75)
})

test('where the telescope lies along the polar axis, the axis may have all its range to go', () => {
  expect(pathFromSunDeg(ends(at(123, 89.99), at(-60, 10)), at(60, 20), fork, 48)).toBeCloseTo(0, 6)
})

test('no point of any path with both axes at their own pace is nearer than told, in 20,000 slews', () => {
  const random = createRandom('sun paths')
  const rad = Math.PI / 180
  const apart = (a: Place, b: Place): number =>
    Math.acos(
      Math.min(
        1,
        Math.sin(a.decDeg * rad) * Math.sin(b.decDeg * rad) +
          Math.cos(a.decDeg * rad) * Math.cos(b.decDeg * rad) * Math.cos((a.hourAngleDeg - b.hourAngleDeg) * rad),
      ),
    ) / rad
  const anywhere = (): Place => at(180 * random.next() - 90, 160 * random.next() - 80)
  let nearest = 180
  for (let slew = 0; slew < 20_000; slew++) {
    const [from, to, sun] = [anywhere(), anywhere(), anywhere()]
    const told = pathFromSunDeg(ends(from, to), sun, fork, 48)
    const [s, u] = [random.next(), random.next()]
    const on = at(
      from.hourAngleDeg + s * (to.hourAngleDeg - from.hourAngleDeg),
      from.decDeg + u * (to.decDeg - from.decDeg),
    )
    nearest = Math.min(nearest, apart(on, sun) - told)
  }
  expect(nearest).toBeGreaterThan(-1e-6)
  expect(nearest).toBeLessThan(0.1)
})

test('an end that is not known gives no distance', () => {
  expect(pathFromSunDeg(ends(at(Number.NaN, Number.NaN), at(0, 0)), at(0, 0), fork, 48)).toBeNaN()
})

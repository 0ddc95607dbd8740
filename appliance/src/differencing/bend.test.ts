import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, test } from 'vitest'
import { withBend } from './bend.ts'
import { applyTransform, fitTransform } from './transform.ts'

/** Stars of a 2000 px frame whose images are moved by a wave of `amplitude` pixels that no cubic follows. */
function stars(amplitude: number) {
  const random = createRandom('bend')
  const wave = (x: number, y: number): number => amplitude * Math.sin(x / 200) * Math.cos(y / 230)
  const pairs = Array.from({ length: 3000 }, () => {
    const [x, y] = [2000 * random.next(), 2000 * random.next()]
    const noise = (): number => 0.05 * random.normal()
    return { fromX: x, fromY: y, toX: x + 3 + wave(x, y) + noise(), toY: y - 5 + wave(y, x) + noise(), weight: 400 }
  })
  return { pairs, wave, cubic: fitTransform(pairs, 3)! }
}

test('a thin-plate spline follows what a cubic cannot, to a fiftieth of a pixel', () => {
  const { pairs, wave, cubic } = stars(0.15)
  const bent = withBend(cubic, pairs)
  const rms = (map: typeof bent): number => {
    let sum = 0
    for (let y = 150; y < 1900; y += 50) {
      for (let x = 150; x < 1900; x += 50) {
        const [u, v] = applyTransform(map, x, y)
        sum += ((u - x - 3 - wave(x, y)) ** 2 + (v - y + 5 - wave(y, x)) ** 2) / 2
      }
    }
    return Math.sqrt(sum / 35 ** 2)
  }
  expect(rms(cubic)).toBeGreaterThan(0.05)
  expect(rms(bent)).toBeLessThan(0.02)
})

test('noise alone bends nothing', () => {
  const { pairs, cubic } = stars(0)
  expect(withBend(cubic, pairs)).toBe(cubic)
})

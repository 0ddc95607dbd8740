import { expect, it } from 'vitest'
import { glance } from './glance.ts'
import { FitsHeader } from './header.ts'
import { openFits } from './read.ts'
import { encodeFits } from './write.ts'

const fitsOf = (data: Uint16Array | Float32Array, width: number) =>
  openFits(encodeFits([{ header: FitsHeader.from({}), data: { width, height: data.length / width, data } }]))

it('looks at every pixel of a small unsigned image in ADU', () => {
  // BZERO 32768 (FITS 4.0 table 11): the file holds these as signed numbers.
  const seen = glance(fitsOf(Uint16Array.from([7, 65535, 0, 40_000, 300, 200]), 3))
  expect(seen).toMatchObject({ pixels: 6, min: 0, max: 65535, median: 300 })
})

it('spreads its looks over a large image', () => {
  const data = Uint16Array.from({ length: 1_000_000 }, (_, index) => index / 20)
  const seen = glance(fitsOf(data, 1000))!
  expect(seen.pixels).toBe(4096)
  // A ramp of 0…49999: 4096 golden-ratio points leave no gap over 3/4096 of it.
  expect(seen.min).toBeLessThan(40)
  expect(seen.max).toBeGreaterThan(49_960)
  expect(Math.abs((seen.median ?? 0) - 25_000)).toBeLessThan(60)
})

it('tells two noisy frames apart and the same frame again', () => {
  const noise = (seed: number) => Uint16Array.from({ length: 4096 }, (_, i) => 500 + ((i * seed) % 17))
  const [a, b, again] = [noise(3), noise(5), noise(3)].map((data) => glance(fitsOf(data, 64))!.fingerprint)
  expect(a).not.toBe(b)
  expect(again).toBe(a)
})

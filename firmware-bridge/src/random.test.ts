import { expect, test } from 'vitest'
import { createRandom, xoshiro128StarStar } from './random.ts'

test('the generator gives the published stream', () => {
  // State 1, 2, 3, 4, as rand_xoshiro's test has it from the authors' xoshiro128starstar.c, version 1.1.
  const next = xoshiro128StarStar(1, 2, 3, 4)
  const want = [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804]
  expect(want.map(() => next())).toEqual(want)
})

test('a seed names a stream and a fork names another', () => {
  const take = (random: { next(): number }): number[] => Array.from({ length: 5 }, () => random.next())
  expect(take(createRandom(7))).toEqual(take(createRandom(7)))
  expect(take(createRandom(7))).not.toEqual(take(createRandom(8)))
  const parent = createRandom(7)
  expect(take(parent.fork('sky'))).not.toEqual(take(parent.fork('noise')))
  expect(take(parent)).toEqual(take(createRandom(7)))
})

test.each([0.3, 4, 59, 61, 5000])('Poisson deviates of mean %d have that mean and variance', (mean) => {
  const random = createRandom(`poisson ${mean}`)
  const n = 40_000
  const values = Array.from({ length: n }, () => random.poisson(mean))
  const average = values.reduce((sum, value) => sum + value, 0) / n
  const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / n
  expect(Math.abs(average - mean)).toBeLessThan(5 * Math.sqrt(mean / n))
  expect(Math.abs(variance / mean - 1)).toBeLessThan(5 * Math.sqrt((2 + 1 / mean) / n))
})

test('normal deviates have mean 0, variance 1 and kurtosis 3', () => {
  const random = createRandom('normal')
  const n = 100_000
  let [sum, square, fourth] = [0, 0, 0]
  for (let i = 0; i < n; i++) {
    const value = random.normal()
    sum += value
    square += value ** 2
    fourth += value ** 4
  }
  expect(Math.abs(sum / n)).toBeLessThan(5 / Math.sqrt(n))
  expect(Math.abs(square / n - 1)).toBeLessThan(5 * Math.sqrt(2 / n))
  expect(Math.abs(fourth / n - 3)).toBeLessThan(5 * Math.sqrt(96 / n))
})

import { expect, it } from 'vitest'
import { fuzzFits } from './fuzz.ts'

/** The whole million: scripts/soak fuzz-fits. */
const files = 15_000

it(`${files} damaged files are read or refused by name, in bounded time and memory`, async () => {
  const report = await fuzzFits(files, 'test')
  expect(report.firstFault).toBeUndefined()
  expect(report.faults).toBe(0)
  expect(report.read).toBeGreaterThan(files / 20)
  expect(report.read).toBeLessThan(files / 2)
  expect(report.slowestCpuMs).toBeLessThan(2000)
})

import { expect, it } from 'vitest'
import { fuzzFits, fuzzSeeds } from './fuzz.ts'
import { frameFromCamera } from './ingest.ts'

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

it('a packed table whose GCOUNT leaves it no bytes is refused by name', () => {
  const card = Buffer.from('GCOUNT  =                    1')
  const whole = fuzzSeeds().filter(({ bytes }) => bytes.includes(card) && bytes.includes('ZIMAGE'))
  const packed = whole.filter(({ bytes }) => frameFromCamera(bytes, { FRAMEID: 'f1' }).ok)
  expect(packed.length).toBeGreaterThan(3)
  for (const { bytes } of packed) {
    const damaged = Buffer.from(bytes)
    damaged.write('0', damaged.indexOf(card) + card.length - 1)
    const taken = frameFromCamera(damaged, { FRAMEID: 'f1' })
    expect(taken.ok ? '' : taken.reason).toMatch(/has 0 bytes for \d+ rows of \d+: the header is damaged/)
  }
})

it.each([['11', 713_918]])('the damaged file %s %i, which once broke the reader, is refused', async (seed, number) => {
  expect((await fuzzFits(1, seed, number)).firstFault).toBeUndefined()
})

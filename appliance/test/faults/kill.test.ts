import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { findLost, startWriter } from './ledger.ts'

const kills = 20

describe('kill -9', () => {
  it(`of the writer at ${kills} random moments loses nothing that was acknowledged`, async () => {
    using folder = temporaryFolder()
    const random = createRandom(20261121)
    const acknowledged: string[] = []
    for (let life = 1; life <= kills; life++) {
      const writer = startWriter(folder.path, `life${life}`, 'store')
      // Every fourth dies while it starts, recovering what the one before left.
      if (life % 4 !== 0) await writer.begun
      await systemClock.sleep(random.next() * (life % 4 === 0 ? 400 : 150))
      writer.process.kill('SIGKILL')
      await writer.ended
      acknowledged.push(...writer.acknowledged())
      expect(writer.complaints()).toBe('')
    }
    expect(acknowledged.length).toBeGreaterThan(kills * 2)
    expect(await findLost(folder.path, acknowledged)).toEqual([])
  }, 120_000)
})

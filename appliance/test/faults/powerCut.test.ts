import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, it } from 'vitest'
import { cutPower, powerCutObstacle } from './powerCut.ts'

const obstacle = await powerCutObstacle()
if (obstacle !== undefined) console.warn(`power cuts are skipped: ${obstacle}`)

describe.skipIf(obstacle !== undefined)('a power cut', () => {
  it('loses nothing that the store acknowledged: frames, files, events, jobs or settings', async () => {
    const report = await cutPower({ cuts: 4, random: createRandom(4), kind: 'store' })
    expect(report.acknowledged).toBeGreaterThan(20)
    expect(report.lost).toEqual([])
  }, 120_000)

  it('does lose what is renamed without fsync, so that this test can tell', async () => {
    const report = await cutPower({ cuts: 2, random: createRandom(4), kind: 'naive' })
    expect(report.lost.length).toBeGreaterThan(0)
  }, 120_000)
})

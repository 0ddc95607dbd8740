import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { expect, test } from 'vitest'
import { offloadToWorker, type TaskReference } from './offload.ts'

const task = (name: string): TaskReference<number, number> => ({
  module: new URL('./testing.ts', import.meta.url).href,
  name,
})

test('tasks run in order, fail by themselves with their code, and outlive a worker that dies', {
  timeout: 30_000,
}, async () => {
  await using offload = offloadToWorker(1, new VirtualClock(0))
  expect(await Promise.all([offload.run(task('addOne'), 1), offload.run(task('addOne'), 2)])).toEqual([2, 3])
  await expect(offload.run(task('failing'), 0)).rejects.toMatchObject({ code: 'test/expected' })
  await expect(offload.run(task('missing'), 0)).rejects.toThrow('exports no missing')
  await expect(offload.run(task('dying'), 0)).rejects.toThrow('ended with code 3')
  expect(await offload.run(task('addOne'), 5)).toBe(6)
})

test('an idle worker is ended and the next task starts another', { timeout: 30_000 }, async () => {
  const clock = new VirtualClock(0)
  await using offload = offloadToWorker(1, clock)
  expect(await offload.run(task('addOne'), 1)).toBe(2)
  await clock.advance(31_000)
  expect(await offload.run(task('addOne'), 2)).toBe(3)
})

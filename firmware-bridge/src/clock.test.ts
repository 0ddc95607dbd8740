import { expect, test } from 'vitest'
import { VirtualClock } from './clock.ts'

test('a virtual clock plays ten hours in a blink, sleepers in order', async () => {
  const clock = new VirtualClock(1_000)
  const woken: string[] = []
  const sleeper = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms)
    woken.push(`${name} ${clock.now()}`)
  }
  await clock.run(
    Promise.all([sleeper('late', 36_000_000), sleeper('early', 5), sleeper('also early', 5)]).then(() => undefined),
  )
  expect(woken).toEqual(['early 1005', 'also early 1005', 'late 36001000'])
})

test('virtual time stands still while real work is under way', async () => {
  const clock = new VirtualClock(0)
  let workDoneAtMs = -1
  let finish: () => void = () => undefined
  const work = new Promise<void>((resolve) => {
    finish = resolve
  })
  const main = (async () => {
    await clock.during(work)
    workDoneAtMs = clock.now()
  })()
  const other = clock.sleep(1_000)
  const running = clock.run(Promise.all([main, other]))
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(clock.now()).toBe(0)
  finish()
  await running
  expect(workDoneAtMs).toBe(0)
  expect(clock.now()).toBe(1_000)
})

test('an aborted sleep rejects with the reason and is forgotten', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const sleeping = clock.sleep(1_000, stop.signal)
  stop.abort('enough')
  await expect(sleeping).rejects.toBe('enough')
  await clock.advance(2_000)
  expect(clock.now()).toBe(2_000)
})

test('waiting for something that never comes is an error, not a hang', async () => {
  const clock = new VirtualClock(0)
  await expect(clock.run(new Promise(() => undefined))).rejects.toThrow('nothing sleeps')
})

import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { failure } from '../outcome.ts'
import { pollEvery, type Reading } from './poll.ts'

describe('a poll', () => {
  it('tells value, age and problem, and a throw is a problem', async () => {
    const clock = new VirtualClock(1_000_000)
    const answers: (() => Promise<Reading<number>>)[] = [
      async () => ({ ok: true, value: 1 }),
      async () => failure('busy'),
      async () => Promise.reject(new Error('broken')),
    ]
    await using poll = pollEvery({ clock, intervalMs: 1_000, staleMs: 3_000, read: () => answers.shift()!() })
    expect(poll).toMatchObject({ value: undefined, atMs: 0, problem: 'not heard yet' })
    await clock.advance(0)
    expect(poll).toMatchObject({ value: 1, atMs: 1_000_000, problem: undefined })
    await clock.advance(1_000)
    expect(poll).toMatchObject({ value: 1, atMs: 1_000_000, problem: 'busy' })
    await clock.advance(1_000)
    expect(poll.problem).toBe('broken')
  })

  it('is stale when an answer does not come, and its end does not wait for one', async () => {
    const clock = new VirtualClock(0)
    let asked = 0
    const read = (): Promise<Reading<number>> =>
      asked++ === 0 ? Promise.resolve({ ok: true, value: 1 }) : new Promise(() => undefined)
    await using poll = pollEvery({ clock, intervalMs: 1_000, staleMs: 3_000, read })
    await clock.advance(3_000)
    expect(poll.problem).toBeUndefined()
    await clock.advance(1_000)
    expect(poll.problem).toBe('it has not answered for a while')
  })

  it('refreshes by a question that is asked after the call', async () => {
    const clock = new VirtualClock(0)
    let world = 'before'
    const read = async (): Promise<Reading<string>> => {
      const value = world
      await clock.sleep(100)
      return { ok: true, value }
    }
    await using poll = pollEvery({ clock, intervalMs: 1_000, staleMs: 3_000, read })
    await clock.advance(50)
    world = 'after'
    await clock.run(poll.refresh())
    expect(poll.value).toBe('after')
  })
})

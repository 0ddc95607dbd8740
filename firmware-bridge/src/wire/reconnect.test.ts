import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { memoryConnect } from './memory.ts'
import { backoffMs, defaultBackoff, keepConnected } from './reconnect.ts'
import type { Connect, Wire } from './wire.ts'

describe('backoff', () => {
  it('is uniform below a bound that doubles up to its limit (full jitter)', () => {
    const random = createRandom(1)
    for (const attempt of [0, 3, 6, 40]) {
      const bound = Math.min(defaultBackoff.longestMs, defaultBackoff.firstMs * 2 ** attempt)
      const waits = Array.from({ length: 4000 }, () => backoffMs(attempt, random))
      const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
      expect(Math.max(...waits)).toBeLessThanOrEqual(bound)
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(defaultBackoff.shortestMs)
      expect(Math.abs(mean / bound - 0.5)).toBeLessThan(0.03)
    }
  })
})

describe('a kept connection', () => {
  function keep(connect: Connect, clock: VirtualClock) {
    const log: string[] = []
    const connection = keepConnected(
      connect,
      {
        onOpen: () => void log.push(`${clock.monotonic()} open`),
        onBytes: (bytes) => void log.push(`${clock.monotonic()} < ${Buffer.from(bytes)}`),
        onClose: (reason) => void log.push(`${clock.monotonic()} ${reason}`),
      },
      { clock, random: { ...createRandom(1), next: () => 1 } },
    )
    return { log, connection }
  }

  it('opens again after ever longer waits, and says why it could not', async () => {
    const clock = new VirtualClock(0)
    let attempts = 0
    const connect: Connect = async () => {
      throw new Error(`no ${++attempts}`)
    }
    const { log, connection } = keep(connect, clock)
    await clock.advance(60_000)
    await connection[Symbol.asyncDispose]()
    expect(log.slice(0, 8)).toEqual([
      '0 no 1',
      '500 no 2',
      '1500 no 3',
      '3500 no 4',
      '7500 no 5',
      '15500 no 6',
      '31500 no 7',
    ])
    expect(attempts).toBe(7)
  })

  it('gives up an attempt that hangs', async () => {
    const clock = new VirtualClock(0)
    const { log, connection } = keep(() => new Promise(() => undefined), clock)
    await clock.advance(12_000)
    await connection[Symbol.asyncDispose]()
    expect(log).toEqual(['10000 no connection within 10 s'])
  })

  it('delivers what the far side says first, and starts the waits anew after a stable connection', async () => {
    const clock = new VirtualClock(0)
    const far: Wire[] = []
    const connect = memoryConnect((open) => {
      const wire = open({ onBytes: () => undefined, onClose: () => undefined })
      void wire.write(Buffer.from('hello'))
      far.push(wire)
    })
    const { log, connection } = keep(connect, clock)
    await clock.advance(1_000)
    await far[0]?.close()
    await clock.advance(20_000)
    await far[1]?.close()
    await clock.advance(600)
    await connection[Symbol.asyncDispose]()
    const gone = 'the far side closed the wire'
    expect(log).toEqual([
      '0 open',
      '0 < hello',
      `1000 ${gone}`,
      '1500 open',
      '1500 < hello',
      `21000 ${gone}`,
      '21500 open',
      '21500 < hello',
    ])
  })
})

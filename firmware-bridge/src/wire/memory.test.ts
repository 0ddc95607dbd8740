import { describe, expect, it } from 'vitest'
import { memoryConnect, memoryPair } from './memory.ts'
import type { Wire, WireHandlers } from './wire.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

function recorder(log: string[], who: string): WireHandlers {
  return {
    onBytes: (bytes) => void log.push(`${who} < ${text(bytes)}`),
    onClose: (reason) => void log.push(`${who} closed: ${reason}`),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a wire in memory', () => {
  it('carries bytes both ways in order and tells each end once that it closed', async () => {
    const log: string[] = []
    const [a, open] = memoryPair(recorder(log, 'a'))
    const early = a.write(Buffer.from('1'))
    const b = open(recorder(log, 'b'))
    await Promise.all([early, a.write(Buffer.from('2')), b.write(Buffer.from('3'))])
    void a.write(Buffer.from('last'))
    await a.close()
    await a.close()
    await turn()
    const heardBy = (who: string): string[] => log.filter((line) => line.startsWith(who))
    expect(heardBy('a')).toEqual(['a < 3', 'a closed: closed'])
    expect(heardBy('b')).toEqual(['b < 1', 'b < 2', 'b < last', 'b closed: the far side closed the wire'])
    await expect(a.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
    await expect(b.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'wire/closed' })
  })

  it('holds a write back while the reader is paused', async () => {
    const log: string[] = []
    const [a, open] = memoryPair(recorder(log, 'a'))
    const b = open(recorder(log, 'b'))
    b.pause()
    let written = false
    const write = a.write(Buffer.from('x')).then(() => (written = true))
    await turn()
    expect([written, log]).toEqual([false, []])
    b.resume()
    await write
    expect(log).toEqual(['b < x'])
  })

  it('copies what is written: the writer may use its buffer again', async () => {
    const log: string[] = []
    const [a, open] = memoryPair(recorder(log, 'a'))
    open(recorder(log, 'b'))
    const buffer = Buffer.from('x')
    const write = a.write(buffer)
    buffer.fill(0)
    await write
    expect(log).toEqual(['b < x'])
  })

  it('connects to anything that accepts wires', async () => {
    const log: string[] = []
    let far: Wire | undefined
    const connect = memoryConnect((open) => {
      far = open(recorder(log, 'server'))
    })
    const near = await connect(recorder(log, 'client'))
    await near.write(Buffer.from('hello'))
    await far?.close()
    await turn()
    expect(log).toEqual(['server < hello', 'server closed: closed', 'client closed: the far side closed the wire'])
  })
})

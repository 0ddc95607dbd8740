import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { memoryConnect } from './memory.ts'
import { createTap, type TapEntry } from './tap.ts'
import type { Wire } from './wire.ts'

/** A device that answers each chunk with itself in capitals. */
const echo = memoryConnect((open) => {
  const wire: Wire = open({
    onBytes: (bytes) => void wire.write(Buffer.from(Buffer.from(bytes).toString().toUpperCase())),
    onClose: () => undefined,
  })
}, 'memory mount')

const quiet = { onBytes: () => undefined, onClose: () => undefined }

describe('a tap on a wire', () => {
  it('shows what goes both ways, with its time, and leaves the bytes as they are', async () => {
    const clock = new VirtualClock(1_000)
    const tap = createTap('mount', clock)
    const seen: TapEntry[] = []
    const end = tap.subscribe((entry) => void seen.push(entry))
    const heard: string[] = []
    const wire = await tap.wrap(echo)({ ...quiet, onBytes: (bytes) => void heard.push(Buffer.from(bytes).toString()) })
    await wire.write(Buffer.from(':gr#\r\n\x06\xff', 'latin1'))
    await clock.advance(10)
    await wire.close()
    expect(heard[0]).toMatch(/^:GR#\r\n\x06/)
    const told = tap.latest().map(({ what, text }) => [what, text])
    expect(told.slice(0, 2)).toEqual([
      ['open', 'memory mount'],
      ['out', ':gr#\\r\\n\\x06ÿ'],
    ])
    expect(told.at(-1)).toEqual(['close', 'closed'])
    expect(seen).toEqual(tap.latest())
    expect(seen.map(({ atMs }) => atMs - 1_000)).toEqual(seen.map(({ what }) => (what === 'close' ? 10 : 0)))
    end?.()
    await tap.wrap(echo)(quiet)
    expect(seen).toHaveLength(tap.count - 1)
  })

  it('keeps only so many entries, and only the beginning of a long one', async () => {
    const tap = createTap('mount', new VirtualClock(0), { entries: 3, bytesPerEntry: 4, subscribers: 1 })
    const wire = await tap.wrap(echo)(quiet)
    for (let i = 0; i < 10; i++) await wire.write(Buffer.from(`line ${i}`))
    expect(tap.latest()).toHaveLength(3)
    expect(tap.latest().at(-1)).toMatchObject({ id: tap.count, bytes: 6, truncated: true })
    expect(tap.latest().at(-1)?.text).toHaveLength(4)
    expect(tap.latest(tap.count - 1)).toHaveLength(1)
    expect(tap.latest(tap.count)).toEqual([])
    expect(tap.subscribe(() => undefined)).toBeTypeOf('function')
    expect(tap.subscribe(() => undefined)).toBeUndefined()
  })

  it('holds a frame in one entry, so that it pushes nothing out', async () => {
    const tap = createTap('camera', new VirtualClock(0), { entries: 4, bulkBytes: 1_000 })
    const silent = memoryConnect((open) => void open({ ...quiet }), 'memory camera')
    const wire = await tap.wrap(silent)(quiet)
    await wire.write(Buffer.from('<newBLOB'))
    for (let i = 0; i < 100; i++) await wire.write(Buffer.alloc(1_000, 'A'))
    await wire.write(Buffer.from('</newBLOB>'))
    expect(tap.latest().map(({ what, bytes, truncated }) => [what, bytes, truncated])).toEqual([
      ['open', 0, false],
      ['out', 8, false],
      ['out', 100_000, true],
      ['out', 10, false],
    ])
    expect(tap.count).toBe(4)
  })
})

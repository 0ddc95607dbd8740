import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { memoryConnect } from './memory.ts'
import { describeTape, parseTape, type ReplayOptions, recordTape, replayTape } from './tape.ts'
import type { AttachedMemory, Connect, Wire } from './wire.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** A device that answers every question with its echo, one second later. */
function echoDevice(clock: VirtualClock) {
  return memoryConnect((open) => {
    const wire: Wire = open({
      onBytes: (bytes) => void clock.sleep(1000).then(() => wire.write(Buffer.from(`echo ${text(bytes)}`))),
      onClose: () => undefined,
    })
  }, 'echo')
}

async function recording(): Promise<string> {
  const clock = new VirtualClock(Date.UTC(2026, 10, 21))
  const lines: string[] = []
  const handlers = { onBytes: () => undefined, onClose: () => undefined }
  const wire = await recordTape(echoDevice(clock), (line) => lines.push(line), clock)(handlers)
  await wire.write(Buffer.from('a'))
  await clock.advance(3000)
  await wire.write(Buffer.from('b'))
  await clock.advance(3000)
  await wire.close()
  return `${lines.join('\n')}\n`
}

async function replay(tape: string, writes: readonly string[], options: ReplayOptions = {}): Promise<string[]> {
  const clock = new VirtualClock(0)
  const log: string[] = []
  const wire = await replayTape(
    parseTape(tape),
    clock,
    options,
  )({
    onBytes: (bytes) => void log.push(`${clock.monotonic()} ${text(bytes)}`),
    onClose: (reason) => void log.push(`${clock.monotonic()} ${reason}`),
  })
  for (const bytes of writes) await wire.write(Buffer.from(bytes))
  await clock.advance(60_000)
  return log
}

describe('a tape', () => {
  it('holds the time, direction and bytes of everything, and the end', async () => {
    const tape = parseTape(await recording())
    expect(tape.name).toBe('echo')
    expect(tape.startedAtMs).toBe(Date.UTC(2026, 10, 21))
    expect(tape.entries.map(({ ms, direction, bytes }) => [ms, direction, text(bytes)])).toEqual([
      [0, 'out', 'a'],
      [1000, 'in', 'echo a'],
      [3000, 'out', 'b'],
      [4000, 'in', 'echo b'],
    ])
    expect(tape.closed).toEqual({ ms: 6000, reason: 'closed' })
  })

  it('plays at its own times whatever is written, or faster', async () => {
    const tape = await recording()
    expect(await replay(tape, [])).toEqual(['1000 echo a', '4000 echo b', '6000 closed'])
    expect(await replay(tape, ['anything'], { speed: 2 })).toEqual(['500 echo a', '2000 echo b', '3000 closed'])
  })

  it('waits for the recorded commands when they must match, however they are cut', async () => {
    const tape = await recording()
    expect(await replay(tape, ['ab'], { mode: 'matched' })).toEqual(['1000 echo a', '4000 echo b', '6000 closed'])
    expect(await replay(tape, ['a'], { mode: 'matched' })).toEqual(['1000 echo a'])
    expect(await replay(tape, ['a', 'x'], { mode: 'matched' })).toEqual([
      '1000 echo a',
      '1000 the tape expected "b" and got "x"',
    ])
  })

  it('can be read by people', async () => {
    const lines = [...describeTape(parseTape(await recording()))]
    expect(lines[0]).toBe('echo, recorded 2026-11-21T00:00:00.000Z, 4 entries, 12 bytes in, 2 bytes out')
    expect(lines[2]).toBe('    1.000 s <        6 bytes  "echo a"')
  })

  it.each([
    ['', 'line 1'],
    ['{"tape":2}', 'line 1'],
    ['{"tape":1,"name":"x","startedAtMs":0}\n{"ms":-1,"direction":"in","bytes":""}', 'line 2'],
    ['{"tape":1,"name":"x","startedAtMs":0}\nnot json', 'line 2'],
    ['{"tape":1,"name":"x","startedAtMs":0}\nnull', 'line 2'],
  ])('that is damaged names the line: %j', (damaged, line) => {
    expect(() => parseTape(damaged)).toThrow(line)
  })

  it('keeps memory that came beside the bytes, and hands it over again', async () => {
    const clock = new VirtualClock(0)
    const lines: string[] = []
    const content = Buffer.from('a frame\0\0')
    const closed: string[] = []
    const memory = (): AttachedMemory => ({
      sizeBytes: content.length,
      read: (bytes) => content.subarray(0, bytes),
      close: () => void closed.push('closed'),
    })
    const device: Connect = async (handlers) => {
      queueMicrotask(() => {
        handlers.onAttached?.(memory())
        handlers.onBytes(Buffer.from('here'))
      })
      return {
        name: 'unix',
        write: async () => undefined,
        pause: () => undefined,
        resume: () => undefined,
        close: async () => handlers.onClose('closed'),
      }
    }
    const heard: string[] = []
    const listen = {
      onBytes: (bytes: Uint8Array) => void heard.push(Buffer.from(bytes).toString()),
      onAttached: (attached: AttachedMemory) => void heard.push(`memory ${Buffer.from(attached.read(99)).toString()}`),
      onClose: () => undefined,
    }
    const wire = await recordTape(device, (line) => void lines.push(line), clock)(listen)
    await clock.advance(10)
    await wire.close()
    await replayTape(parseTape(lines.join('\n')), clock)(listen)
    await clock.advance(10)
    expect(heard).toEqual(['memory a frame\0\0', 'here', 'memory a frame\0\0', 'here'])
    await recordTape(device, () => undefined, clock)({ onBytes: () => undefined, onClose: () => undefined })
    await clock.advance(10)
    expect(closed).toEqual(['closed'])
  })
})

import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { createCompute } from './compute.ts'
import { band } from './helpers.ts'
import { loadKernels } from './kernels/kernels.ts'

describe('the pixel memory', () => {
  it('gives zeroed planes, also where something was before', () => {
    using compute = createCompute({ threads: 1 })
    {
      using _scope = compute.scope()
      compute.float32(100, 100).data.fill(7)
    }
    expect(compute.float32(100, 100).data.every((value) => value === 0)).toBe(true)
  })

  it('gives back what a scope allocated and remembers the peak', () => {
    using compute = createCompute({ threads: 1 })
    const before = compute.usage().bytes
    {
      using _scope = compute.scope()
      compute.float32(512, 512)
      expect(compute.usage().bytes).toBeGreaterThanOrEqual(before + 512 * 512 * 4)
    }
    expect(compute.usage().bytes).toBe(before)
    expect(compute.usage().peakBytes).toBeGreaterThanOrEqual(512 * 512 * 4)
  })

  it('aligns every allocation for vectors', () => {
    using compute = createCompute({ threads: 1 })
    for (const size of [1, 3, 17, 1000]) expect(compute.uint8(size, 1).pointer % 16).toBe(0)
  })

  it('keeps planes valid when the memory grows', () => {
    using compute = createCompute({ threads: 1 })
    const early = compute.float32(4, 4)
    early.data[3] = 5
    compute.allocate(64 * 1024 * 1024)
    compute.rows('decodeF32', 4, [early.pointer, early.pointer, 4, 1, 0])
    expect(new DataView(early.data.buffer, early.pointer).getFloat32(12)).toBe(5)
  })

  it('says how much is needed when the limit is reached', () => {
    using compute = createCompute({ threads: 1, maximumBytes: 8 * 1024 * 1024 })
    expect(() => compute.float32(2000, 2000)).toThrow(/would need 16 MiB but may have 8 MiB/)
    expect(compute.float32(100, 100).data.length).toBe(10_000)
    expect(() => compute.float32(2.5, 4)).toThrow(/whole, positive size/)
  })

  it('refuses scopes that are closed out of order', () => {
    using compute = createCompute({ threads: 1 })
    const outer = compute.scope()
    compute.scope()
    expect(() => outer[Symbol.dispose]()).toThrow(/reverse order/)
  })
})

describe('rows', () => {
  it('are covered once by the bands of any number of threads', () => {
    for (const [threads, rows, align] of [
      [1, 5, 1],
      [2, 5, 1],
      [3, 100, 8],
      [7, 3, 1],
      [4, 30, 8],
    ] as const) {
      const seen = Array.from({ length: threads }, (_, thread) => band(thread, threads, rows, align))
      expect(seen[0]?.[0]).toBe(0)
      expect(seen.at(-1)?.[1]).toBe(rows)
      seen.forEach(([from], index) => {
        if (index > 0) expect(from).toBe(seen[index - 1]?.[1])
        if (from < rows) expect(from % align).toBe(0)
      })
    }
  })

  it('run on every thread, many times over', () => {
    using compute = createCompute({ threads: 3 })
    const plane = compute.float32(16, 64)
    const raw = compute.allocate(16 * 64)
    const bytes = new Uint8Array(compute.memory.buffer, raw, 16 * 64)
    for (let round = 1; round <= 200; round++) {
      bytes.fill(round)
      compute.rows('decodeU8', 64, [raw, plane.pointer, 16, 2, 1, -1])
      expect(plane.data.every((value) => value === 2 * round + 1)).toBe(true)
    }
  })

  it.each([1, 2])('report a bad pointer on %i threads and go on working', (threads) => {
    using compute = createCompute({ threads })
    const plane = compute.float32(8, 8)
    expect(() => compute.rows('decodeF32', 8, [0xfffff000, plane.pointer, 8, 1, 0])).toThrow(/kernel decodeF32 failed/)
    compute.rows('decodeF32', 8, [plane.pointer, plane.pointer, 8, 1, 0])
  })

  it('are refused after disposal', () => {
    const compute = createCompute({ threads: 2 })
    compute[Symbol.dispose]()
    expect(() => compute.rows('decodeF32', 8, [])).toThrow(/disposed/)
  })

  it('work inside a worker thread', async () => {
    const module = new URL('./compute.ts', import.meta.url).href
    const code = `
      import { parentPort } from 'node:worker_threads'
      const { createCompute } = await import(${JSON.stringify(module)})
      using compute = createCompute({ threads: 2 })
      const plane = compute.float32(4, 4)
      compute.rows('decodeU8', 4, [compute.allocate(16), plane.pointer, 4, 1, 9, -1])
      parentPort.postMessage(Math.min(...plane.data) >= 9)`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    await worker.terminate()
    expect(answer).toBe(true)
  })

  it('refuse a count of threads that makes no sense', () => {
    expect(() => createCompute({ threads: 0 })).toThrow(/threads must be/)
    expect(() => createCompute({ threads: 1.5 })).toThrow(/threads must be/)
  })
})

describe('the kernels', () => {
  it('say how to build them when they are missing', () => {
    expect(() => loadKernels('/nowhere/kernels.wasm')).toThrow(/node scripts\/build-kernels.ts/)
  })
})

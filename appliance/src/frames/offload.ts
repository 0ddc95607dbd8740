import { Worker } from 'node:worker_threads'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Compute } from './compute.ts'

/**
 * Pixel work leaves the daemon's event loop here. A task is a pure function `(compute, input) → output` named by its
 * module and export, so this file knows no stage; input and output are plain data that survive structured cloning.
 */
export type PixelTask<I, O> = (compute: Compute, input: I) => O | Promise<O>

/** Which exported function to call. Make one with `taskIn`. */
export interface TaskReference<I, O> {
  readonly module: string
  readonly name: string
  /** Carries the types; never set. */
  readonly types?: PixelTask<I, O>
}

/** Names an exported task: `taskIn<typeof tasks, 'calibrateTask'>(import.meta.resolve('./task.ts'), 'calibrateTask')`. */
export function taskIn<M, N extends keyof M & string>(
  module: string,
  name: N,
): M[N] extends PixelTask<infer I, infer O> ? TaskReference<I, Awaited<O>> : never {
  return { module, name } as never
}

/** Runs one task at a time, in the order asked. */
export interface Offload extends AsyncDisposable {
  run<I, O>(task: TaskReference<I, O>, input: I): Promise<O>
}

/** A request to the worker and its answer. */
export interface OffloadRequest {
  readonly id: number
  readonly module: string
  readonly name: string
  readonly input: unknown
}
export type OffloadReply =
  | { readonly id: number; readonly ok: true; readonly output: unknown }
  | {
      readonly id: number
      readonly ok: false
      readonly message: string
      readonly code: string | undefined
      readonly stack: string | undefined
    }

/** Runs tasks on this thread: for the command line, tests and the virtual night. */
export function offloadInline(compute: Compute): Offload {
  return {
    async run(task, input) {
      const loaded = (await import(task.module)) as Record<string, PixelTask<unknown, never>>
      const run = loaded[task.name]
      if (!run) throw new TypeError(`${task.module} exports no ${task.name}`)
      using _scratch = compute.scope()
      return await run(compute, input)
    },
    async [Symbol.asyncDispose]() {
      compute[Symbol.dispose]()
    },
  }
}

/** A worker that has had nothing to do for so long is ended: its memory is the largest part of an idle daemon. */
const idleMs = 30_000

/**
 * Runs tasks in a worker thread with `threads` threads of compute, started when it is needed. A worker that dies fails its
 * tasks and is replaced at the next.
 */
export function offloadToWorker(threads: number, clock: Clock): Offload {
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let nextId = 1
  let worker: Worker | undefined
  let resting = new AbortController()

  function start(): Worker {
    const fresh = new Worker(new URL('./offloadWorker.ts', import.meta.url), { workerData: { threads } })
    fresh.on('message', (reply: OffloadReply) => settle(reply))
    fresh.on('error', (error) => lose(fresh, error instanceof Error ? error : new Error(String(error))))
    fresh.on('exit', (code) => lose(fresh, new Error(`the pixel worker ended with code ${code}`)))
    return fresh
  }

  function settle(reply: OffloadReply): void {
    const task = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (waiting.size === 0) void endWhenIdle()
    if (reply.ok) return task?.resolve(reply.output as never)
    const error = Object.assign(new Error(reply.message), { code: reply.code })
    if (reply.stack) error.stack = reply.stack
    task?.reject(error)
  }

  /** Only the worker in use can lose tasks; one that was ended on purpose has none. */
  function lose(which: Worker, error: Error): void {
    if (which !== worker) return
    worker = undefined
    for (const task of waiting.values()) task.reject(error)
    waiting.clear()
  }

  async function endWhenIdle(): Promise<void> {
    resting = new AbortController()
    const { signal } = resting
    await clock.sleep(idleMs, signal).catch(() => undefined)
    if (!signal.aborted) await end()
  }

  async function end(): Promise<void> {
    const old = worker
    worker = undefined
    await old?.terminate()
  }

  return {
    run(task, input) {
      resting.abort()
      worker ??= start()
      const target = worker
      return new Promise((resolve, reject) => {
        const id = nextId++
        waiting.set(id, { resolve, reject })
        target.postMessage({ id, module: task.module, name: task.name, input } satisfies OffloadRequest)
      })
    },
    async [Symbol.asyncDispose]() {
      resting.abort()
      for (const task of waiting.values()) task.reject(new Error('the pixel worker was closed'))
      waiting.clear()
      await end()
    },
  }
}

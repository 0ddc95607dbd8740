import { Worker } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import type { Reading } from '../devices/poll.ts'
import { failure } from '../outcome.ts'
import type { CameraAddress, OnvifAnswer, OnvifQuestion, OnvifResults } from './messages.ts'

/** A camera's services, asked in a thread that is thrown away when it fails or falls silent. */
export interface OnvifClient extends AsyncDisposable {
  ask<Method extends keyof OnvifResults>(
    question: Omit<Extract<OnvifQuestion, { method: Method }>, 'id'> & { readonly method: Method },
  ): Promise<Reading<OnvifResults[Method]>>
}

/** Connecting takes eight requests of a slow camera. */
const defaultQuestionMs = 20_000
/** A camera that sends without end costs its thread this much, and then its life. */
const mostHeapMegabytes = 64

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, (answer: Reading<unknown>) => void>
}

/** The library's own words are made clearer where people meet them. */
function explain(reason: string): string {
  if (reason.includes('ECONNREFUSED')) return 'nothing listens there: correct the address or the port of the camera'
  if (/not ?authorized|unauthorized|digest authentication failed/i.test(reason)) {
    return 'the camera does not take the user name and password'
  }
  if (/Wrong ONVIF SOAP response|^Cannot read properties/.test(reason)) {
    return 'it answers, but not as an ONVIF camera does'
  }
  return reason
}

export function createOnvifClient(address: CameraAddress, clock: Clock, questionMs = defaultQuestionMs): OnvifClient {
  let thread: Thread | undefined
  let nextId = 1

  function end(one: Thread, reason: string): void {
    if (thread === one) thread = undefined
    for (const settle of one.waiting.values()) settle(failure(reason))
    one.waiting.clear()
    void one.worker.terminate()
  }

  function start(): Thread {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: address,
      resourceLimits: { maxOldGenerationSizeMb: mostHeapMegabytes },
    })
    worker.unref()
    const one: Thread = { worker, waiting: new Map() }
    worker.on('message', (answer: OnvifAnswer) => {
      one.waiting.get(answer.id)?.(answer.ok ? answer : failure(explain(answer.reason)))
      one.waiting.delete(answer.id)
    })
    worker.on('error', (error) => end(one, `the camera’s answer broke its reader: ${error.message}`))
    worker.on('exit', () => end(one, 'the camera’s reader has ended'))
    return one
  }

  async function ask(question: Omit<OnvifQuestion, 'id'>): Promise<Reading<unknown>> {
    const one = (thread ??= start())
    const id = nextId++
    const answered = new Promise<Reading<unknown>>((resolve) => void one.waiting.set(id, resolve))
    one.worker.postMessage({ ...question, id })
    const over = new AbortController()
    const late = clock.sleep(questionMs, over.signal).then(
      () => {
        end(one, `the camera did not answer within ${questionMs / 1000} s`)
        return answered
      },
      () => answered,
    )
    try {
      return await clock.during(Promise.race([answered, late]))
    } finally {
      over.abort()
    }
  }

  return {
    ask: ask as OnvifClient['ask'],
    async [Symbol.asyncDispose]() {
      const one = thread
      if (!one) return
      end(one, 'disposed')
      await one.worker.terminate()
    },
  }
}

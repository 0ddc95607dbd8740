import { parentPort, workerData } from 'node:worker_threads'
import { createCompute } from './compute.ts'
import type { OffloadReply, OffloadRequest } from './offload.ts'
import { offloadInline } from './offload.ts'

/** The thread behind `offloadToWorker`: one compute, one task at a time. */
const { threads } = workerData as { threads: number }
const tasks = offloadInline(createCompute({ threads }))
let last: Promise<void> = Promise.resolve()

async function answer(request: OffloadRequest): Promise<void> {
  let reply: OffloadReply
  try {
    reply = {
      id: request.id,
      ok: true,
      output: await tasks.run({ module: request.module, name: request.name }, request.input),
    }
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : undefined
    reply = { id: request.id, ok: false, message: failure.message, code, stack: failure.stack }
  }
  parentPort?.postMessage(reply)
}

parentPort?.on('message', (request: OffloadRequest) => {
  last = last.then(() => answer(request))
})

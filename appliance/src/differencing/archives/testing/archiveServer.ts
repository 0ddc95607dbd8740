import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { downloadLimits } from '../download.ts'

export type Answer = (url: URL, request: IncomingMessage, response: ServerResponse) => void

/** A real HTTP server on this machine that answers as a test says. */
export async function archiveServer(answer: Answer): Promise<AsyncDisposable & { url: string; asked: URL[] }> {
  const asked: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    asked.push(url)
    answer(url, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Waits between tries take no time and are noted; the limit of a try is reached when the test says so. */
export class PatientClock implements Clock {
  readonly waits: number[] = []
  #reach: (() => void) | undefined
  #now = Date.UTC(2026, 10, 21, 20)

  /** No two moments are the same. */
  now(): number {
    return this.#now++
  }

  monotonic(): number {
    return 0
  }

  during<T>(work: Promise<T>): Promise<T> {
    return work
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== downloadLimits.tryMs) {
      this.waits.push(ms)
      return
    }
    await new Promise<void>((resolve, reject) => {
      this.#reach = resolve
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  reachLimit(): void {
    this.#reach?.()
  }
}

import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborting it lets the body of this request take its time: a handler's word, once it knows who asks. */
    bodyDeadline: AbortController | undefined
  }
}

/** Cuts the connection of a request whose body is not here after `limitMs`. */
export function cutSlowBodies(app: FastifyInstance, clock: Clock, limitMs: number): void {
  app.decorateRequest('bodyDeadline', undefined)
  app.addHook('onRequest', async (request) => {
    const { raw, headers } = request
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
    const ended = new AbortController()
    request.bodyDeadline = ended
    for (const event of ['end', 'close']) raw.once(event, () => ended.abort())
    const cut = (): void => void raw.destroy()
    void clock.sleep(limitMs, ended.signal).then(cut, () => undefined)
  })
}

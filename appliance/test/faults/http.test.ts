import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureCertificate, ensureToken } from '../../src/central/credentials.ts'
import type { Reply } from '../../src/forwarding/destination.ts'
import { createHttpsDestination, httpLimits } from '../../src/forwarding/http.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

/** What each receiver answers: anything that real ones, proxies and hotel networks have been seen to. */

const nowMs = Date.UTC(2026, 10, 21, 12, 0, 0)
const stack = new AsyncDisposableStack()
let server: Server
let folder: string
let caFile: string
let answer: (request: IncomingMessage, response: ServerResponse) => void

beforeAll(async () => {
  folder = stack.use(temporaryFolder()).path
  const { key, cert, caPath } = await ensureCertificate(folder, systemClock)
  caFile = caPath
  server = createServer({ key, cert }, (request, response) => {
    request.resume()
    request.on('end', () => answer(request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await stack.disposeAsync()
})

async function send(reply: typeof answer, change: { url?: string; tokenFile?: string } = {}): Promise<Reply> {
  answer = reply
  const { tokenPath } = await ensureToken(folder)
  const { port } = server.address() as AddressInfo
  const settings = { name: 'x', url: `https://127.0.0.1:${port}/v1/alerts`, tokenFile: tokenPath, caFile, ...change }
  await using destination = createHttpsDestination(settings, () => nowMs)
  return await destination.send(['{"eventId":"1"}', '{"eventId":"2"}'])
}

const status = (code: number, headers: Record<string, string> = {}, body = '') =>
  send((_, response) => response.writeHead(code, headers).end(body))

describe('an answer over HTTPS', () => {
  it('comes to a request with the token and the whole batch', async () => {
    let seen: unknown
    await send((request, response) => {
      seen = { method: request.method, url: request.url, authorization: request.headers.authorization }
      response.end('{}')
    })
    const token = readFileSync(`${folder}/central.token`, 'utf8').trim()
    expect(seen).toEqual({ method: 'POST', url: '/v1/alerts', authorization: `Bearer ${token}` })
  })

  it.each([400, 413, 422])('%i is a refusal, with what it says', async (code) => {
    expect(await status(code, {}, '{"message":"raDeg is wrong"}')).toEqual({
      kind: 'refused',
      reason: `${code} raDeg is wrong`,
    })
  })

  it.each([401, 403])('%i is a matter of the token', async (code) => {
    expect(await status(code, {}, 'not JSON')).toEqual({ kind: 'unauthorised', reason: `${code}` })
  })

  it.each([302, 404, 408, 429, 500, 502, 503])('%i means later', async (code) => {
    expect(await status(code, { location: 'http://elsewhere.example' })).toEqual({ kind: 'later', reason: `${code}` })
  })

  it.each([
    ['seconds', '120', 120_000],
    ['a date', 'Sat, 21 Nov 2026 12:05:00 GMT', 300_000],
    ['a date that is past', 'Sat, 21 Nov 2026 11:00:00 GMT', undefined],
    ['nonsense', 'soon', undefined],
    ['a year', '31536000', httpLimits.longestRetryAfterMs],
  ])('with Retry-After as %s is obeyed within reason', async (_, header, retryAfterMs) => {
    const expected = { kind: 'later', reason: '503', ...(retryAfterMs !== undefined && { retryAfterMs }) }
    expect(await status(503, { 'retry-after': header })).toEqual(expected)
  })

  it.each(['', '<html>Welcome to Hotel Wi-Fi</html>', '{}', '{"receipts":[{"eventId":1}]}', 'null'])(
    '200 with %j is no receipt',
    async (body) => {
      expect(await status(200, {}, body)).toMatchObject({
        kind: 'later',
        reason: expect.stringMatching(/without receipts/),
      })
    },
  )

  it('without end is cut off', async () => {
    const endless = (_: IncomingMessage, response: ServerResponse) => {
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(1 << 16), more)
      }
      more()
    }
    expect(await send(endless)).toMatchObject({ kind: 'later' })
  })

  it('that breaks off means later', async () => {
    const broken = await send((_, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"receipts":')
      response.socket?.destroy()
    })
    expect(broken).toMatchObject({ kind: 'later' })
  })

  it('that never comes, a token that is not there and a name that does not resolve mean later, and say why', async () => {
    expect(await send((_, response) => response.socket?.destroy())).toMatchObject({ kind: 'later' })
    expect(await send(() => undefined, { tokenFile: `${folder}/no.token` })).toMatchObject({
      kind: 'later',
      reason: expect.stringMatching(/ENOENT.*no\.token/),
    })
    const nowhere = await send(() => undefined, { url: 'https://nowhere.invalid/v1/alerts' })
    expect(nowhere).toMatchObject({
      kind: 'later',
      reason: expect.stringMatching(/nowhere\.invalid|ENOTFOUND|EAI_AGAIN/),
    })
  })
})

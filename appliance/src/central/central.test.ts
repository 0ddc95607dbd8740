import { statSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock, VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../store/testing/samples.ts'
import { centralLimits } from './central.ts'
import { ensureCertificate, ensureToken } from './credentials.ts'
import { sampleEnvelope, startTestCentral, type TestCentral } from './testing/receivers.ts'

const stack = new AsyncDisposableStack()
let folder: string
let receiver: TestCentral
let agent: Agent
beforeAll(async () => {
  folder = stack.use(temporaryFolder()).path
  receiver = stack.use(await startTestCentral(folder))
  agent = stack.adopt(new Agent({ connect: { ca: receiver.cert } }), (opened) => opened.destroy())
})
afterAll(() => stack.disposeAsync())

async function call(method: 'GET' | 'POST', path: string, body?: unknown, token = receiver.token) {
  const response = await request(`${receiver.central.url}${path}`, {
    method,
    dispatcher: agent,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.statusCode, body: (await response.body.json()) as Record<string, unknown> }
}

describe('the central catalogue', () => {
  it('answers nothing without the token, except that it is well', async () => {
    expect(await call('GET', '/v1/health', undefined, 'no')).toMatchObject({ status: 200, body: { ok: true } })
    for (const [method, path] of [
      ['POST', '/v1/alerts'],
      ['GET', '/v1/objects?ra=1&dec=1&radius=1'],
      ['GET', `/v1/alerts/${'1'.repeat(64)}`],
    ] as const) {
      expect(await call(method, path, method === 'POST' ? { alerts: [] } : undefined, 'no')).toMatchObject({
        status: 401,
        body: { code: 'central/token' },
      })
    }
  })

  it('takes alerts, gives receipts and finds what it took', async () => {
    const sent = await call('POST', '/v1/alerts', { alerts: [sampleEnvelope()] })
    expect(sent).toMatchObject({ status: 200, body: { receipts: [{ rev: 1, outcome: 'stored' }] } })
    expect(await call('GET', `/v1/alerts/${sampleEnvelope().eventId}`)).toEqual({ status: 200, body: sampleEnvelope() })
    const cone = await call('GET', '/v1/objects?ra=10.6848&dec=41.2688&radius=0.01')
    expect(cone.body).toMatchObject({ objects: [{ alerts: 1, eventIds: [sampleEnvelope().eventId] }] })
    expect((await call('GET', `/v1/alerts/${'f'.repeat(64)}`)).status).toBe(404)
  })

  it.each([
    ['not JSON', '{"alerts":', 400],
    ['no alerts', { alerts: [] }, 422],
    ['a place off the sky', { alerts: [sampleEnvelope({ raDeg: 360 })] }, 422],
    ['a probability above one', { alerts: [sampleEnvelope({ probability: 1.01 })] }, 422],
    ['an event id that is none', { alerts: [sampleEnvelope({ eventId: 'x' })] }, 422],
    ['too many at once', { alerts: Array.from({ length: 101 }, () => sampleEnvelope()) }, 422],
    ['more than it reads', `"${'x'.repeat(centralLimits.bodyBytes + 1)}"`, 413],
  ])('refuses %s', async (_, body, status) => {
    const answer = await call('POST', '/v1/alerts', body)
    expect(answer.status).toBe(status)
    expect(answer.body.message).toEqual(expect.any(String))
  })

  it.each([
    '',
    '?ra=1&dec=1',
    '?ra=x&dec=1&radius=1',
    '?ra=1&dec=91&radius=1',
    '?ra=1&dec=1&radius=11',
    '?ra=&dec=1&radius=1',
  ])('refuses the cone %j, naming the number that is wrong', async (query) => {
    const answer = await call('GET', `/v1/objects${query}`)
    expect(answer).toMatchObject({ status: 400, body: { code: 'central/cone' } })
    expect(answer.body.message).toMatch(/^(ra|dec|radius) must be a number/)
  })

  it('is not believed by who trusts another authority', async () => {
    using elsewhere = temporaryFolder()
    const other = await ensureCertificate(elsewhere.path, systemClock)
    const dispatcher = new Agent({ connect: { ca: other.cert } })
    await expect(request(`${receiver.central.url}/v1/health`, { dispatcher })).rejects.toThrow(/self-signed|verify/)
    await dispatcher.destroy()
  })
})

describe('credentials', () => {
  it('are made once, secret ones for their owner only', async () => {
    const again = await ensureCertificate(folder, systemClock)
    expect(again.cert).toBe(receiver.cert)
    expect((await ensureToken(folder)).token).toBe(receiver.token)
    for (const name of ['central.key', 'central.token']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
  })

  it('are renewed before they end, and when the host is called otherwise', async () => {
    using other = temporaryFolder()
    const nowMs = systemClock.now()
    const first = await ensureCertificate(other.path, new VirtualClock(nowMs))
    const later = await ensureCertificate(other.path, new VirtualClock(nowMs + 3640 * 86_400_000))
    expect(later.cert).not.toBe(first.cert)
    const named = await ensureCertificate(other.path, new VirtualClock(nowMs), ['central.example'])
    expect(named.cert).not.toBe(first.cert)
  })
})

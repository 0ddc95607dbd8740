import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Role } from '../contract/records.ts'
import { roleCovers } from '../contract/roles.ts'
import { sessionIdleMs } from './auth/sessions.ts'
import { createSetupCode } from './auth/setupCode.ts'
import { buildApp } from './server.ts'
import { fillNight, openTestDaemon, type TestDaemon, testNightMs } from './testing/observatory.ts'
import { clientOf, loginAs, postTo, testPassword, testSetupCode } from './testing/panelClient.ts'

let folder: string
let clock: VirtualClock
let daemon: TestDaemon
let app: Awaited<ReturnType<typeof buildApp>>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-server-'))
  const webFolder = join(folder, 'web')
  mkdirSync(join(webFolder, 'assets'), { recursive: true })
  writeFileSync(join(webFolder, 'index.html'), '<!doctype html><title>panel</title>')
  writeFileSync(join(webFolder, 'assets', 'a.js'), 'console.log(1)')
  writeFileSync(join(folder, 'secret.html'), 'secret')
  symlinkSync(join(folder, 'secret.html'), join(webFolder, 'leak.html'))
  clock = new VirtualClock(testNightMs)
  daemon = openTestDaemon(join(folder, 'data'), clock)
  app = await buildApp(daemon, { webFolder, setupCode: testSetupCode })
  await app.ready()
})

afterEach(async () => {
  await app.close()
  daemon[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

const setupBody = { code: testSetupCode.toLowerCase(), username: 'ada', password: testPassword }
const typesSince = (seq: number): string[] => daemon.store.events(seq, 100).map((event) => event.type)

/** A url of a route with its parameters filled in. */
const example = (url: string): string => url.replace(':stamp', 'science').replaceAll(/:\w+/g, 'x-1').replace('/*', '/')

test('only health, set-up, login and the panel shell answer without login', () => {
  const open = app.guarded.filter((route) => route.access === 'anyone').map(({ method, url }) => `${method} ${url}`)
  expect(open.sort()).toEqual(['GET /*', 'GET /api/health', 'GET /api/setup', 'POST /api/login', 'POST /api/setup'])
})

test('every other route refuses who is not logged in', async () => {
  const closed = app.guarded.filter((route) => route.access !== 'anyone')
  expect(closed.length).toBeGreaterThan(18)
  for (const { method, url } of closed) {
    const headers = { host: 'localhost:80', origin: 'http://localhost:80' }
    const answer = await app.inject({ method: method as 'GET', url: example(url), headers })
    expect([method, url, answer.statusCode, answer.json().code]).toEqual([method, url, 401, 'login/needed'])
  }
})

test('every route refuses a role that is too low', async () => {
  for (const role of ['viewer', 'operator', 'curator'] satisfies Role[]) {
    const client = await loginAs(app, daemon, role)
    for (const { method, url, access } of app.guarded) {
      if (access === 'anyone' || roleCovers(role, access)) continue
      const answer = await (method === 'DELETE' ? client.remove(example(url)) : client.post(example(url)))
      expect([role, method, url, answer.statusCode, answer.json().code]).toEqual([
        role,
        method,
        url,
        403,
        'role/missing',
      ])
    }
  }
  expect(daemon.asked).toEqual([])
})

test('an unknown address is told nothing more than that', async () => {
  const answer = await app.inject({ url: '/api/nothing', headers: { host: 'localhost' } })
  expect([answer.statusCode, answer.json().code]).toEqual([404, 'request/unknown'])
})

test('the set-up code makes the first administrator, once', async () => {
  expect((await app.inject({ url: '/api/setup', headers: { host: 'localhost' } })).json()).toEqual({ needed: true })
  const answer = await postTo(app, '/api/setup', setupBody)
  expect(answer.statusCode).toBe(200)
  const cookie = answer.headers['set-cookie'] as string
  expect(cookie).toMatch(/^nightjar=[\w-]{43}; /)
  expect(cookie).toContain('HttpOnly; SameSite=Strict')
  const ada = clientOf(app, answer)
  expect((await ada.get('/api/session')).json()).toMatchObject({ username: 'ada', role: 'admin' })
  expect((await postTo(app, '/api/setup', setupBody)).json().code).toBe('setup/done')
  expect(typesSince(0)).toEqual(['user.created', 'user.loggedIn'])
  expect(daemon.store.account('ada')!.passwordHash).toMatch(/^\$argon2id\$v=19\$m=47104,t=1,p=1\$/)
})

test('a wrong code is refused, journalled, and limited to five a minute', async () => {
  const wrong = { ...setupBody, code: createSetupCode() }
  for (let i = 0; i < 5; i++) expect((await postTo(app, '/api/setup', wrong)).json().code).toBe('setup/code')
  const limited = await postTo(app, '/api/setup', setupBody)
  expect([limited.statusCode, limited.headers['retry-after']]).toEqual([429, '60'])
  expect(typesSince(0)).toEqual(Array(5).fill('login.refused'))
  await clock.advance(60_000)
  expect((await postTo(app, '/api/setup', setupBody)).statusCode).toBe(200)
})

test('short, common and own-name passwords are refused', async () => {
  const tryOne = async (password: string) => (await postTo(app, '/api/setup', { ...setupBody, password })).json().code
  expect(await tryOne('short')).toBe('request/invalid')
  expect(await tryOne('password123')).toBe('password/weak')
  expect(await tryOne('aaabbbaaabbb')).toBe('password/weak')
  expect(daemon.store.accountCount()).toBe(0)
})

test('login tells a wrong password and an unknown name apart for nobody', async () => {
  await loginAs(app, daemon, 'viewer')
  const wrong = await postTo(app, '/api/login', { username: 'a-viewer', password: 'not this one' })
  const unknown = await postTo(app, '/api/login', { username: 'nobody', password: 'not this one' })
  expect(wrong.statusCode).toBe(401)
  expect(wrong.json()).toEqual(unknown.json())
  const reasons = daemon.store
    .events(0, 10)
    .flatMap((event) => (event.type === 'login.refused' ? [event.body.reason] : []))
  expect(reasons).toEqual(['wrong password', 'no such account'])
})

test('the sixth login in a minute waits, even with the right password', async () => {
  await loginAs(app, daemon, 'viewer')
  for (let i = 0; i < 4; i++) await postTo(app, '/api/login', { username: 'x', password: 'y' })
  await expect(loginAs(app, daemon, 'viewer')).rejects.toThrow(/too many tries/)
  await clock.advance(60_000)
  await loginAs(app, daemon, 'viewer')
})

test('a change needs our own origin and the token of the session', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const code = async (headers: Record<string, string>) =>
    (await client.post('/api/night/stop', undefined, headers)).json().code
  expect(await code({ origin: 'https://evil.example' })).toBe('request/origin')
  expect(await code({ 'x-csrf-token': 'guess' })).toBe('request/token')
  expect(await code({ host: 'evil.example', origin: 'http://evil.example' })).toBe('request/host')
  expect(daemon.asked).toEqual([])
  expect((await client.post('/api/night/stop')).json()).toEqual({ ok: true })
  expect(daemon.asked).toEqual(['stop a-operator'])
})

test('a refused command says why', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const answer = await client.post('/api/night/start')
  expect([answer.statusCode, answer.json()]).toEqual([
    409,
    { code: 'night/refused', message: 'the night is running already' },
  ])
})

test('a session ends by logout, by idling and after seven days', async () => {
  const leaving = await loginAs(app, daemon, 'viewer')
  await leaving.post('/api/logout')
  expect((await leaving.get('/api/session')).statusCode).toBe(401)
  const idle = await loginAs(app, daemon, 'viewer')
  await clock.advance(sessionIdleMs - 1000)
  expect((await idle.get('/api/session')).statusCode).toBe(200)
  await clock.advance(sessionIdleMs)
  expect((await idle.get('/api/session')).statusCode).toBe(401)
  const busy = await loginAs(app, daemon, 'viewer')
  for (let hours = 0; hours < 7 * 24 - 10; hours += 10) {
    await clock.advance(10 * 3_600_000)
    expect((await busy.get('/api/session')).statusCode).toBe(200)
  }
  await clock.advance(10 * 3_600_000)
  expect((await busy.get('/api/session')).statusCode).toBe(401)
})

test('logging in again ends the session that the browser held', async () => {
  const first = await loginAs(app, daemon, 'viewer')
  const again = { username: 'a-viewer', password: testPassword }
  const second = clientOf(app, await postTo(app, '/api/login', again, { cookie: first.cookie }))
  expect((await first.get('/api/session')).statusCode).toBe(401)
  expect((await second.get('/api/session')).statusCode).toBe(200)
})

test('an administrator makes accounts; the same name twice is refused', async () => {
  const admin = await loginAs(app, daemon, 'admin')
  const body = { username: 'grace', password: testPassword, role: 'curator' }
  expect((await admin.post('/api/accounts', body)).json()).toEqual({ username: 'grace', role: 'curator' })
  expect((await admin.post('/api/accounts', body)).json().code).toBe('account/exists')
})

test('a stored night is listed, paged and served as files', async () => {
  fillNight(daemon, 6)
  const client = await loginAs(app, daemon, 'viewer')
  const first = (await client.get('/api/frames?limit=4')).json()
  expect(first.frames.map((frame: { frameId: string }) => frame.frameId)).toEqual([
    'f-0006',
    'f-0005',
    'f-0004',
    'f-0003',
  ])
  const rest = (await client.get(`/api/frames?limit=4&before=${first.nextBefore}`)).json()
  expect(rest.frames).toHaveLength(2)
  expect(rest.nextBefore).toBeUndefined()
  const fits = await client.get('/api/frames/f-0001/fits')
  expect(fits.headers['content-disposition']).toBe('attachment; filename="f-0001.fits"')
  expect(fits.rawPayload.length).toBe(daemon.store.frame('f-0001')!.bytes)
  const pending = (await client.get('/api/detections?state=pending')).json()
  expect([pending.detections.length, pending.total]).toEqual([7, 7])
  const stamp = await client.get('/api/detections/d-0003/stamps/difference')
  expect(stamp.rawPayload.subarray(1, 4).toString()).toBe('PNG')
  expect((await client.get('/api/detections/d-0003/stamps/secret')).statusCode).toBe(400)
  const alerts = (await client.get('/api/alerts')).json()
  expect([alerts.alerts.length, alerts.entries.length]).toEqual([5, 5])
  expect((await client.get('/api/frames/nothing')).json().code).toBe('request/unknown')
})

test('a label reaches the daemon with the name of who gave it', async () => {
  fillNight(daemon, 2)
  const client = await loginAs(app, daemon, 'curator')
  const answer = await client.post('/api/detections/d-0003/label', { label: 'real' })
  expect(answer.json()).toEqual({ ok: true })
  expect(daemon.asked).toEqual(['label d-0003 real a-curator'])
  expect((await client.post('/api/detections/d-9/label', { label: 'real' })).statusCode).toBe(404)
  expect((await client.post('/api/detections/d-0003/label', { label: 'maybe' })).json().code).toBe('request/invalid')
})

test('a symbolic link among the frames is not followed', async () => {
  fillNight(daemon, 2)
  const path = join(daemon.store.folder, daemon.store.frame('f-0001')!.path)
  rmSync(path)
  symlinkSync(join(folder, 'secret.html'), path)
  const client = await loginAs(app, daemon, 'viewer')
  expect((await client.get('/api/frames/f-0001/fits')).statusCode).toBe(404)
})

test('security events are for administrators', async () => {
  const viewer = await loginAs(app, daemon, 'viewer')
  const admin = await loginAs(app, daemon, 'admin')
  expect((await viewer.get('/api/events')).json()).toEqual({ events: [], lastSeq: 2 })
  expect((await admin.get('/api/events')).json().events).toHaveLength(2)
})

test('the panel is served with strict headers; links and ways out are not', async () => {
  const get = (url: string) => app.inject({ url, headers: { host: 'localhost' } })
  const page = await get('/')
  expect(page.body).toContain('<title>panel</title>')
  expect(page.headers['content-security-policy']).toContain("script-src 'self'")
  expect(page.headers['content-security-policy']).not.toContain('unsafe')
  expect((await get('/assets/a.js')).headers['cache-control']).toContain('immutable')
  for (const url of [
    '/leak.html',
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/assets/..%2f..%2fsecret.html',
    '//etc/passwd',
  ]) {
    expect([url, (await get(url)).statusCode]).toEqual([url, 404])
  }
})

test('the description of the interface lists every route', async () => {
  const client = await loginAs(app, daemon, 'viewer')
  const { paths } = (await client.get('/api/openapi.json')).json()
  const described = app.guarded.filter(
    ({ url, websocket }) => url.startsWith('/api/') && !websocket && !url.includes('openapi'),
  )
  for (const { url } of described) expect(Object.keys(paths)).toContain(url.replaceAll(/:(\w+)/g, '{$1}'))
})

test('a body above 1 MiB is refused', async () => {
  const answer = await postTo(app, '/api/login', { username: 'x', password: 'y'.repeat(1 << 20) })
  expect([answer.statusCode, answer.json().code]).toEqual([413, 'request/tooLarge'])
})

test('slow and half-open connections are cut by the limits of the server', () => {
  const { requestTimeout, headersTimeout, maxConnections } = app.server
  expect([requestTimeout, headersTimeout, maxConnections]).toEqual([600_000, 5_000, 2000])
})

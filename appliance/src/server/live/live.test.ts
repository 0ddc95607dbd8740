import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { LiveMessage, SessionState } from '../../contract/api.ts'
import type { Role } from '../../contract/records.ts'
import { hashPassword } from '../auth/passwords.ts'
import { type RunningServer, startServer } from '../server.ts'
import { openTestDaemon, type TestDaemon } from '../testing/observatory.ts'
import { testPassword } from '../testing/panelClient.ts'

let folder: string
let daemon: TestDaemon
let server: RunningServer

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-live-'))
  daemon = openTestDaemon(folder)
  server = await startServer(daemon, { webFolder: join(folder, 'none') })
})

afterEach(async () => {
  await server[Symbol.asyncDispose]()
  daemon[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

interface Panel {
  readonly cookie: string
  readonly post: (path: string, body?: object) => Promise<Response>
}

async function panel(role: Role): Promise<Panel> {
  const username = `a-${role}`
  const passwordHash = await hashPassword(testPassword)
  daemon.store.commit(daemon.clock.now(), (tx) => tx.putAccount({ username, role, passwordHash, createdAtMs: tx.atMs }))
  const send = (path: string, headers: Record<string, string>, body?: object): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { origin: server.url, ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
  const answer = await send('/api/login', {}, { username, password: testPassword })
  const session = (await answer.json()) as SessionState
  const cookie = answer.headers.get('set-cookie')!.split(';')[0]!
  return { cookie, post: (path, body) => send(path, { cookie, 'x-csrf-token': session.csrfToken }, body) }
}

async function ticketFor(who: Panel): Promise<string> {
  const answer = (await (await who.post('/api/socket-ticket')).json()) as { ticket: string }
  return answer.ticket
}

const dial = (query: string, headers: Record<string, string>): WebSocket =>
  new WebSocket(`${server.url.replace('http', 'ws')}/api/live${query}`, { headers: { origin: server.url, ...headers } })

/** The HTTP status that a socket was refused with. */
async function refusal(query: string, headers: Record<string, string>): Promise<number> {
  const socket = dial(query, headers)
  const status = new Promise<number>((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!))
    socket.on('open', () => reject(new Error('the socket opened')))
  })
  socket.on('error', () => undefined)
  return status.finally(() => socket.terminate())
}

/** Messages until `enough` says so; the socket stays open. */
function listen(socket: WebSocket, enough: (messages: readonly LiveMessage[]) => boolean): Promise<LiveMessage[]> {
  const messages: LiveMessage[] = []
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', (data) => {
      messages.push(JSON.parse(String(data)) as LiveMessage)
      if (enough(messages)) resolve(messages)
    })
  })
}

const seqs = (messages: readonly LiveMessage[]): number[] =>
  messages.flatMap((message) => (message.kind === 'event' ? [message.event.seq] : []))

const fact = (i: number): number =>
  daemon.store.commit(daemon.clock.now(), (tx) =>
    tx.event('command.denied', { command: `c-${i}`, reason: 'x'.repeat(200) }),
  )

test('a socket needs the cookie, our origin and a ticket that works once', async () => {
  const viewer = await panel('viewer')
  const { cookie } = viewer
  const ticket = await ticketFor(viewer)
  expect(await refusal(`?ticket=${ticket}`, {})).toBe(401)
  expect(await refusal(`?ticket=${ticket}`, { cookie, origin: 'https://evil.example' })).toBe(403)
  expect(await refusal('', { cookie })).toBe(400)
  expect(await refusal('?ticket=guess', { cookie })).toBe(403)
  const socket = dial(`?ticket=${ticket}`, { cookie })
  await once(socket, 'open')
  expect(await refusal(`?ticket=${ticket}`, { cookie })).toBe(403)
  socket.terminate()
  const other = await panel('curator')
  expect(await refusal(`?ticket=${await ticketFor(viewer)}`, { cookie: other.cookie })).toBe(403)
})

test('a panel that comes back gets every event since its last one, in order and once, then live ones', async () => {
  const viewer = await panel('viewer')
  const first = fact(0)
  for (let i = 1; i <= 450; i++) fact(i)
  const socket = dial(`?ticket=${await ticketFor(viewer)}&after=${first}`, { cookie: viewer.cookie })
  const last = first + 450
  const messages = await listen(socket, (all) => {
    if (all.at(-1)?.kind === 'caughtUp') fact(451)
    return seqs(all).includes(last + 1)
  })
  expect(seqs(messages)).toEqual(Array.from({ length: 451 }, (_, i) => first + 1 + i))
  const caughtUp = messages.find((message) => message.kind === 'caughtUp')
  expect(caughtUp).toEqual({ kind: 'caughtUp', seq: last })
  socket.terminate()
})

test('a fresh panel starts at the end and hears the state of the night each second', async () => {
  const viewer = await panel('viewer')
  fact(0)
  const socket = dial(`?ticket=${await ticketFor(viewer)}`, { cookie: viewer.cookie })
  const messages = await listen(socket, (all) => all.filter((one) => one.kind === 'tonight').length === 2)
  expect(seqs(messages)).toEqual([])
  expect(messages[0]).toEqual({ kind: 'caughtUp', seq: daemon.store.lastSeq() })
  const [a, b] = messages.flatMap((message) => (message.kind === 'tonight' ? [message.tonight.atMs] : []))
  expect(b! - a!).toBeGreaterThan(900)
  socket.terminate()
})

test('logins of others are not told to a viewer', async () => {
  const viewer = await panel('viewer')
  const socket = dial(`?ticket=${await ticketFor(viewer)}&after=0`, { cookie: viewer.cookie })
  const heard = listen(socket, (all) => seqs(all).length > 0)
  await once(socket, 'open')
  await panel('admin')
  const seq = fact(0)
  expect(seqs(await heard)).toEqual([seq])
  socket.terminate()
})

test('a message above 64 kB closes the socket', async () => {
  const viewer = await panel('viewer')
  const socket = dial(`?ticket=${await ticketFor(viewer)}`, { cookie: viewer.cookie })
  await once(socket, 'open')
  socket.send('x'.repeat(65 * 1024))
  const [code] = await once(socket, 'close')
  expect(code).toBe(1009)
})

test('the ninth socket of one session is refused, and logging out closes the others', async () => {
  const viewer = await panel('viewer')
  const sockets: WebSocket[] = []
  for (let i = 0; i < 8; i++) {
    const socket = dial(`?ticket=${await ticketFor(viewer)}`, { cookie: viewer.cookie })
    await once(socket, 'open')
    sockets.push(socket)
  }
  expect(await refusal(`?ticket=${await ticketFor(viewer)}`, { cookie: viewer.cookie })).toBe(503)
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')))
  await viewer.post('/api/logout')
  expect((await closed).map(([code]) => code)).toEqual(Array(8).fill(4401))
})

test('over TLS the cookie is bound to this host', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  await using secure = await startServer(daemon, { webFolder: join(folder, 'none'), tls: { key, cert } })
  await panel('viewer')
  const body = JSON.stringify({ username: 'a-viewer', password: testPassword })
  const headers = { origin: secure.url, 'content-type': 'application/json', 'content-length': body.length }
  const answer = await new Promise<string[]>((resolve, reject) => {
    const request = httpsRequest(`${secure.url}/api/login`, { method: 'POST', headers, rejectUnauthorized: false })
    request.on('response', (response) => resolve(response.headers['set-cookie'] ?? []))
    request.on('error', reject).end(body)
  })
  expect(answer[0]).toMatch(/^__Host-nightjar=[\w-]{43}; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
})

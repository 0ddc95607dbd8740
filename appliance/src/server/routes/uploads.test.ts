import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ingestLimitBytes } from '../../observatory/ingestFile.ts'
import { foreignFile } from '../../observatory/testing/foreignFile.ts'
import { temporaryFolder } from '../../store/testing/samples.ts'
import { buildApp } from '../server.ts'
import { openTestDaemon, type TestDaemon, testNightMs } from '../testing/observatory.ts'
import { loginAs, type PanelClient } from '../testing/panelClient.ts'

let folder: ReturnType<typeof temporaryFolder>
let clock: VirtualClock
let daemon: TestDaemon
let app: Awaited<ReturnType<typeof buildApp>>

beforeEach(async () => {
  folder = temporaryFolder()
  clock = new VirtualClock(testNightMs)
  daemon = openTestDaemon(join(folder.path, 'data'), clock)
  app = await buildApp(daemon, { webFolder: folder.path })
  await app.ready()
})
afterEach(async () => {
  await app.close()
  daemon[Symbol.dispose]()
  folder[Symbol.dispose]()
})

const fits = { 'content-type': 'application/fits' }
const bring = (client: PanelClient, body: Uint8Array, headers: Record<string, string> = fits) =>
  client.post('/api/frames?name=m31.fits', Buffer.from(body), headers)
const leftOver = () => {
  const uploads = join(daemon.store.folder, 'uploads')
  return existsSync(uploads) ? readdirSync(uploads) : []
}

test('an operator brings a file, and it is a frame; again, and it is the same frame', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const first = await bring(client, foreignFile())
  expect([first.statusCode, first.json().known]).toEqual([201, false])
  expect(first.json().frame.provenance).toMatchObject({ source: 'upload', name: 'm31.fits' })
  const second = await bring(client, foreignFile())
  expect([second.statusCode, second.json()]).toEqual([200, { frame: first.json().frame, known: true }])
  expect((await client.get(`/api/frames/${first.json().frame.frameId}`)).json()).toEqual(first.json().frame)
  expect(leftOver()).toEqual([])
})

test('nobody brings files without login or with a lower role', async () => {
  const viewer = await loginAs(app, daemon, 'viewer')
  expect((await bring(viewer, foreignFile())).statusCode).toBe(403)
  const answer = await app.inject({
    method: 'POST',
    url: '/api/frames?name=m31.fits',
    headers: { host: 'localhost:80', origin: 'http://localhost:80', ...fits },
    payload: Buffer.from(foreignFile()),
  })
  expect([answer.statusCode, answer.json().code]).toEqual([401, 'login/needed'])
  const operator = await loginAs(app, daemon, 'operator')
  expect((await bring(operator, foreignFile(), { ...fits, 'x-csrf-token': 'forged' })).statusCode).toBe(403)
  expect(daemon.store.frames({ limit: 1 })).toEqual([])
})

test('what is no frame, too large, of another kind, or one too many, is refused with the fix', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const code = async (body: Uint8Array, headers = fits) => {
    const answer = await bring(client, body, headers)
    return [answer.statusCode, answer.json().code]
  }
  expect(await code(foreignFile().subarray(0, 3000))).toEqual([422, 'frame/refused'])
  expect(await code(foreignFile(), { ...fits, ...{ 'content-length': String(ingestLimitBytes + 1) } })).toEqual([
    413,
    'request/tooLarge',
  ])
  expect((await bring(client, foreignFile(), { 'content-type': 'text/plain' })).statusCode).toBe(415)
  expect((await client.post('/api/frames?name=..%2Fm31.fits', Buffer.from(foreignFile()), fits)).statusCode).toBe(400)
  for (const EXPTIME of [1, 2]) expect((await bring(client, foreignFile({ EXPTIME }))).statusCode).toBe(201)
  const full = await bring(client, foreignFile({ EXPTIME: 3 }))
  expect([full.statusCode, full.json().code]).toEqual([503, 'frames/busy'])
  expect(leftOver()).toEqual([])
})

test('a body that does not come is cut after ten seconds', async () => {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (typeof address !== 'object' || !address) throw new Error('no address')
  const socket = connect(address.port, '127.0.0.1').resume()
  const closed = once(socket, 'close')
  const asked = once(app.server, 'request')
  const head = ['POST /api/login HTTP/1.1', `Host: 127.0.0.1:${address.port}`, 'Content-Type: application/json']
  head.push(`Origin: http://127.0.0.1:${address.port}`, 'Content-Length: 100')
  socket.write(`${head.join('\r\n')}\r\n\r\n{`)
  await asked
  await clock.advance(9_000)
  expect(socket.destroyed).toBe(false)
  await clock.advance(1_000)
  await closed
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildApp } from '../server.ts'
import { fillNight, openTestDaemon, type TestDaemon, testNightMs } from '../testing/observatory.ts'
import { loginAs } from '../testing/panelClient.ts'

let folder: string
let daemon: TestDaemon
let app: Awaited<ReturnType<typeof buildApp>>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-live-route-'))
  daemon = openTestDaemon(join(folder, 'data'), new VirtualClock(testNightMs))
  app = await buildApp(daemon, { webFolder: folder })
  await app.ready()
})

afterEach(async () => {
  await app.close()
  daemon[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

test('a newest frame that was too poor for the stack is told with what was wrong with it', async () => {
  fillNight(daemon, 6)
  const viewer = await loginAs(app, daemon, 'viewer')
  const { nightId } = daemon.tonight()
  const poor = daemon.store.frame('f-0005')!
  mkdirSync(join(daemon.store.folder, 'live'))
  const state = {
    ...{ nightId, fieldId: poor.fieldId, filter: poor.filter, lastFrameId: 'f-0001' },
    ...{ frames: 2, exposureSeconds: 120, depthGainMag: 0.4, fwhmPixels: 2.9, fwhmArcsec: 3.1 },
  }
  writeFileSync(join(daemon.store.folder, 'live/newest.json'), JSON.stringify({ ...state, picture: 'live/one.png' }))
  const left = { frameId: 'f-0005', reason: 'Too few stars: cloud' }
  expect((await viewer.get('/api/live-stack')).json()).toEqual({ stack: { ...state, left } })
})

test('the live stack of the running night is shown with its picture, an older one or a link out is not', async () => {
  const viewer = await loginAs(app, daemon, 'viewer')
  expect((await viewer.get('/api/live-stack')).json()).toEqual({})
  const { nightId } = daemon.tonight()
  const live = join(daemon.store.folder, 'live')
  mkdirSync(live)
  const bytes = Buffer.from('a picture')
  writeFileSync(join(live, 'one.png'), bytes)
  writeFileSync(join(folder, 'secret'), 'secret')
  const state = {
    ...{ nightId, fieldId: 'M31', filter: 'L', lastFrameId: 'f-9' },
    ...{ frames: 9, exposureSeconds: 540, depthGainMag: 1.19 },
  }
  const write = (change: object): void =>
    writeFileSync(join(live, 'newest.json'), JSON.stringify({ ...state, picture: 'live/one.png', ...change }))
  write({})
  expect((await viewer.get('/api/live-stack')).json()).toEqual({ stack: state })
  const picture = await viewer.get('/api/live-stack/picture')
  expect([picture.headers['content-type'], picture.headers['cache-control']]).toEqual(['image/png', 'no-store'])
  expect(picture.rawPayload.equals(bytes)).toBe(true)
  write({ picture: '../secret' })
  expect((await viewer.get('/api/live-stack/picture')).statusCode).toBe(404)
  write({ nightId: '1999-12-31' })
  expect((await viewer.get('/api/live-stack')).json()).toEqual({})
  write({ frames: 'many' })
  expect((await viewer.get('/api/live-stack')).json()).toEqual({})
})

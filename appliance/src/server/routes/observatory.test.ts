import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import type { LightMyRequestResponse } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ObservatoryState } from '../../contract/observatory.ts'
import type { Role } from '../../contract/records.ts'
import { openSimulatedControl, type SimulatedControl } from '../../observatory/testing/simulatedControl.ts'
import { openStore } from '../../store/openStore.ts'
import { buildApp } from '../server.ts'
import { openTestDaemon, type TestDaemon, testNightMs } from '../testing/observatory.ts'
import { loginAs, type PanelClient } from '../testing/panelClient.ts'

let folder: string
let clock: VirtualClock
let daemon: TestDaemon
let simulated: SimulatedControl
let app: Awaited<ReturnType<typeof buildApp>>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-observatory-'))
  const webFolder = join(folder, 'web')
  mkdirSync(webFolder)
  writeFileSync(join(webFolder, 'index.html'), '<!doctype html><title>panel</title>')
  clock = new VirtualClock(testNightMs)
  const store = openStore(join(folder, 'data'))
  simulated = await clock.run(openSimulatedControl(store, clock))
  daemon = openTestDaemon(store.folder, clock, store, simulated.control)
  app = await buildApp(daemon, { webFolder })
  await app.ready()
})

afterEach(async () => {
  await app.close()
  await clock.run(Promise.resolve(simulated[Symbol.asyncDispose]()))
  daemon[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

type Answered = readonly [status: number, code: string | undefined, message: string | undefined]
const answered = (answer: LightMyRequestResponse): Answered => {
  const { code, message } = answer.json<{ code?: string; message?: string }>()
  return [answer.statusCode, code, message]
}

const pressed = (): unknown[] =>
  daemon.store.events(0, 100).flatMap(({ type, body }) => (type === 'panic.pressed' ? [body] : []))
const stateOf = async (client: PanelClient): Promise<ObservatoryState> =>
  (await client.get('/api/observatory')).json<ObservatoryState>()

/** Every way to change something: what a viewer and a curator may not, and an operator and an administrator may. */
const changes: readonly (readonly ['POST' | 'DELETE', string, object?])[] = [
  ['POST', '/api/observatory/command', { kind: 'park' }],
  ['POST', '/api/observatory/lease'],
  ['DELETE', '/api/observatory/lease'],
  ['DELETE', '/api/observatory/panic'],
  ['POST', '/api/observatory/devices/mount/forgive'],
  ['POST', '/api/indi/properties', { device: 'x', property: 'y', values: { z: 1 } }],
]
const readings = ['/api/observatory', '/api/indi/properties', '/api/wires', '/api/wires/simulated%20observatory']

for (const role of ['viewer', 'curator'] satisfies Role[])
  test(`a ${role} sees all of the observatory, changes nothing, and may still press the panic button`, async () => {
    const client = await loginAs(app, daemon, role)
    for (const url of readings) expect([url, (await client.get(url)).statusCode]).toEqual([url, 200])
    for (const [method, url, body] of changes) {
      const answer = method === 'POST' ? await client.post(url, body) : await client.remove(url)
      expect([method, url, ...answered(answer).slice(0, 2)]).toEqual([method, url, 403, 'role/missing'])
    }
    expect(pressed()).toEqual([])
    expect((await client.post('/api/observatory/panic')).json()).toEqual({ ok: true })
    expect(pressed()).toEqual([{ by: `a-${role}` }])
  })

for (const role of ['operator', 'admin'] satisfies Role[])
  test(`the role ${role} gets past the guard everywhere`, async () => {
    const client = await loginAs(app, daemon, role)
    for (const [method, url, body] of changes) {
      const answer = await clock.run(method === 'POST' ? client.post(url, body) : client.remove(url))
      expect([url, [200, 409].includes(answer.statusCode)]).toEqual([url, true])
    }
  })

test('a change without the token of the session, or from another page, is refused', async () => {
  const client = await loginAs(app, daemon, 'admin')
  for (const [method, url, body] of [...changes, ['POST', '/api/observatory/panic'] as const]) {
    const send = (headers: Record<string, string>) =>
      method === 'POST' ? client.post(url, body, headers) : client.remove(url, headers)
    expect([url, (await send({ 'x-csrf-token': 'guess' })).json().code]).toEqual([url, 'request/token'])
    expect([url, (await send({ origin: 'https://evil.example' })).json().code]).toEqual([url, 'request/origin'])
  }
  expect(simulated.control.state()).toMatchObject({ commands: [] })
  expect(pressed()).toEqual([])
})

test('from taking control to an open roof, and what the gate says on the way', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const command = (body: object) => clock.run(client.post('/api/observatory/command', body))
  const first = await stateOf(client)
  expect(first).toMatchObject({ roof: { position: 'closed' }, mount: { parked: true }, safety: { state: 'safe' } })
  expect(first.lease).toBeUndefined()
  expect(first.denials['unpark']).toMatch(/roof/)
  const focuser = first.devices.find(({ kind }) => kind === 'focuser')
  expect(focuser?.readings).toContainEqual({ name: 'position', value: 50_000, unit: 'steps' })
  expect(focuser?.readings).toContainEqual({ name: 'moving', value: false })
  expect(answered(await command({ kind: 'openRoof' }))).toEqual([
    409,
    'command/refused',
    'nobody holds the lease: take it first',
  ])
  expect((await client.post('/api/observatory/lease')).json()).toEqual({ ok: true })
  expect((await command({ kind: 'openRoof' })).json()).toEqual({ ok: true, underWay: true })
  await clock.run(clock.sleep(6_000))
  expect(await stateOf(client)).toMatchObject({
    roof: { position: 'open' },
    lease: { holder: 'session:a-operator' },
    commands: [{ command: 'open the roof', by: 'a-operator', state: 'done' }],
  })
  expect((await command({ kind: 'unpark' })).statusCode).toBe(200)
  const below = await command({ kind: 'slew', raDeg: 180, decDeg: -60 })
  expect([below.statusCode, below.json().message]).toEqual([409, expect.stringMatching(/altitude|horizon|below/)])
})

test('a command that is none, or out of its range, does not reach the gate', async () => {
  const client = await loginAs(app, daemon, 'operator')
  for (const body of [
    { kind: 'explode' },
    { kind: 'expose', seconds: 5 },
    { kind: 'slew', raDeg: 400, decDeg: 0 },
    { kind: 'slew', raDeg: 40 },
    { kind: 'move', direction: 'up', speed: 1 },
    { kind: 'move', direction: 'north', speed: 7 },
    {},
  ]) {
    const answer = await client.post('/api/observatory/command', body)
    expect([JSON.stringify(body), answer.statusCode, answer.json().code]).toEqual([
      JSON.stringify(body),
      400,
      'request/invalid',
    ])
  }
  expect(daemon.store.events(0, 100).filter(({ type }) => type.startsWith('command.'))).toEqual([])
})

test('who asks is the session, whatever the body says', async () => {
  const client = await loginAs(app, daemon, 'operator')
  await clock.run(client.post('/api/observatory/command', { kind: 'park', by: 'guardian' }))
  const given = daemon.store.events(0, 100).find(({ type }) => type === 'command.given')
  expect(given?.body).toEqual({ command: 'park', by: 'a-operator' })
})

test('two people do not drive at once', async () => {
  const operator = await loginAs(app, daemon, 'operator')
  const admin = await loginAs(app, daemon, 'admin')
  expect((await operator.post('/api/observatory/lease')).statusCode).toBe(200)
  expect(answered(await admin.post('/api/observatory/lease'))).toEqual([
    409,
    'lease/refused',
    'session:a-operator drives the observatory now',
  ])
  expect((await admin.remove('/api/observatory/lease')).statusCode).toBe(409)
  expect((await operator.remove('/api/observatory/lease')).statusCode).toBe(200)
  expect((await admin.post('/api/observatory/lease')).statusCode).toBe(200)
})

test('the panic button closes an open observatory, and an operator may take over', async () => {
  const operator = await loginAs(app, daemon, 'operator')
  const viewer = await loginAs(app, daemon, 'viewer')
  await operator.post('/api/observatory/lease')
  await clock.run(operator.post('/api/observatory/command', { kind: 'openRoof' }))
  await clock.run(clock.sleep(6_000))
  simulated.parts.roof.jam(true)
  await viewer.post('/api/observatory/panic')
  await clock.run(clock.sleep(10_000))
  expect(await stateOf(viewer)).toMatchObject({ panic: { by: 'a-viewer' }, lease: { holder: 'panic' } })
  expect((await operator.post('/api/observatory/lease')).statusCode).toBe(409)
  expect((await operator.remove('/api/observatory/panic')).statusCode).toBe(200)
  await clock.run(clock.sleep(1_000))
  expect((await stateOf(viewer)).panic).toBeUndefined()
  simulated.parts.roof.jam(false)
  await viewer.post('/api/observatory/panic')
  await clock.run(clock.sleep(90_000))
  expect(await stateOf(viewer)).toMatchObject({ roof: { position: 'closed' } })
})

test('raw properties: a guarded device is refused by name of the command, another is set by who has control', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const set = (body: object) => clock.run(client.post('/api/indi/properties', body))
  const [, code, message] = answered(
    await set({ device: 'Telescope Simulator', property: 'TELESCOPE_PARK', values: { UNPARK: true } }),
  )
  expect([code, message]).toEqual(['property/refused', expect.stringContaining('unpark')])
  const change = {
    device: 'Focuser Simulator',
    property: 'ABS_FOCUS_POSITION',
    values: { FOCUS_ABSOLUTE_POSITION: '50100' },
  }
  expect(answered(await set(change))[2]).toBe('take control first')
  await client.post('/api/observatory/lease')
  expect((await set(change)).json()).toEqual({ ok: true })
  await clock.run(clock.sleep(2_000))
  expect(answered(await set({ ...change, values: { NOTHING: 1 } }))[2]).toMatch(/does not exist/)
  const { devices } = (await client.get('/api/indi/properties?device=Focuser%20Simulator')).json()
  const focuser = devices.find(({ name }: { name: string }) => name === 'Focuser Simulator')
  const properties = focuser.groups.flatMap((group: { properties: object[] }) => group.properties)
  const position = properties.find((one: { name?: string }) => one.name === 'ABS_FOCUS_POSITION')
  expect(position).toMatchObject({ kind: 'number', permission: 'rw', elements: [{ value: 50_100, min: 0 }] })
  const connection = properties.find((one: { name?: string }) => one.name === 'CONNECTION')
  expect(connection.elements[0]).toMatchObject({ name: 'CONNECT', value: true })
})

test('the wires tell what went over them, from where one left off', async () => {
  const client = await loginAs(app, daemon, 'viewer')
  const { wires } = (await client.get('/api/wires')).json()
  expect(wires).toEqual([{ name: 'simulated observatory', count: expect.any(Number) }])
  const url = '/api/wires/simulated%20observatory'
  const page = (await client.get(`${url}?limit=5`)).json()
  expect(page.messages).toHaveLength(5)
  expect(page.lastSeq).toBe(page.messages.at(-1).seq)
  await clock.run(clock.sleep(2_000))
  const more = (await client.get(`${url}?after=${page.lastSeq}`)).json()
  expect(more.messages[0].seq).toBe(page.lastSeq + 1)
  expect((await client.get('/api/wires/none')).statusCode).toBe(404)
})

test('a device that was given up is forgiven by name; one that is not there is said so', async () => {
  const client = await loginAs(app, daemon, 'operator')
  const never = new AbortController().signal
  const patient = { device: 'INDI Focuser Simulator', kind: 'focuser', isWell: () => false, remedies: {} } as const
  await clock.run(simulated.recovery.recover(patient, 'silent', never))
  const recoveryOf = async () => (await stateOf(client)).devices.find(({ kind }) => kind === 'focuser')?.recovery
  expect(await recoveryOf()).toEqual({ state: 'givenUp' })
  expect((await client.post('/api/observatory/devices/focuser/forgive')).json()).toEqual({ ok: true })
  expect(await recoveryOf()).toBeUndefined()
  expect((await client.post('/api/observatory/devices/toaster/forgive')).statusCode).toBe(409)
})

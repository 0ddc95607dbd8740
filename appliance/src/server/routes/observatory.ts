import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { ApiError, Done } from '../../contract/api.ts'
import {
  CommandAnswer,
  CommandRequest,
  DeviceKindParams,
  ObservatoryState,
  PropertyChange,
  PropertyQuery,
  PropertyTree,
  WireList,
  WirePage,
  WireParams,
  WireQuery,
} from '../../contract/observatory.ts'
import { personOf } from '../auth/guard.ts'
import { notFound, Refusal } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const viewer = { access: 'viewer' } as const
const operator = { access: 'operator' } as const
const answers = { 200: Done, '4xx': ApiError } as const

/** The hardware: what it says, who drives it, commands past the gate, and the panic button, which anybody here may press. */
export function addObservatoryRoutes(app: Api, context: RouteContext): void {
  const { control } = context.daemon
  app.get('/api/observatory', { config: viewer, schema: { response: { 200: ObservatoryState } } }, async () =>
    control.state(),
  )
  app.post(
    '/api/observatory/command',
    { config: operator, schema: { body: CommandRequest, response: { 200: CommandAnswer, '4xx': ApiError } } },
    async (request) => {
      const given = await control.give(request.body, personOf(request).username)
      if (!given.ok) throw new Refusal(409, 'command/refused', given.reason)
      return given
    },
  )
  app.post(
    '/api/observatory/devices/:kind/forgive',
    { config: operator, schema: { params: DeviceKindParams, response: answers } },
    async (request) => carriedOut(control.forgive(request.params.kind, personOf(request).username), 'device/unknown'),
  )
  addLease(app, context)
  addPanic(app, context)
  addProperties(app, context)
  addWires(app, context)
}

function addLease(app: Api, { daemon: { control } }: RouteContext): void {
  app.post('/api/observatory/lease', { config: operator, schema: { response: answers } }, async (request) =>
    carriedOut(control.takeLease(personOf(request).username), 'lease/refused'),
  )
  app.delete('/api/observatory/lease', { config: operator, schema: { response: answers } }, async (request) =>
    carriedOut(control.dropLease(personOf(request).username), 'lease/refused'),
  )
}

function addPanic(app: Api, { daemon: { control } }: RouteContext): void {
  app.post('/api/observatory/panic', { config: viewer, schema: { response: answers } }, async (request) => {
    control.panic(personOf(request).username)
    return { ok: true as const }
  })
  app.delete('/api/observatory/panic', { config: operator, schema: { response: answers } }, async (request) => {
    control.endPanic(personOf(request).username)
    return { ok: true as const }
  })
}

function addProperties(app: Api, { daemon: { control } }: RouteContext): void {
  app.get(
    '/api/indi/properties',
    { config: viewer, schema: { querystring: PropertyQuery, response: { 200: PropertyTree } } },
    async (request) => control.properties(request.query.device),
  )
  app.post(
    '/api/indi/properties',
    { config: operator, schema: { body: PropertyChange, response: answers } },
    async (request) =>
      carriedOut(await control.setProperty(request.body, personOf(request).username), 'property/refused'),
  )
}

function addWires(app: Api, { daemon: { control } }: RouteContext): void {
  app.get('/api/wires', { config: viewer, schema: { response: { 200: WireList } } }, async () => ({
    wires: [...control.wires()],
  }))
  app.get(
    '/api/wires/:name',
    {
      config: viewer,
      schema: { params: WireParams, querystring: WireQuery, response: { 200: WirePage, '4xx': ApiError } },
    },
    async (request) => {
      const { name } = request.params
      const page = control.wire(name, request.query.after, request.query.limit)
      if (!page) throw notFound(`wire ${name}`)
      return page
    },
  )
}

function carriedOut(outcome: Outcome, code: string): Done {
  if (!outcome.ok) throw new Refusal(409, code, outcome.reason)
  return { ok: true }
}

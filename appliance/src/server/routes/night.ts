import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import Type from 'typebox'
import {
  AlertPage,
  ApiError,
  Done,
  EntryPage,
  EventPage,
  EventQuery,
  HealthState,
  PageQuery,
  TonightState,
} from '../../contract/api.ts'
import type { JournalEvent } from '../../contract/events.ts'
import { EntryRecord } from '../../contract/records.ts'
import { personOf } from '../auth/guard.ts'
import { mayHear } from '../live/audience.ts'
import { notFound, Refusal } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const viewer = { access: 'viewer' } as const
const operator = { access: 'operator' } as const

/** Health, tonight, starting and stopping the night, and what came of it: alerts, entries, events. */
export function addNightRoutes(app: Api, context: RouteContext): void {
  const { daemon } = context
  app.get('/api/health', { config: { access: 'anyone' }, schema: { response: { 200: HealthState } } }, async () => ({
    status: 'ok' as const,
  }))
  app.get('/api/tonight', { config: viewer, schema: { response: { 200: TonightState } } }, async () => daemon.tonight())
  app.post(
    '/api/night/start',
    { config: operator, schema: { response: { 200: Done, '4xx': ApiError } } },
    async (request) => carriedOut(await daemon.startNight(personOf(request).username)),
  )
  app.post(
    '/api/night/stop',
    { config: operator, schema: { response: { 200: Done, '4xx': ApiError } } },
    async (request) => carriedOut(await daemon.stopNight(personOf(request).username)),
  )
  addResults(app, context)
}

function addResults(app: Api, { daemon: { store } }: RouteContext): void {
  app.get(
    '/api/alerts',
    { config: viewer, schema: { querystring: PageQuery, response: { 200: AlertPage } } },
    async (request) => {
      const alerts = store.alerts(request.query.limit)
      const ids = [...new Set(alerts.map((alert) => alert.entryId))]
      return { alerts, entries: ids.map((id) => store.entry(id)).filter((entry) => entry !== undefined) }
    },
  )
  app.get(
    '/api/entries',
    { config: viewer, schema: { querystring: PageQuery, response: { 200: EntryPage } } },
    async (request) => ({ entries: store.entries(request.query.limit) }),
  )
  app.get(
    '/api/entries/:entryId',
    {
      config: viewer,
      schema: {
        params: Type.Object({ entryId: EntryRecord.properties.entryId }),
        response: { 200: EntryRecord, '4xx': ApiError },
      },
    },
    async (request) => {
      const entry = store.entry(request.params.entryId)
      if (!entry) throw notFound(`entry ${request.params.entryId}`)
      return entry
    },
  )
  app.get(
    '/api/events',
    { config: viewer, schema: { querystring: EventQuery, response: { 200: EventPage } } },
    async (request) => {
      const { role } = personOf(request)
      const lastSeq = store.lastSeq()
      const { limit, after = Math.max(0, lastSeq - limit) } = request.query
      const events = store.events(after, limit).filter((event: JournalEvent) => mayHear(role, event))
      return { events, lastSeq }
    },
  )
}

function carriedOut(outcome: Outcome): Done {
  if (!outcome.ok) throw new Refusal(409, 'night/refused', outcome.reason)
  return { ok: true }
}

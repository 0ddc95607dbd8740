import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { ApiError, LiveStackState } from '../../contract/api.ts'
import { liveFolder, newestName } from '../../differencing/liveStackFile.ts'
import { openInside } from '../files.ts'
import { notFound } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const viewer = { access: 'viewer' } as const
const Newest = Type.Intersect([LiveStackState, Type.Object({ picture: Type.String() })])
const nothing = 'live stack of the running night yet'

/** The newest live stack of the running night: what it is, and its picture. */
export function addLiveStackRoutes(app: Api, { daemon }: RouteContext): void {
  const newestOr404 = async (): Promise<Static<typeof Newest>> => {
    const text = await readFile(join(daemon.store.folder, liveFolder, newestName), 'utf8').catch(() => undefined)
    const state: unknown = text === undefined ? undefined : JSON.parse(text)
    if (!Value.Check(Newest, state) || state.nightId !== daemon.tonight().nightId) throw notFound(nothing)
    return state
  }
  app.get(
    '/api/live-stack',
    { config: viewer, schema: { response: { 200: LiveStackState, '4xx': ApiError } } },
    async () => newestOr404(),
  )
  app.get('/api/live-stack/picture', { config: viewer }, async (_request, reply) => {
    const { picture } = await newestOr404()
    const { handle, bytes } = await openInside(daemon.store.folder, picture)
    reply.type('image/png').header('content-length', bytes).header('cache-control', 'no-store')
    return reply.send(handle.createReadStream())
  })
}

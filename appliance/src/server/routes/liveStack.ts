import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { ApiError, LiveStackState, NewestLiveStack } from '../../contract/api.ts'
import { liveFolder, newestName } from '../../differencing/liveStackFile.ts'
import { openInside } from '../files.ts'
import { notFound } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const viewer = { access: 'viewer' } as const
const Newest = Type.Intersect([LiveStackState, Type.Object({ picture: Type.String() })])

/** The newest live stack of the running night: what it is, and its picture. */
export function addLiveStackRoutes(app: Api, { daemon }: RouteContext): void {
  const newest = async (): Promise<Static<typeof Newest> | undefined> => {
    const text = await readFile(join(daemon.store.folder, liveFolder, newestName), 'utf8').catch(() => undefined)
    const state: unknown = text === undefined ? undefined : JSON.parse(text)
    return Value.Check(Newest, state) && state.nightId === daemon.tonight().nightId ? state : undefined
  }
  app.get(
    '/api/live-stack',
    { config: viewer, schema: { response: { 200: NewestLiveStack, '4xx': ApiError } } },
    async () => {
      const stack = await newest()
      return stack ? { stack } : {}
    },
  )
  app.get('/api/live-stack/picture', { config: viewer }, async (_request, reply) => {
    const stack = await newest()
    if (!stack) throw notFound('live stack of the running night yet')
    const { handle, bytes } = await openInside(daemon.store.folder, stack.picture)
    reply.type('image/png').header('content-length', bytes).header('cache-control', 'no-store')
    return reply.send(handle.createReadStream())
  })
}

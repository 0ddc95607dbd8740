import Type, { type Static } from 'typebox'
import Value from 'typebox/value'
import { ApiError, LiveStackState, NewestLiveStack } from '../../contract/api.ts'
import { readNewest } from '../../store/liveFiles.ts'
import type { Store } from '../../store/store.ts'
import { openInside } from '../files.ts'
import { notFound } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const viewer = { access: 'viewer' } as const
const Newest = Type.Intersect([LiveStackState, Type.Object({ picture: Type.String() })])

/** The newest live stack of the running night: what it is, and its picture. */
export function addLiveStackRoutes(app: Api, { daemon }: RouteContext): void {
  const newest = async (): Promise<Static<typeof Newest> | undefined> => {
    const state = await readNewest(daemon.store.folder)
    return Value.Check(Newest, state) && state.nightId === daemon.tonight().nightId ? state : undefined
  }
  app.get(
    '/api/live-stack',
    { config: viewer, schema: { response: { 200: NewestLiveStack, '4xx': ApiError } } },
    async () => {
      const stack = await newest()
      if (!stack) return {}
      const { picture: _, ...state } = stack
      const left = leftOut(daemon.store, stack) ?? stack.left
      return { stack: { ...state, ...(left && { left }) } }
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

/** The newest frame of the stack's field that was not good enough to be tried. */
function leftOut(store: Store, { nightId, fieldId, filter, lastFrameId }: LiveStackState): LiveStackState['left'] {
  const frames = store.frames({ nightId, fieldId, type: 'light', limit: 1 })
  const newest = frames.find((frame) => frame.filter === filter && frame.frameId !== lastFrameId)
  if (!newest?.quality || newest.quality.grade === 'good') return undefined
  return { frameId: newest.frameId, reason: newest.quality.reasons.join('; ') || newest.quality.grade }
}

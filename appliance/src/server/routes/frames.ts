import Type from 'typebox'
import { ApiError, FramePage, FrameQuery, FrameSource, PreviewQuery } from '../../contract/api.ts'
import { FrameRecord } from '../../contract/records.ts'
import { openInside } from '../files.ts'
import { notFound } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const Params = Type.Object({ frameId: FrameRecord.properties.frameId })
const FitsQuery = Type.Object({ source: Type.Union(FrameSource.anyOf, { default: 'captured' }) })
const viewer = { access: 'viewer' } as const
/** A frame never changes, so neither does a picture of it; `private` keeps it out of shared caches. */
const keepForDays = 'private, max-age=604800, immutable'

/** Frames: list, one, its picture, its FITS file. */
export function addFrameRoutes(app: Api, context: RouteContext): void {
  const { store } = context.daemon
  const frameOr404 = (frameId: string): FrameRecord => {
    const frame = store.frame(frameId)
    if (!frame) throw notFound(`frame ${frameId}`)
    return frame
  }
  app.get(
    '/api/frames',
    { config: viewer, schema: { querystring: FrameQuery, response: { 200: FramePage } } },
    async (request) => {
      const frames = store.frames(request.query)
      const last = frames.length === request.query.limit ? frames.at(-1) : undefined
      return { frames, ...(last && { nextBefore: last.capturedAtMs }) }
    },
  )
  app.get(
    '/api/frames/:frameId',
    { config: viewer, schema: { params: Params, response: { 200: FrameRecord, '4xx': ApiError } } },
    async (request) => frameOr404(request.params.frameId),
  )
  app.get(
    '/api/frames/:frameId/preview',
    { config: viewer, schema: { params: Params, querystring: PreviewQuery } },
    async (request, reply) => {
      const frame = frameOr404(request.params.frameId)
      const picture = await context.previews.get(frame, request.query)
      const final = request.query.source === 'captured' || frame.calibratedPath !== undefined
      return reply
        .type('image/webp')
        .header('cache-control', final ? keepForDays : 'no-store')
        .send(picture)
    },
  )
  app.get(
    '/api/frames/:frameId/fits',
    { config: viewer, schema: { params: Params, querystring: FitsQuery } },
    async (request, reply) => {
      const frame = frameOr404(request.params.frameId)
      const path = request.query.source === 'calibrated' ? frame.calibratedPath : frame.path
      if (!path) throw notFound(`calibrated file of frame ${frame.frameId} yet`)
      const { handle, bytes } = await openInside(store.folder, path)
      const name = `${frame.frameId}${request.query.source === 'calibrated' ? '-calibrated' : ''}.fits`
      reply.type('application/fits').header('content-length', bytes)
      reply.header('content-disposition', `attachment; filename="${name}"`)
      return reply.send(handle.createReadStream())
    },
  )
}

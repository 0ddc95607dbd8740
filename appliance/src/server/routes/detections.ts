import Type from 'typebox'
import { ApiError, DetectionPage, DetectionQuery, Done, LabelRequest, StampName } from '../../contract/api.ts'
import { DetectionRecord } from '../../contract/records.ts'
import { personOf } from '../auth/guard.ts'
import { openInside } from '../files.ts'
import { notFound, Refusal } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const Params = Type.Object({ detectionId: DetectionRecord.properties.detectionId })
const StampParams = Type.Object({ ...Params.properties, stamp: StampName })
const viewer = { access: 'viewer' } as const

/** Detections: list, one, its stamps, and what people say about it. */
export function addDetectionRoutes(app: Api, context: RouteContext): void {
  const { store } = context.daemon
  const detectionOr404 = (detectionId: string): DetectionRecord => {
    const detection = store.detection(detectionId)
    if (!detection) throw notFound(`detection ${detectionId}`)
    return detection
  }
  app.get(
    '/api/detections',
    { config: viewer, schema: { querystring: DetectionQuery, response: { 200: DetectionPage } } },
    async (request) => {
      const detections = store.detections(request.query)
      const counts = store.detectionCounts()
      const { state, frameId } = request.query
      const all = state ? counts[state] : counts.pending + counts.validated + counts.dismissed
      return { detections, total: frameId ? detections.length : all }
    },
  )
  app.get(
    '/api/detections/:detectionId',
    { config: viewer, schema: { params: Params, response: { 200: DetectionRecord, '4xx': ApiError } } },
    async (request) => detectionOr404(request.params.detectionId),
  )
  app.get(
    '/api/detections/:detectionId/stamps/:stamp',
    { config: viewer, schema: { params: StampParams } },
    async (request, reply) => {
      const { stampsPath } = detectionOr404(request.params.detectionId)
      const { handle, bytes } = await openInside(store.folder, `${stampsPath}/${request.params.stamp}.png`)
      reply.type('image/png').header('content-length', bytes)
      reply.header('cache-control', 'private, max-age=604800, immutable')
      return reply.send(handle.createReadStream())
    },
  )
  app.post(
    '/api/detections/:detectionId/label',
    {
      config: { access: 'curator' },
      schema: { params: Params, body: LabelRequest, response: { 200: Done, '4xx': ApiError } },
    },
    async (request) => {
      const { detectionId } = detectionOr404(request.params.detectionId)
      const outcome = await context.daemon.label(detectionId, request.body.label, personOf(request).username)
      if (!outcome.ok) throw new Refusal(409, 'label/refused', outcome.reason)
      return { ok: true as const }
    },
  )
}

import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { ApiError, IngestedFrame, UploadQuery } from '../../contract/api.ts'
import { ingestLimitBytes } from '../../observatory/ingestFile.ts'
import { partSuffix } from '../../store/frameFiles.ts'
import { Refusal } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

/** Files that may be on their way here at a time. */
const uploadLimit = 4
const retrySeconds = 10
const responses = { 200: IngestedFrame, 201: IngestedFrame, '4xx': ApiError, 503: ApiError }

/** A FITS file is brought as the body of the request, goes to a file as it comes, and is taken as a frame from there. */
export function addUploadRoute(app: Api, { daemon }: RouteContext): void {
  const folder = join(daemon.store.folder, 'uploads')
  let underWay = 0
  let count = 0
  void app.register(async (child) => {
    // This route alone takes bytes: they are not parsed here.
    child.removeAllContentTypeParsers()
    child.addContentTypeParser(
      ['application/fits', 'application/octet-stream'],
      async (_: unknown, body: Readable) => body,
    )
    const scope = child.withTypeProvider<TypeBoxTypeProvider>()
    scope.post(
      '/api/frames',
      { config: { access: 'operator' }, schema: { querystring: UploadQuery, response: responses } },
      async (request, reply) => {
        if (underWay >= uploadLimit || !daemon.hasRoom()) throw busy
        checkLength(request.headers['content-length'])
        const { body } = request
        if (!isStream(body)) throw new Refusal(400, 'request/invalid', 'the body must be the FITS file')
        request.bodyDeadline?.abort()
        const path = join(folder, `${++count}${partSuffix}`)
        underWay++
        try {
          await receive(body, folder, path)
          const outcome = await daemon.ingest(path, request.query)
          if (!outcome.ok) throw new Refusal(422, 'frame/refused', `${request.query.name}: ${outcome.reason}`)
          reply.status(outcome.known ? 200 : 201)
          return { frame: outcome.frame, known: outcome.known }
        } finally {
          underWay--
          await rm(path, { force: true })
        }
      },
    )
  })
}

const busy = new Refusal(503, 'frames/busy', 'frames wait for the pipeline already; bring it later', retrySeconds)
const tooLarge = new Refusal(
  413,
  'request/tooLarge',
  `a frame may have ${ingestLimitBytes / 1048576} MiB: pack it with fpack`,
)

function isStream(body: unknown): body is Readable {
  return typeof body === 'object' && body !== null && 'iterator' in body
}

function checkLength(announced: string | undefined): void {
  if (Number(announced ?? 0) > ingestLimitBytes) throw tooLarge
}

/** Writes what comes to `path`. Throws `request/tooLarge`; the connection stays, so that the answer is heard. */
async function receive(body: Readable, folder: string, path: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o750 })
  await using file = await open(path, 'wx', 0o640)
  let bytes = 0
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    if (bytes > ingestLimitBytes) throw tooLarge
    await file.writeFile(chunk)
  }
}

import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { notFound } from './refusal.ts'
import type { Api } from './routes/context.ts'

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}
const notBuilt = '<!doctype html><title>Nightjar</title><p>The panel is not built yet: npm run build -w @nightjar/web\n'

interface PanelFile {
  readonly type: string
  readonly body: Buffer
  readonly brotli: Buffer
  readonly etag: string
  readonly forEver: boolean
}

/**
 * The panel's files, read once: a request is a look-up by name, never a path on the disk, so there is nothing to climb out
 * of. Symbolic links and unknown kinds of file are left out.
 */
export function addPanelRoute(app: Api, folder: string): void {
  const files = new Map<string, PanelFile>()
  collect(folder, '/', files)
  const start = files.get('/index.html') ?? describe('.html', Buffer.from(notBuilt), '/index.html')
  files.set('/', start)
  app.get('/*', { config: { access: 'anyone' }, schema: { hide: true } }, async (request, reply) => {
    const file = files.get(request.url.replace(/[?#].*$/, ''))
    if (!file) throw notFound('such page')
    return send(file, request, reply)
  })
}

function collect(folder: string, prefix: string, files: Map<string, PanelFile>): void {
  for (const name of namesIn(folder)) {
    const path = join(folder, name)
    const facts = lstatSync(path)
    if (facts.isDirectory()) collect(path, `${prefix}${name}/`, files)
    else if (facts.isFile() && types[extname(name)]) {
      files.set(prefix + name, describe(extname(name), readFileSync(path), prefix + name))
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function describe(extension: string, body: Buffer, url: string): PanelFile {
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } }
  return {
    type: types[extension]!,
    body,
    brotli: brotliCompressSync(body, quality),
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    forEver: url.startsWith('/assets/'),
  }
}

function send(file: PanelFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('etag', file.etag).header('vary', 'accept-encoding').type(file.type)
  reply.header('cache-control', file.forEver ? 'public, max-age=31536000, immutable' : 'no-cache')
  if (request.headers['if-none-match'] === file.etag) return reply.status(304).send()
  if (!/\bbr\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.body)
  return reply.header('content-encoding', 'br').send(file.brotli)
}

import type { Clock } from '../clock.ts'
import type { Snapshot } from '../devices/allSkyCamera.ts'
import { type Failure, failure } from '../outcome.ts'
import type { Random } from '../random.ts'
import { authorize, parseChallenge } from './httpDigest.ts'

export interface SnapshotOptions {
  readonly clock: Clock
  readonly random: Random
  readonly username: string
  readonly password: string
  readonly timeoutMs: number
}

const mostBytes = 64 * 1024 * 1024

/** Fetches one image. Answers Digest and Basic challenges; never sends the password before it is asked for. */
export async function fetchSnapshot(url: URL, options: SnapshotOptions): Promise<Snapshot | Failure> {
  const { clock, timeoutMs } = options
  const over = new AbortController()
  const late = clock.sleep(timeoutMs, over.signal).then(
    () => {
      over.abort(new Error('late'))
      return failure(`the camera sent no image within ${timeoutMs / 1000} s`)
    },
    () => failure('given up'),
  )
  const work = get(url, options, over.signal).catch((error: unknown) =>
    over.signal.aborted ? late : failure(`the image could not be fetched: ${readCause(error)}`),
  )
  try {
    return await clock.during(Promise.race([work, late]))
  } finally {
    over.abort(new Error('over'))
  }
}

function readCause(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined
  return code ?? (error instanceof Error ? error.message : String(error))
}

async function get(url: URL, options: SnapshotOptions, signal: AbortSignal): Promise<Snapshot | Failure> {
  // A password in the address would be sent unasked, and fetch refuses such addresses.
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  const first = await fetch(plain, { signal })
  if (first.status !== 401) return read(first, options.clock)
  const authorization = answerChallenge(first.headers.get('www-authenticate') ?? '', plain, options)
  await first.body?.cancel()
  if (authorization === undefined) return failure('the camera asks for a kind of password that we do not know')
  const second = await fetch(plain, { signal, headers: { authorization } })
  if (second.status !== 401) return read(second, options.clock)
  await second.body?.cancel()
  return failure('the camera does not take the user name and password for its images')
}

function answerChallenge(header: string, url: URL, options: SnapshotOptions): string | undefined {
  const { username, password, random } = options
  const challenge = parseChallenge(header)
  if (challenge) {
    const cnonce = Array.from({ length: 16 }, () => random.integer(16).toString(16)).join('')
    return authorize(challenge, { method: 'GET', uri: `${url.pathname}${url.search}`, username, password, cnonce })
  }
  if (!/\bBasic\b/i.test(header)) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

async function read(response: Response, clock: Clock): Promise<Snapshot | Failure> {
  if (!response.ok || !response.body) {
    await response.body?.cancel()
    return failure(`the camera refused its image with HTTP ${response.status}`)
  }
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > mostBytes) return failure(`the image is over ${mostBytes / 2 ** 20} MB`)
    parts.push(part)
  }
  const bytes = new Uint8Array(Buffer.concat(parts))
  const mediaType = sniff(bytes) ?? response.headers.get('content-type')?.split(';')[0]?.trim() ?? ''
  if (!mediaType.startsWith('image/')) return failure(`the camera sent ${mediaType || 'something'} instead of an image`)
  if (length === 0) return failure('the camera sent an empty image')
  return { ok: true, bytes, mediaType, atMs: clock.now() }
}

/** Cameras call their JPEG anything: the first bytes do not lie. */
function sniff(bytes: Uint8Array): string | undefined {
  const starts = (...magic: number[]): boolean => magic.every((byte, index) => bytes[index] === byte)
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg'
  return starts(0x89, 0x50, 0x4e, 0x47) ? 'image/png' : undefined
}

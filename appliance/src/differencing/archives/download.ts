import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { wordsOf } from './words.ts'

/** Fetching from machines that may be slow, gone, or answer something else: bounded in time, size and tries. */

export type Downloaded =
  | {
      readonly ok: true
      readonly bytes: Uint8Array
      /** Lower case, without parameters; empty when the server does not say. */
      readonly type: string
      /** After redirects. */
      readonly url: string
    }
  | { readonly ok: false; readonly reason: string }

export type Download = (url: string, limitBytes: number) => Promise<Downloaded>

export interface DownloadDeps {
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly limits?: DownloadLimits
  /** Nothing is tried any more once it is aborted. */
  readonly signal?: AbortSignal | undefined
}

export interface DownloadLimits {
  readonly tries: number
  /** Of one try, from the question to the last byte: SkyView makes a large picture in a minute. */
  readonly tryMs: number
  /** Before the second try; twice as long before each further one. */
  readonly waitMs: number
  /** A server may ask for a longer wait, up to this. */
  readonly longestWaitMs: number
  readonly redirects: number
}

export const downloadLimits: DownloadLimits = {
  tries: 3,
  tryMs: 120_000,
  waitMs: 2_000,
  longestWaitMs: 60_000,
  redirects: 5,
}

type Attempt = Downloaded & { readonly again?: boolean; readonly waitMs?: number | undefined }

const agent = 'Nightjar (reference archives)'
const timedOut = new Error('timed out')
const stopped = new Error('stopped')

/** A `Download` over `deps.fetch`. Expected failures are reasons that name the machine. */
export function createDownload(deps: DownloadDeps): Download {
  const limits = deps.limits ?? downloadLimits
  return async (url, limitBytes) => {
    let last: Attempt = { ok: false, reason: `${url} was not asked` }
    for (let tries = 1; tries <= limits.tries; tries++) {
      last = await attempt(deps, limits, url, limitBytes)
      if (last.ok || !last.again || tries === limits.tries || deps.signal?.aborted) break
      const wait = Math.min(limits.longestWaitMs, Math.max(last.waitMs ?? 0, limits.waitMs * 2 ** (tries - 1)))
      await deps.clock.sleep(wait, deps.signal).catch(() => undefined)
    }
    return last.ok ? last : { ok: false, reason: last.reason }
  }
}

async function attempt(deps: DownloadDeps, limits: DownloadLimits, url: string, limitBytes: number): Promise<Attempt> {
  const stop = new AbortController()
  const over = new AbortController()
  const end = (): void => stop.abort(stopped)
  deps.signal?.addEventListener('abort', end, { once: true })
  if (deps.signal?.aborted) end()
  const late = deps.clock.sleep(limits.tryMs, over.signal).then(
    () => stop.abort(timedOut),
    () => undefined,
  )
  try {
    return await exchange(deps.fetch, limits, url, limitBytes, stop.signal)
  } catch (error) {
    return failed(url, limits, stop.signal.aborted ? stop.signal.reason : error)
  } finally {
    over.abort()
    deps.signal?.removeEventListener('abort', end)
    await late
  }
}

function failed(url: string, limits: DownloadLimits, error: unknown): Attempt {
  const host = hostOf(url)
  if (error === stopped) return { ok: false, reason: `${host} was not waited for: Nightjar is being stopped` }
  if (error === timedOut)
    return { ok: false, again: true, reason: `${host} did not answer in ${limits.tryMs / 1000} s; try again later` }
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const words = cause instanceof Error ? cause.message : String(cause)
  if (/ENOTFOUND|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH/.test(code))
    return { ok: false, again: true, reason: `${host} cannot be found (${code}): is there a network?` }
  if (/terminated|other side closed|aborted|premature|content-length/i.test(`${words} ${messageOf(error)}`))
    return { ok: false, again: true, reason: `${host} broke off in the middle of its answer` }
  return { ok: false, again: true, reason: `${host} does not answer (${code || words})` }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

/** One question, with its redirects; only http and https, and never from https to http. */
async function exchange(
  ask: typeof fetch,
  limits: DownloadLimits,
  from: string,
  limitBytes: number,
  signal: AbortSignal,
): Promise<Attempt> {
  let url = from
  for (let redirects = 0; redirects <= limits.redirects; redirects++) {
    const wrong = unfit(url, from)
    if (wrong !== undefined) return { ok: false, reason: wrong }
    const headers = { 'user-agent': agent, accept: '*/*' }
    const response = await ask(url, { redirect: 'manual', signal, headers })
    const next = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
    if (next === null) return read(response, url, limitBytes)
    await response.body?.cancel()
    if (!URL.canParse(next, url)) return { ok: false, reason: `${hostOf(url)} sends us on to no address: ${next}` }
    url = new URL(next, url).href
  }
  return { ok: false, reason: `${hostOf(from)} sends us on more than ${limits.redirects} times` }
}

function unfit(url: string, from: string): string | undefined {
  const { protocol, host } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') return `${url.slice(0, 80)} is no address of the web`
  if (protocol === 'http:' && from.startsWith('https:')) return `${host} would be asked without https: give its address`
  return undefined
}

async function read(response: Response, url: string, limitBytes: number): Promise<Attempt> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  const host = hostOf(url)
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > limitBytes) {
    await response.body?.cancel()
    return { ok: false, reason: `${host} would send ${mebibytes(announced)}, the limit is ${mebibytes(limitBytes)}` }
  }
  const bytes = await bodyOf(response, limitBytes)
  if (bytes === undefined) return { ok: false, reason: `${host} sends more than the limit of ${mebibytes(limitBytes)}` }
  if (response.status === 200) return { ok: true, bytes, type, url }
  const words = wordsOf(bytes)
  const reason = `${host} answers ${response.status}${words === '' ? '' : `: ${words}`}`
  const again = response.status === 429 || response.status >= 500
  return { ok: false, reason, again, waitMs: 1000 * Number(response.headers.get('retry-after') ?? 0) || 0 }
}

const mebibytes = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MiB`

/** Undefined when it is more than the limit; a body that ends before its length throws. */
async function bodyOf(response: Response, limitBytes: number): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = []
  let bytes = 0
  if (!response.body) return new Uint8Array()
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    bytes += part.length
    // Leaving the loop cancels what is still to come.
    if (bytes > limitBytes) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts, bytes)
}

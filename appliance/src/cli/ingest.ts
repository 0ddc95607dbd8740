import { openAsBlob } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { ApiError, IngestedFrame, SessionState } from '../contract/api.ts'
import type { Settings } from '../contract/config.ts'
import { createDownload, type Download } from '../differencing/archives/download.ts'
import { imageTypes } from '../frames/fits/facts.ts'
import { type IngestOutcome, ingestFile, type Origin } from '../observatory/ingestFile.ts'
import { openStore } from '../store/openStore.ts'
import { openSettings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'
import { addressOf, type FetchedFile, fetchFile } from './ingestUrl.ts'

export const help = `Usage: nightjar ingest FILES… [options]

Takes FITS files of an archive (plain, .fz or .gz) as frames, as if the camera had just made them: checked, hashed, with
where they came from in header and journal. FILES are paths, addresses (https://…) or URIs of MAST (mast:…), which are fetched. Files
stay where they are; the same file twice is one frame. A light frame must show one of the fields of the settings: by its
coordinates, or by OBJECT where it has none. Prints one line a file.

  --type TYPE   light, dark, bias or flat, for files whose header does not say (no IMAGETYP)
  --field NAME  the field of light frames whose header says neither a place nor the field's name
  --data DIR    the daemon's data folder (default: data in this checkout)
  --user NAME   an operator; needed while the daemon runs on that folder, with the password in NIGHTJAR_PASSWORD
  --url URL     of the running daemon's panel (default: http at the host and port of its settings)

Exit status: 0 when every file is a frame now, 1 when one was refused, 2 for a wrong call.`

const options = {
  data: { type: 'string' },
  user: { type: 'string' },
  url: { type: 'string' },
  type: { type: 'string' },
  field: { type: 'string' },
} as const
const defaultData = fileURLToPath(new URL('../../../data', import.meta.url))
/** The pipeline works through a long archive at its own pace: each try waits as long as the daemon says. */
const triesPerFile = 1000
const retrySeconds = 10

type Take = (from: string | FetchedFile) => Promise<IngestOutcome>
/** What is known of the files that their headers may not say. */
export type Known = Pick<Origin, 'type' | 'field'>

/** How archives are reached, so that a test can pass its own. */
export interface IngestWorld {
  readonly fetch: typeof fetch
  readonly clock: Clock
}

export async function run(argv: string[], world: IngestWorld = { fetch, clock: systemClock }): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name the files: nightjar ingest FILES…')
  const known = knownOf(values)
  const folder = resolve(values.data ?? defaultData)
  const { current } = await openSettings(folder)
  using store = values.url === undefined ? openUnlessBusy(folder) : undefined
  const password = process.env['NIGHTJAR_PASSWORD']
  const take = store
    ? takeInto(store, current, known)
    : await takeThrough(values.url ?? panelOf(current), values.user, password, world.clock, known)
  const download = createDownload(world)
  let refused = 0
  for (const from of positionals) {
    const outcome = await takeFrom(from, take, download)
    if (!outcome.ok) refused++
    console.log(`${from}: ${lineOf(outcome)}`)
  }
  return refused === 0 ? 0 : 1
}

function knownOf({ type, field }: { readonly type?: string; readonly field?: string }): Known {
  const named = field === undefined ? {} : { field }
  if (type === undefined) return named
  if (Object.hasOwn(imageTypes, type)) return { ...named, type: type as keyof typeof imageTypes }
  throw new NightjarError('cli/usage', `--type is one of ${Object.keys(imageTypes).join(', ')}, not ${type}`)
}

async function takeFrom(from: string, take: Take, download: Download): Promise<IngestOutcome> {
  const address = addressOf(from)
  if (address === undefined) return await take(from)
  const fetched = await fetchFile(download, address)
  return typeof fetched === 'string' ? { ok: false, reason: fetched } : await take(fetched)
}

function lineOf(outcome: IngestOutcome): string {
  if (!outcome.ok) return `refused, ${outcome.reason}`
  const { frameId, type, fieldId } = outcome.frame
  return `${outcome.known ? 'known as' : 'taken as'} ${frameId} (${type}, ${fieldId})`
}

/** Undefined when a daemon has the folder. */
function openUnlessBusy(folder: string): Store | undefined {
  try {
    return openStore(folder)
  } catch (error) {
    if (error instanceof NightjarError && error.code === 'store/busy') return undefined
    throw error
  }
}

function takeInto(store: Store, settings: Settings, known: Known): Take {
  const deps = { store, clock: systemClock, settings: () => settings }
  return (from) => {
    if (typeof from === 'string') return ingestFile(deps, from, { source: 'archive', name: basename(from), ...known })
    const { name, url, bytes } = from
    return ingestFile(deps, bytes, { source: 'archive', name, url, ...known })
  }
}

function panelOf({ server }: Settings): string {
  if (server.port === 0) throw new NightjarError('cli/usage', 'the daemon chose its port itself: give --url')
  return `http://${server.host.includes(':') ? `[${server.host}]` : server.host}:${server.port}`
}

/** Logs in at a running daemon. Throws `cli/usage` without a name and password, `cli/daemon` when it does not let us in. */
export async function takeThrough(
  url: string,
  username: string | undefined,
  password: string | undefined,
  clock: Clock,
  known: Known = {},
): Promise<Take> {
  if (username === undefined || password === undefined)
    throw new NightjarError('cli/usage', 'a daemon runs on this folder: give --user and set NIGHTJAR_PASSWORD')
  const { origin } = new URL(url)
  const login = await post(`${origin}/api/login`, JSON.stringify({ username, password }), {
    origin,
    'content-type': 'application/json',
  })
  if (!login.ok) throw new NightjarError('cli/daemon', `${origin}: ${((await login.json()) as ApiError).message}`)
  const { csrfToken } = (await login.json()) as SessionState
  const cookie = login.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ')
  const headers = { origin, cookie, 'x-csrf-token': csrfToken, 'content-type': 'application/fits' }
  return (from) => bring(`${origin}/api/frames`, headers, from, known, clock)
}

/** Brings one file; waits while the daemon has no room for it. */
async function bring(
  url: string,
  headers: Record<string, string>,
  from: string | FetchedFile,
  known: Known,
  clock: Clock,
): Promise<IngestOutcome> {
  const body = typeof from === 'string' ? await openAsBlob(from).catch(() => undefined) : new Blob([copyOf(from.bytes)])
  if (!body) return { ok: false, reason: 'it cannot be read' }
  const what = typeof from === 'string' ? { name: basename(from) } : { name: from.name, url: from.url }
  const where = `${url}?${new URLSearchParams({ source: 'archive', ...what, ...known })}`
  for (let tries = 0; tries < triesPerFile; tries++) {
    const answer = await post(where, body, headers)
    if (answer.ok) return { ok: true, ...((await answer.json()) as IngestedFrame) }
    const { message } = (await answer.json()) as ApiError
    if (answer.status !== 503 && answer.status !== 429) return { ok: false, reason: message }
    await clock.sleep(1000 * Number(answer.headers.get('retry-after') ?? retrySeconds))
  }
  return { ok: false, reason: 'the daemon had no room for it; bring it later' }
}

/** A Blob takes no bytes of shared memory. */
const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes)

async function post(url: string, body: string | Blob, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { method: 'POST', body, headers })
  } catch (cause) {
    throw new NightjarError('cli/daemon', `${new URL(url).origin} does not answer: is --url that of its panel?`, {
      cause,
    })
  }
}

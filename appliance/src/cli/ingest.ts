import { openAsBlob } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { ApiError, IngestedFrame, SessionState } from '../contract/api.ts'
import type { Settings } from '../contract/config.ts'
import { type IngestOutcome, ingestFile } from '../observatory/ingestFile.ts'
import { openStore } from '../store/openStore.ts'
import { openSettings } from '../store/settings.ts'
import type { Store } from '../store/store.ts'

export const help = `Usage: nightjar ingest FILES… [options]

Takes FITS files of an archive (plain, .fz or .gz) as frames, as if the camera had just made them: checked, hashed, with
where they came from in header and journal. The files stay where they are; the same file twice is one frame. A light frame
must show one of the fields of the settings. Prints one line a file.

  --data DIR    the daemon's data folder (default: data in this checkout)
  --user NAME   an operator; needed while the daemon runs on that folder, with the password in NIGHTJAR_PASSWORD
  --url URL     of the running daemon's panel (default: http at the host and port of its settings)

Exit status: 0 when every file is a frame now, 1 when one was refused, 2 for a wrong call.`

const options = { data: { type: 'string' }, user: { type: 'string' }, url: { type: 'string' } } as const
const defaultData = fileURLToPath(new URL('../../../data', import.meta.url))
/** The pipeline works through a long archive at its own pace: each try waits as long as the daemon says. */
const triesPerFile = 1000
const retrySeconds = 10

type Take = (path: string) => Promise<IngestOutcome>

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name the files: nightjar ingest FILES…')
  const folder = resolve(values.data ?? defaultData)
  const { current } = await openSettings(folder)
  using store = values.url === undefined ? openUnlessBusy(folder) : undefined
  const take = store
    ? takeInto(store, current)
    : await takeThrough(values.url ?? panelOf(current), values.user, process.env['NIGHTJAR_PASSWORD'], systemClock)
  let refused = 0
  for (const path of positionals) {
    const outcome = await take(path)
    if (!outcome.ok) refused++
    console.log(`${path}: ${lineOf(outcome)}`)
  }
  return refused === 0 ? 0 : 1
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

function takeInto(store: Store, settings: Settings): Take {
  const deps = { store, clock: systemClock, settings: () => settings }
  return (path) => ingestFile(deps, path, { source: 'archive', name: basename(path) })
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
  return (path) => bring(`${origin}/api/frames`, headers, path, clock)
}

/** Brings one file; waits while the daemon has no room for it. */
async function bring(url: string, headers: Record<string, string>, path: string, clock: Clock): Promise<IngestOutcome> {
  const body = await openAsBlob(path).catch(() => undefined)
  if (!body) return { ok: false, reason: 'it cannot be read' }
  const where = `${url}?${new URLSearchParams({ name: basename(path), source: 'archive' })}`
  for (let tries = 0; tries < triesPerFile; tries++) {
    const answer = await post(where, body, headers)
    if (answer.ok) return { ok: true, ...((await answer.json()) as IngestedFrame) }
    const { message } = (await answer.json()) as ApiError
    if (answer.status !== 503 && answer.status !== 429) return { ok: false, reason: message }
    await clock.sleep(1000 * Number(answer.headers.get('retry-after') ?? retrySeconds))
  }
  return { ok: false, reason: 'the daemon had no room for it; bring it later' }
}

async function post(url: string, body: string | Blob, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { method: 'POST', body, headers })
  } catch (cause) {
    throw new NightjarError('cli/daemon', `${new URL(url).origin} does not answer: is --url that of its panel?`, {
      cause,
    })
  }
}

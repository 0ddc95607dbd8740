import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { listFiles } from '../../src/store/frameFiles.ts'
import { databaseName } from '../../src/store/verify.ts'

/** The real program on one data folder, life after life. */

const entry = new URL('../../src/cli/main.ts', import.meta.url).pathname
const mark = 'NIGHTJAR_TEST_LIVES'
/** The guardian parks and closes first, and the simulator waits until the guardian is gone. */
const patienceMs = 40_000

export interface Life {
  readonly pid: number
  /** From the start until it said where its panel is; undefined when it did not live to say so. */
  readySeconds(): number | undefined
  kill(): Promise<void>
  /** Resolves to the exit status and what it printed. */
  ended(): Promise<{ readonly status: number | null; readonly said: string; readonly complaints: string }>
}

/** Every process of this life, its children too, carries `name` in its environment. */
export function startLife(name: string, args: readonly string[]): Life {
  const startedAtMs = systemClock.monotonic()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, 'start', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [mark]: name },
  })
  const exit = once(child, 'exit')
  let said = ''
  let complaints = ''
  let readySeconds: number | undefined
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.includes('Nightjar is at')) readySeconds ??= (systemClock.monotonic() - startedAtMs) / 1000
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString()
  })
  return {
    pid: child.pid ?? 0,
    readySeconds: () => readySeconds,
    async kill() {
      child.kill('SIGKILL')
      await exit
    },
    async ended() {
      await exit
      return { status: child.exitCode, said, complaints }
    },
  }
}

/**
 * Processes of the lives whose names begin with `name` that still run, after the time that a kernel may need to end them, and that a
 * database on `folder` may need to close.
 */
export async function survivorsOf(name: string, folder: string): Promise<number[]> {
  const deadline = systemClock.monotonic() + patienceMs
  for (;;) {
    const found = processes().filter((pid) => belongs(pid, `${mark}=${name}`, folder))
    if (found.length === 0 || systemClock.monotonic() > deadline) return found
    await systemClock.sleep(100)
  }
}

const processes = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger)

/** PostgreSQL gets a clean environment, but names its folder. */
const belongs = (pid: number, assignment: string, folder: string): boolean =>
  wordsOf(pid, 'environ').some((word) => word.startsWith(assignment)) ||
  wordsOf(pid, 'cmdline').some((word) => word.startsWith(`${folder}/`))

/** Empty for a process that is gone, that is another user's, or that is dead and not yet waited for. */
function wordsOf(pid: number, file: 'environ' | 'cmdline'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** What a killed life was in the middle of, as its data folder tells. */
export function phaseOf(folder: string): string {
  const path = join(folder, databaseName)
  if (!existsSync(path)) return 'before the store'
  using database = new DatabaseSync(path, { readOnly: true })
  if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").get()) return 'before the store'
  const last = database.prepare('SELECT type, body FROM journal ORDER BY seq DESC LIMIT 1').get()
  const jobs = database.prepare("SELECT DISTINCT stage FROM jobs WHERE state = 'waiting' ORDER BY stage").all()
  const half = listFiles(folder).filter((file) => file.endsWith('.part'))
  const unadopted = unadoptedFrames(folder, database)
  return [
    last ? `after ${last['type']}${exposureType(String(last['body']))}` : 'before the first event',
    ...(jobs.length > 0 ? [`jobs: ${jobs.map((job) => job['stage']).join(' ')}`] : []),
    ...half.map((file) => `half-written ${file.split('/')[0]}`),
    ...unadopted.map(() => 'a frame without its journal line'),
  ].join(', ')
}

function exposureType(body: string): string {
  const { type } = JSON.parse(body) as { type?: string }
  return type ? ` (${type})` : ''
}

/** Frame files that no row speaks of. */
export function unadoptedFrames(folder: string, database: DatabaseSync): string[] {
  const known = new Set(
    database
      .prepare("SELECT record ->> 'path' AS path FROM frames")
      .all()
      .map((row) => String(row['path'])),
  )
  if (!existsSync(join(folder, 'frames'))) return []
  return listFiles(join(folder, 'frames'))
    .map((file) => `frames/${file}`)
    .filter((path) => path.endsWith('.fits') && !known.has(path))
}

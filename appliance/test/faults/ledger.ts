import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashFile } from '../../src/store/frameFiles.ts'
import { openStore } from '../../src/store/openStore.ts'
import { openSettings } from '../../src/store/settings.ts'

/** What a writer said it had stored, and whether it is there. */

export type WriterKind = 'store' | 'stubborn' | 'naive'

export interface Writer {
  readonly process: ChildProcess
  /** Lines so far, whole ones only. */
  acknowledged(): string[]
  /** Resolves when nothing more can come. */
  readonly ended: Promise<void>
  /** Resolves at the first line. Rejects when the writer ends before. */
  readonly begun: Promise<void>
  /** What it complained of. */
  complaints(): string
}

/** `wrapper` is a program, with its arguments, that runs the writer. */
export function startWriter(folder: string, life: string, kind: WriterKind, wrapper: readonly string[] = []): Writer {
  const script = new URL('./writer.ts', import.meta.url).pathname
  const [program = '', ...args] = [...wrapper, process.execPath, script, folder, life, kind]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let complaints = ''
  child.stderr.on('data', (chunk) => (complaints += String(chunk)))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const begun = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      text += String(chunk)
      resolve()
    })
    void ended.then(() => reject(new Error(`the writer ended before it wrote: ${complaints}`)))
  })
  // A writer whose beginning nobody waits for may end in peace.
  begun.catch(() => undefined)
  return {
    process: child,
    acknowledged: () => text.split('\n').slice(0, -1),
    ended,
    begun,
    complaints: () => complaints,
  }
}

/** Acknowledged lines whose thing is not there, and everything that `verify` finds wrong. */
export async function findLost(folder: string, acknowledged: readonly string[]): Promise<string[]> {
  const lost: string[] = []
  using store = openStore(folder)
  const settings = await openSettings(folder)
  const setting = Math.max(
    0,
    ...acknowledged.filter((line) => line.startsWith('setting ')).map((line) => Number(line.slice(8))),
  )
  if (setting > settings.current.gate.disk.minFreeBytes) lost.push(`setting ${setting}`)
  for (const line of acknowledged) {
    if (line.startsWith('setting ') || line.startsWith('failed ')) continue
    if (!(await isThere(folder, store, line))) lost.push(line)
  }
  const report = await store.verify()
  return [...lost, ...report.problems.map((problem) => `verify: ${problem}`)]
}

async function isThere(folder: string, store: ReturnType<typeof openStore>, line: string): Promise<boolean> {
  const [kind, first = '', ...rest] = line.split(' ')
  if (kind === 'file') {
    const path = join(folder, first)
    return existsSync(path) && (await hashFile(path)).sha256 === rest[0]
  }
  const event = store.events(Number(first) - 1, 1)[0]
  if (kind === 'event') return event?.type === 'daemon.stopped' && event.body.reason === rest.join(' ')
  return event?.type === 'frame.captured' && event.body.frameId === rest[0] && store.frame(rest[0]!) !== undefined
}

/** The same for the naive writer: an unreadable file has lost everything. */
export function findNaivelyLost(folder: string, acknowledged: readonly string[]): string[] {
  const path = join(folder, 'naive.json')
  let kept: string[] = []
  try {
    kept = JSON.parse(readFileSync(path, 'utf8')) as string[]
  } catch {
    // Missing, empty or full of zeros.
  }
  const there = new Set(kept)
  return acknowledged.filter((line) => !there.has(line.split(' ')[1]!))
}

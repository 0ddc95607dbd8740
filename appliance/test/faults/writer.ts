import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { writeDurably } from '../../src/store/frameFiles.ts'
import { openStore } from '../../src/store/openStore.ts'
import { openSettings, type SettingsFile } from '../../src/store/settings.ts'
import type { Store } from '../../src/store/store.ts'
import { sampleFrame } from '../../src/store/testing/samples.ts'

/**
 * A process to be killed: writes without end and prints a line once each thing is stored, as far as it was told.
 *
 *   node writer.ts FOLDER LIFE store    frames, events, jobs and settings through the store
 *   node writer.ts FOLDER LIFE stubborn the same, going on after each failure
 *   node writer.ts FOLDER LIFE naive    a JSON file written beside and renamed without fsync: what must be caught losing
 */

const [folder = '', life = '', kind = ''] = process.argv.slice(2)

function acknowledge(...words: (string | number)[]): void {
  writeSync(1, `${words.join(' ')}\n`)
}

/** Stores frame `n` with its file, its event and its job. */
async function writeFrame(store: Store, n: number): Promise<void> {
  const frameId = `${life}-${n}`
  const path = `frames/${life}/${frameId}.fits`
  const file = await writeDurably(join(folder, path), [randomBytes(6_000), randomBytes(6_000)])
  acknowledge('file', path, file.sha256)
  const frame = sampleFrame({ frameId, path, ...file })
  const { type, fieldId, exposureSeconds } = frame
  const seq = store.commit(n, (tx) => {
    tx.putFrame(frame)
    tx.job('preprocessing', frameId)
    return tx.event('frame.captured', { frameId, type, fieldId, exposureSeconds, path, ...file })
  })
  acknowledge('frame', seq, frameId)
}

/** One round of everything. */
async function writeAll(store: Store, settings: SettingsFile, n: number): Promise<void> {
  await writeFrame(store, n)
  const seq = store.commit(n, (tx) => tx.event('daemon.stopped', { reason: `${life} ${n}` }))
  acknowledge('event', seq, `${life} ${n}`)
  if (n % 3 !== 0) return
  const next = settings.current.gate.disk.minFreeBytes + 1
  await settings.update((current) => ({ ...current, gate: { ...current.gate, disk: { minFreeBytes: next } } }))
  acknowledge('setting', next)
}

async function writeStore(): Promise<never> {
  const store = openStore(folder)
  const settings = await openSettings(folder)
  for (let n = 1; ; n++) {
    try {
      await writeAll(store, settings, n)
    } catch (error) {
      if (kind !== 'stubborn') throw error
      acknowledge('failed', error instanceof Error && 'code' in error ? String(error.code) : String(error))
    }
  }
}

function writeNaively(): never {
  const path = join(folder, 'naive.json')
  const kept = readdirSync(folder).includes('naive.json') ? (JSON.parse(readFileSync(path, 'utf8')) as string[]) : []
  for (let n = 1; ; n++) {
    kept.push(`${life}-${n}`)
    writeFileSync(`${path}.tmp`, JSON.stringify(kept))
    renameSync(`${path}.tmp`, path)
    acknowledge('naive', `${life}-${n}`)
  }
}

if (kind === 'naive') writeNaively()
else await writeStore()

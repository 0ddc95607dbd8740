import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { IngestSettings } from '../contract/config.ts'
import type { Store } from '../store/store.ts'
import type { IngestOutcome, Origin } from './ingestFile.ts'

export interface WatchDeps {
  readonly store: Store
  readonly clock: Clock
  readonly settings: IngestSettings
  readonly take: (path: string, origin: Origin) => Promise<IngestOutcome>
  /** Resolves when the pipeline has room for another frame: the camera's frames must not wait behind a folder. */
  readonly room: (signal: AbortSignal) => Promise<void>
  /** Told once when the folder cannot be looked at, and again when the reason changed. */
  readonly onTrouble: (reason: string) => void
}

interface Size {
  readonly bytes: number
  readonly modifiedAtMs: number
}

/** More files in one folder are left out of a look: the first ones by name are taken. */
const filesPerLook = 10_000
const fitsName = /^[^.].*\.(fits?|fts)(\.(fz|gz))?$/i
const same = (a: Size | undefined, b: Size): boolean => a?.bytes === b.bytes && a.modifiedAtMs === b.modifiedAtMs

/**
 * Takes the FITS files of a folder as they come. A file that did not change between two looks is whole, or will be refused
 * and looked at again when it grows. Subfolders and links are not followed. Files stay where they are; what was taken is
 * remembered in the store, what was refused until the next start, when the settings may be others.
 */
export class FolderWatch {
  readonly #deps: WatchDeps
  #before = new Map<string, Size>()
  #refused = new Map<string, Size>()
  #trouble = ''

  constructor(deps: WatchDeps) {
    this.#deps = deps
  }

  /** Looks until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#deps
    while (!signal.aborted) {
      await this.look(signal).then(
        () => this.#tell(''),
        (error: unknown) => {
          if (!signal.aborted) this.#tell(error instanceof Error ? error.message : String(error))
        },
      )
      await clock.sleep(settings.everySeconds * 1000, signal).catch(() => undefined)
    }
  }

  /** One look: takes what has not changed since the one before. Throws when the folder cannot be read or the disk is full. */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#deps
    const now = await clock.during(sizesIn(settings.folder))
    const settled = [...now].filter(([path, size]) => same(this.#before.get(path), size) && this.#isNew(path, size))
    this.#before = now
    this.#refused = new Map([...this.#refused].filter(([path]) => now.has(path)))
    for (const [path, size] of settled) {
      await this.#deps.room(signal)
      await this.#take(path, size)
    }
  }

  #isNew(path: string, size: Size): boolean {
    if (same(this.#refused.get(path), size)) return false
    return !same(this.#deps.store.takenFile(path), size)
  }

  async #take(path: string, size: Size): Promise<void> {
    const { store, clock, take, settings } = this.#deps
    const name = path.slice(join(settings.folder, '/').length)
    // Also of a file that was made anew since the look.
    if (!same(await clock.during(sizeOf(path)), size)) return
    const outcome = await take(path, { source: 'folder', name })
    if (outcome.ok) {
      const { frameId, sha256, provenance } = outcome.frame
      const file = { path, ...size, sha256: provenance?.sha256 ?? sha256, frameId }
      store.commit(clock.now(), (tx) => tx.putTakenFile(file))
    } else if (!outcome.later) this.#refused.set(path, size)
  }

  #tell(trouble: string): void {
    if (trouble !== '' && trouble !== this.#trouble) this.#deps.onTrouble(trouble)
    this.#trouble = trouble
  }
}

async function sizesIn(folder: string): Promise<Map<string, Size>> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile() && fitsName.test(entry.name)).map(({ name }) => name)
  const sizes = new Map<string, Size>()
  for (const name of names.sort().slice(0, filesPerLook)) {
    const size = await sizeOf(join(folder, name))
    if (size) sizes.set(join(folder, name), size)
  }
  return sizes
}

/** Undefined for a file that went away. */
async function sizeOf(path: string): Promise<Size | undefined> {
  const facts = await stat(path).catch(() => undefined)
  return facts && { bytes: facts.size, modifiedAtMs: facts.mtimeMs }
}

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { type PreviewQuery, previewWidths } from '../../contract/api.ts'
import type { FrameRecord } from '../../contract/records.ts'
import { type Offload, offloadToWorker, taskIn } from '../../frames/offload.ts'
import { resolveInside } from '../files.ts'
import { Refusal } from '../refusal.ts'
import type * as task from './task.ts'

const drawPreview = taskIn<typeof task, 'drawPreview'>(import.meta.resolve('./task.ts'), 'drawPreview')
const cacheLimitFiles = 4000
const pruneEvery = 200
const waitingLimit = 64

/** Pictures of frames, drawn once in a worker thread and kept under `previews/` in the data folder. */
export interface Previews extends AsyncDisposable {
  /** WebP. Throws a Refusal when the frame's file cannot be drawn or too many wait. */
  get(frame: FrameRecord, query: PreviewQuery): Promise<Uint8Array>
}

/** Opens the cache; the worker starts with the first picture that is not in it. */
export function openPreviews(
  folder: string,
  clock: Clock,
  startWorker: () => Offload = () => offloadToWorker(1, clock),
): Previews {
  const cache = join(folder, 'previews')
  const underWay = new Map<string, Promise<Uint8Array>>()
  let worker: Offload | undefined
  let written = 0

  async function getOrDraw(name: string, path: string, width: number, query: PreviewQuery): Promise<Uint8Array> {
    const known = await readFile(join(cache, name)).catch(() => undefined)
    if (known) return known
    await resolveInside(folder, path)
    worker ??= startWorker()
    const drawn = await worker.run(drawPreview, { folder, path, width, stretch: query.stretch })
    await keep(name, drawn)
    return drawn
  }

  async function keep(name: string, bytes: Uint8Array): Promise<void> {
    await mkdir(cache, { recursive: true })
    if (written++ % pruneEvery === 0) await prune(cache)
    await writeFile(join(cache, `${name}.part`), bytes)
    await rename(join(cache, `${name}.part`), join(cache, name))
  }

  return {
    get(frame, query) {
      const source = query.source === 'calibrated' && frame.calibratedPath ? 'calibrated' : 'captured'
      const path = source === 'calibrated' ? frame.calibratedPath! : frame.path
      const width = previewWidths.find((one) => one >= query.width) ?? previewWidths.at(-1)!
      const name = `${frame.frameId}-${frame.sha256.slice(0, 12)}-${source}-${query.stretch}-${width}.webp`
      const same = underWay.get(name)
      if (same) return same
      if (underWay.size >= waitingLimit) throw new Refusal(503, 'preview/busy', 'too many pictures wait: try again', 2)
      const work = getOrDraw(name, path, width, query).catch((error: unknown) => explain(error, folder))
      underWay.set(name, work)
      return work.finally(() => underWay.delete(name))
    },
    async [Symbol.asyncDispose]() {
      await worker?.[Symbol.asyncDispose]()
    },
  }
}

/** A file that cannot be drawn is the file's fault: says so without telling where the data folder is. */
function explain(error: unknown, folder: string): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (!code.startsWith('fits/')) throw error
  throw new Refusal(422, code, (error as Error).message.replaceAll(folder + sep, ''))
}

/** Removes the oldest pictures above the limit. */
async function prune(cache: string): Promise<void> {
  const names = await readdir(cache)
  if (names.length <= cacheLimitFiles) return
  const aged = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(cache, name)).catch(() => undefined))?.mtimeMs ?? 0 })),
  )
  aged.sort((a, b) => a.at - b.at)
  for (const { name } of aged.slice(0, names.length - cacheLimitFiles)) await rm(join(cache, name), { force: true })
}

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { findLost, findNaivelyLost, startWriter, type WriterKind } from './ledger.ts'

/**
 * Power cuts. A writer works on an ext4 file system in an image file. At a random moment it is stopped and the image file
 * is copied: the copy holds what the disk would hold, and nothing that was still in memory on its way there. The copy is
 * mounted, recovered and compared with what the writer had said, and the next life goes on from it.
 */

const imageBytes = 256 * 2 ** 20
/** A new image after so many cuts, before it is full. */
const cutsPerImage = 10
const unmountAttempts = 40

export interface PowerCutReport {
  readonly cuts: number
  readonly acknowledged: number
  /** Acknowledged and gone, and what `verify` found wrong. */
  readonly lost: readonly string[]
  /** Cuts after which something was lost. */
  readonly cutsWithLoss: number
}

/** Why power cannot be cut here; undefined when it can. */
export async function powerCutObstacle(): Promise<string | undefined> {
  if (userInfo().uid !== 0) return 'mounting needs root'
  using scratch = temporaryFolder()
  try {
    const image = makeImage(scratch.path)
    await using _ = mount(image, join(scratch.path, 'mounted'))
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    return `a file system in a file cannot be mounted (${reason}); needed: apt-get install e2fsprogs mount`
  }
}

export async function cutPower(options: {
  readonly cuts: number
  readonly random: Random
  readonly kind: WriterKind
  readonly onCut?: (cut: number, lost: readonly string[]) => void
}): Promise<PowerCutReport> {
  using scratch = temporaryFolder()
  const lost: string[] = []
  let total = 0
  let cutsWithLoss = 0
  let acknowledged: string[] = []
  let image = ''
  for (let cut = 1; cut <= options.cuts; cut++) {
    if ((cut - 1) % cutsPerImage === 0) {
      acknowledged = []
      image = makeImage(scratch.path)
    }
    const before = acknowledged.length
    acknowledged.push(...(await liveUntilCut(image, scratch.path, `life${cut}`, options)))
    total += acknowledged.length - before
    const gone = await missing(image, scratch.path, acknowledged, options.kind)
    if (gone.length > 0) {
      cutsWithLoss++
      lost.push(...gone)
      // What is gone is counted once.
      acknowledged = acknowledged.filter((line) => !gone.includes(line))
    }
    options.onCut?.(cut, gone)
  }
  return { cuts: options.cuts, acknowledged: total, lost, cutsWithLoss }
}

/** Lets a writer live on `image` and replaces the image by what the disk held at a random moment. */
async function liveUntilCut(
  image: string,
  scratch: string,
  life: string,
  { random, kind }: { readonly random: Random; readonly kind: WriterKind },
): Promise<string[]> {
  const copy = join(scratch, 'copy.img')
  await using mounted = mount(image, join(scratch, 'mounted'))
  const writer = startWriter(mounted.path, life, kind)
  try {
    await writer.begun
    await systemClock.sleep(random.next() * 1_000)
    writer.process.kill('SIGSTOP')
    execFileSync('cp', ['--sparse=always', image, copy])
  } finally {
    writer.process.kill('SIGKILL')
    await writer.ended
  }
  await mounted[Symbol.asyncDispose]()
  execFileSync('mv', [copy, image])
  return writer.acknowledged()
}

async function missing(
  image: string,
  scratch: string,
  acknowledged: readonly string[],
  kind: WriterKind,
): Promise<string[]> {
  await using mounted = mount(image, join(scratch, 'mounted'))
  if (kind === 'naive') {
    const gone = findNaivelyLost(mounted.path, acknowledged)
    // The next life starts afresh: this one cannot recover.
    rmSync(join(mounted.path, 'naive.json'), { force: true })
    return gone.length > 0 ? gone : []
  }
  try {
    return await findLost(mounted.path, acknowledged)
  } catch (error) {
    return [`unreadable: ${error instanceof Error ? error.message : String(error)}`]
  }
}

function makeImage(folder: string): string {
  const image = join(folder, 'disk.img')
  writeFileSync(image, '')
  truncateSync(image, imageBytes)
  execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'pipe' })
  return image
}

/** A mounted image; unmounted, once, at the end of its scope. */
function mount(image: string, at: string): AsyncDisposable & { readonly path: string } {
  mkdirSync(at, { recursive: true })
  execFileSync('mount', ['-o', 'loop', image, at], { stdio: 'pipe' })
  let mounted = true
  return {
    path: at,
    async [Symbol.asyncDispose]() {
      if (mounted) await unmount(at)
      mounted = false
    },
  }
}

/** A file that was just read or whose writer was just killed may be open for a moment longer. */
async function unmount(at: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      execFileSync('umount', [at], { stdio: 'pipe' })
      return
    } catch (error) {
      if (attempt === unmountAttempts) throw error
      await systemClock.sleep(50)
    }
  }
}

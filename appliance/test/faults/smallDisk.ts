import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

/** A file system of its own that is soon full. */
export interface SmallDisk extends Disposable {
  readonly path: string
  /** Makes it larger, with what is on it. */
  grow(bytes: number): void
}

/** Undefined when we may not mount one: that needs root. */
export function smallDisk(at: string, bytes: number): SmallDisk | undefined {
  if (userInfo().uid !== 0) return undefined
  mkdirSync(at)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', at]).status !== 0) return undefined
  return {
    path: at,
    grow: (more) => void execFileSync('mount', ['-o', `remount,size=${more}`, at]),
    [Symbol.dispose]: () => void execFileSync('umount', [at]),
  }
}

export function canMount(): boolean {
  using scratch = temporaryFolder()
  using disk = smallDisk(join(scratch.path, 'disk'), 2 ** 20)
  return disk !== undefined
}

import { diskFiles, type Files } from '../frameFiles.ts'

/** A call on the disk: what is done and to which file. */
export type Call = 'create' | 'write' | 'sync' | 'rename' | 'syncFolder'

export interface FaultyFiles extends Files {
  /** Every call so far, in order. */
  readonly calls: string[]
}

/** The real disk, except that `fault` may answer a call with an errno such as `ENOSPC` or `EIO`. */
export function faultyFiles(fault: (call: Call, path: string, nth: number) => string | undefined): FaultyFiles {
  const calls: string[] = []
  const check = (call: Call, path: string): void => {
    calls.push(`${call} ${path.split('/').at(-1)}`)
    const code = fault(call, path, calls.length)
    if (code) throw Object.assign(new Error(`${code}: injected`), { code })
  }
  return {
    ...diskFiles,
    calls,
    async create(path) {
      check('create', path)
      const file = await diskFiles.create(path)
      return {
        async write(bytes) {
          check('write', path)
          await file.write(bytes)
        },
        async sync() {
          check('sync', path)
          await file.sync()
        },
        close: () => file.close(),
      }
    },
    async rename(from, to) {
      check('rename', to)
      await diskFiles.rename(from, to)
    },
    async syncFolder(path) {
      check('syncFolder', path)
      await diskFiles.syncFolder(path)
    },
  }
}

import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Replacement } from './packFile.ts'

/** Does one file after the other and prints a line for each; 1 when one was refused, which leaves the others their turn. */
export async function forEachFile(
  paths: readonly string[],
  json: boolean,
  work: (path: string) => Promise<Replacement>,
): Promise<number> {
  if (paths.length === 0) throw new NightjarError('cli/usage', 'name at least one file')
  let refused = 0
  for (const path of paths) {
    try {
      const done = await work(path)
      const percent = ((100 * done.bytesAfter) / done.bytesBefore).toFixed(1)
      console.log(json ? JSON.stringify({ from: path, ok: true, ...done }) : `${path}: ${done.path}, ${percent} %`)
    } catch (error) {
      if (!(error instanceof NightjarError)) throw error
      refused++
      console.log(json ? JSON.stringify({ from: path, ok: false, reason: error.message }) : error.message)
    }
  }
  return refused === 0 ? 0 : 1
}

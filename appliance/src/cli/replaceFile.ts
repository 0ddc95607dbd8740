import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/** Writes a user's output file beside, syncs and renames it, so that it is never half there. Throws `cli/output`. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    const beside = `${path}.part`
    {
      await using handle = await open(beside, 'w')
      await handle.writeFile(bytes)
      await handle.sync()
    }
    await rename(beside, path)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('cli/output', `${path} cannot be written: ${reason}`, { cause })
  }
}

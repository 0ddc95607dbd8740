import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type ByteSource, fitsError } from './structure.ts'

/** More than this in one image or unpacked file is refused unless the caller allows more: 256 Mpx of 16 bits. */
export const defaultMaximumBytes = 512 * 1024 * 1024

const packers: readonly (readonly [string, string])[] = [
  ['BZh', 'bzip2'],
  ['\xfd7zXZ', 'xz'],
  ['PK\x03\x04', 'zip'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
  ['\x1f\x9d', 'compress'],
]

/** A source over bytes in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    sizeBytes: bytes.length,
    read: (offset, length) => bytes.subarray(offset, Math.min(bytes.length, offset + length)),
  }
}

function withFile<T>(path: string, work: (descriptor: number) => T): T {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('fits/unreadable', `${path}: cannot be opened (${reason})`, { cause })
  }
  try {
    return work(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Reads `target.length` bytes at `offset`, straight into `target` (which may lie in the pixel memory). */
export function readFileInto(path: string, offset: number, target: Uint8Array): number {
  return withFile(path, (descriptor) => {
    let done = 0
    while (done < target.length) {
      const count = readSync(descriptor, target, done, target.length - done, offset + done)
      if (count === 0) break
      done += count
    }
    return done
  })
}

function fileSource(path: string): ByteSource {
  const sizeBytes = withFile(path, (descriptor) => {
    const status = fstatSync(descriptor)
    if (!status.isFile()) throw new NightjarError('fits/unreadable', `${path}: is not a file`)
    return status.size
  })
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, sizeBytes - offset)))
    return bytes.subarray(0, readFileInto(path, offset, bytes))
  }
  return { name: basename(path), sizeBytes, read }
}

function gunzip(source: ByteSource, maximumBytes: number): Uint8Array {
  if (source.sizeBytes > maximumBytes) throw tooLarge(source, maximumBytes)
  try {
    return gunzipSync(source.read(0, source.sizeBytes), { maxOutputLength: maximumBytes })
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(source, maximumBytes)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw fitsError('gzip', source, `the gzip data are damaged (${reason}): copy the file again`)
  }
}

function tooLarge(source: ByteSource, maximumBytes: number): NightjarError {
  const limit = Math.floor(maximumBytes / 1048576)
  return fitsError('too-large', source, `unpacks to more than ${limit} MiB: if you trust it, gunzip it first`)
}

/** Opened bytes, and the path to read data from directly when they are an ordinary file. */
export interface OpenedSource {
  readonly source: ByteSource
  readonly path: string | undefined
}

/** Opens a path or bytes, unpacking gzip with a limit and naming other packings. */
export function openSource(from: string | Uint8Array, name: string | undefined, maximumBytes: number): OpenedSource {
  const source = typeof from === 'string' ? fileSource(from) : bytesSource(name ?? 'FITS data', from)
  const magic = Buffer.from(source.read(0, 8)).toString('latin1')
  if (magic.startsWith('\x1f\x8b')) {
    return { source: bytesSource(source.name, gunzip(source, maximumBytes)), path: undefined }
  }
  const packer = packers.find(([start]) => magic.startsWith(start))
  if (packer) throw fitsError('not-fits', source, `is packed with ${packer[1]}: unpack it first`)
  return { source, path: typeof from === 'string' ? from : undefined }
}

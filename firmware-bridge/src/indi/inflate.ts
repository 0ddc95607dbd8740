/**
 * BLOBs with a `.z` suffix are zlib streams (INDI white paper, "Sending BLOBs"; libindi's drivers before 1.9 made them).
 * `.fz` is a tile-compressed FITS file, which is a format of its own and is passed on whole.
 */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import type { BlobValue, IndiMessage, ProtocolFault, SetBlob } from './messages.ts'

const inflated = promisify(inflate)
const suffix = '.z'

export function isDeflated(message: IndiMessage): message is SetBlob {
  if (message.type !== 'set' || message.kind !== 'blob') return false
  return message.elements.some((blob) => blob.format.endsWith(suffix) && blob.bytes.length > 0)
}

/** The message with its `.z` BLOBs inflated and the suffix gone, or what is wrong with one. Never more than `size` bytes come out. */
export async function inflateBlobs(message: SetBlob, mostBytes: number): Promise<SetBlob | ProtocolFault> {
  const elements: BlobValue[] = []
  for (const blob of message.elements) {
    const whole = blob.format.endsWith(suffix) ? await inflateOne(blob, mostBytes) : blob
    if (typeof whole === 'string') {
      return { code: 'indi/inflate', message: `${message.device}.${message.name}: ${whole}`.slice(0, 200) }
    }
    elements.push(whole)
  }
  return { ...message, elements }
}

async function inflateOne(blob: BlobValue, mostBytes: number): Promise<BlobValue | string> {
  const { sizeBytes } = blob
  if (!(sizeBytes > 0) || sizeBytes > mostBytes) return `announces ${sizeBytes} bytes, limit ${mostBytes}`
  try {
    const bytes = await inflated(blob.bytes, { maxOutputLength: sizeBytes })
    if (bytes.length !== sizeBytes) return `inflates to ${bytes.length} of ${sizeBytes} bytes`
    return { ...blob, format: blob.format.slice(0, -suffix.length), bytes }
  } catch (error) {
    return `does not inflate to ${sizeBytes} bytes (${error instanceof Error ? error.message : String(error)})`
  }
}

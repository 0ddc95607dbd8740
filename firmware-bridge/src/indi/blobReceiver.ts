/**
 * The content of a `oneBLOB`: base64 straight into one array of the announced size, or memory that came beside the bytes.
 * What a sender announces is not believed beyond the limits, and nothing is reserved before content comes.
 */
import type { AttachedMemory } from '../wire/wire.ts'
import { type Base64Decoder, createBase64Decoder } from './base64.ts'
import type { BlobValue } from './messages.ts'
import { parseNumber } from './sexagesimal.ts'

export interface BlobLimits {
  /** All BLOBs of one message together, after base64. */
  readonly blobBytes: number
  /** How much more than announced a BLOB may bring before it is refused: indiserver 1.9.9 pads to a MiB. */
  readonly blobSlackBytes: number
  /** Pieces of memory that came beside the bytes and that no BLOB has claimed yet. */
  readonly attachments: number
}

export const blobLimits: BlobLimits = { blobBytes: 1 << 30, blobSlackBytes: 2 << 20, attachments: 16 }

type Attributes = ReadonlyMap<string, string>

export interface BlobReceiver {
  /** An element has been opened and not finished. */
  readonly receiving: boolean
  /** A new message begins. */
  begin(): void
  open(attributes: Attributes): void
  text(bytes: Uint8Array, start: number, end: number): void
  /** The whole BLOB; undefined when it was faulty. */
  finish(attributes: Attributes): BlobValue | undefined
  /** Forgets the element under way. */
  drop(): void
  attach(memory: AttachedMemory): void
  close(): void
}

interface Announced {
  /** Content as sent; undefined when it is compressed and the sender does not say. */
  readonly exactBytes: number | undefined
  /** After decompression. */
  readonly sizeBytes: number
  /** Bytes to make ready. */
  readonly capacityBytes: number
}

interface Draft extends Announced {
  /** Its content has come already; text between the tags is only layout. */
  readonly isAttached: boolean
  target: Uint8Array
  decoder: Base64Decoder | undefined
}

/** `len` is exact, `enclen` counts base64 characters (line breaks included), `size` is the size before compression. */
function announcedBlob(attributes: Attributes): Announced {
  const lengthBytes = attributeBytes(attributes, 'len')
  const sizeBytes = attributeBytes(attributes, 'size') ?? lengthBytes ?? 0
  if (lengthBytes !== undefined) return { exactBytes: lengthBytes, sizeBytes, capacityBytes: lengthBytes }
  const isCompressed = (attributes.get('format') ?? '').endsWith('z')
  if (!isCompressed) return { exactBytes: sizeBytes, sizeBytes, capacityBytes: sizeBytes }
  const encoded = attributeBytes(attributes, 'enclen')
  const capacityBytes = encoded === undefined ? sizeBytes + Math.ceil(sizeBytes / 512) + 64 : Math.ceil(encoded / 4) * 3
  return { exactBytes: undefined, sizeBytes, capacityBytes }
}

function attributeBytes(attributes: Attributes, key: string): number | undefined {
  const text = attributes.get(key)
  const value = text === undefined ? Number.NaN : parseNumber(text)
  return value >= 0 && Number.isFinite(value) ? Math.floor(value) : undefined
}

const nothing = new Uint8Array(0)

export function createBlobReceiver(limits: BlobLimits, fault: (code: string, problem: string) => void): BlobReceiver {
  const attachments: AttachedMemory[] = []
  let draft: Draft | undefined
  let messageBytes = 0

  /** Memory is reserved with the first content: a large announcement alone costs nothing. */
  const makeReady = (blob: Draft): Base64Decoder | undefined => {
    const target = allocate(blob.capacityBytes)
    if (!target) {
      fault('indi/out-of-memory', `no memory for a BLOB of ${blob.capacityBytes} bytes`)
      return undefined
    }
    blob.target = target
    blob.decoder = createBase64Decoder(target)
    return blob.decoder
  }

  /** The next memory in the queue; it may be larger than the BLOB (indiserver rounds up to a MiB) but not smaller. */
  const takeAttached = ({ exactBytes, capacityBytes }: Announced): Uint8Array | undefined => {
    const memory = attachments.shift()
    if (!memory) {
      fault('indi/attachment-missing', 'no memory came with an attached BLOB')
      return undefined
    }
    try {
      return memory.read(exactBytes ?? Math.min(capacityBytes, memory.sizeBytes))
    } catch (error) {
      fault('indi/attachment', error instanceof Error ? error.message : String(error))
      return undefined
    } finally {
      memory.close()
    }
  }

  return {
    get receiving() {
      return draft !== undefined
    },
    begin() {
      messageBytes = 0
    },
    drop() {
      draft = undefined
    },
    open(attributes) {
      const announced = announcedBlob(attributes)
      const isAttached = attributes.get('attached') === 'true'
      messageBytes += announced.capacityBytes
      if (messageBytes > limits.blobBytes) {
        if (isAttached) attachments.shift()?.close()
        return fault('indi/blob-too-large', `announces ${announced.capacityBytes} bytes, limit ${limits.blobBytes}`)
      }
      const content = isAttached ? takeAttached(announced) : nothing
      if (content) draft = { ...announced, isAttached, target: content, decoder: undefined }
    },
    text(bytes, start, end) {
      const blob = draft!
      if (blob.isAttached) return
      const decoder = blob.decoder ?? makeReady(blob)
      if (!decoder) return
      const mostBytes = Math.max(blob.capacityBytes, blob.sizeBytes) + limits.blobSlackBytes
      if (!decoder.push(bytes, start, end)) fault('indi/base64', 'the BLOB is not base64')
      else if (decoder.decodedBytes > mostBytes) fault('indi/blob-too-long', 'the BLOB is longer than announced')
    },
    finish(attributes) {
      const { target, decoder, exactBytes } = draft!
      draft = undefined
      const got = decoder?.decodedBytes ?? target.length
      if (exactBytes !== undefined && got < exactBytes) {
        fault('indi/blob-truncated', `${got} of ${exactBytes} BLOB bytes came`)
        return undefined
      }
      return {
        name: attributes.get('name') ?? '',
        format: attributes.get('format') ?? '',
        sizeBytes: attributeBytes(attributes, 'size') ?? got,
        bytes: got < target.length ? target.subarray(0, got) : target,
      }
    },
    attach(memory) {
      const waitingBytes = attachments.reduce((sum, each) => sum + each.sizeBytes, memory.sizeBytes)
      const fits = waitingBytes <= limits.blobBytes + limits.blobSlackBytes
      if (fits && attachments.length < limits.attachments) return void attachments.push(memory)
      memory.close()
      fault('indi/too-many-attachments', `${attachments.length + 1} attachments wait for their BLOBs`)
    },
    close() {
      for (const memory of attachments.splice(0)) memory.close()
    },
  }
}

/** Undefined when the machine has not that much memory: a device's announcement must not kill the daemon. */
function allocate(length: number): Uint8Array | undefined {
  try {
    return new Uint8Array(length)
  } catch {
    return undefined
  }
}

/**
 * Bytes to INDI messages. Text, numbers and switches are collected as bytes and turned into values when their element
 * closes; BLOB content is decoded from base64 straight into one array of the announced size. Whatever the bytes are, `feed`
 * does not throw: broken messages are dropped and reported as faults.
 */
import type { AttachedMemory } from '../wire/wire.ts'
import { type Base64Decoder, createBase64Decoder } from './base64.ts'
import type {
  BlobPolicy,
  BlobValue,
  IndiMessage,
  Kind,
  NumberDefinition,
  Permission,
  PropertyState,
  ProtocolFault,
  SwitchRule,
} from './messages.ts'
import { parseNumber } from './sexagesimal.ts'
import { createXmlTokenizer, decodeText, type XmlLimits, xmlLimits } from './xml.ts'

export interface DecodeLimits extends XmlLimits {
  /** Character data of one message, BLOBs apart. */
  readonly textBytes: number
  readonly elements: number
  /** All BLOBs of one message together, after base64. */
  readonly blobBytes: number
  /** How much more than announced a BLOB may bring before it is refused: indiserver 1.9.9 pads to a MiB. */
  readonly blobSlackBytes: number
  /** Pieces of memory that came beside the bytes and that no BLOB has claimed yet. */
  readonly attachments: number
}

export const decodeLimits: DecodeLimits = {
  ...xmlLimits,
  textBytes: 1 << 20,
  elements: 4096,
  blobBytes: 1 << 30,
  blobSlackBytes: 2 << 20,
  attachments: 16,
}

export interface DecodeHandlers {
  onMessage(message: IndiMessage): void
  onFault(fault: ProtocolFault): void
}

export interface Decoder {
  feed(bytes: Uint8Array): void
  /** Memory for the next `oneBLOB` that says `attached="true"`: libindi's way over unix sockets. */
  attach(memory: AttachedMemory): void
  /** Lets go of memory that no BLOB has claimed. */
  close(): void
}

type Attributes = ReadonlyMap<string, string>

interface Root {
  readonly type: IndiMessage['type']
  readonly kind?: Kind
}

const roots = new Map<string, Root>([
  ['getProperties', { type: 'getProperties' }],
  ['enableBLOB', { type: 'enableBLOB' }],
  ['delProperty', { type: 'delProperty' }],
  ['message', { type: 'message' }],
  ['pingRequest', { type: 'pingRequest' }],
  ['pingReply', { type: 'pingReply' }],
])
const kinds: readonly (readonly [Kind, string])[] = [
  ['text', 'Text'],
  ['number', 'Number'],
  ['switch', 'Switch'],
  ['light', 'Light'],
  ['blob', 'BLOB'],
]
for (const [kind, name] of kinds) {
  roots.set(`def${name}Vector`, { type: 'def', kind })
  roots.set(`set${name}Vector`, { type: 'set', kind })
  if (kind !== 'light') roots.set(`new${name}Vector`, { type: 'new', kind })
}
const rootNames: ReadonlySet<string> = new Set(roots.keys())
const childNames = { def: new Map<string, Kind>(), one: new Map<string, Kind>() }
for (const [kind, name] of kinds) {
  childNames.def.set(`def${name}`, kind)
  childNames.one.set(`one${name}`, kind)
}

const states: ReadonlySet<string> = new Set<PropertyState>(['Idle', 'Ok', 'Busy', 'Alert'])
const permissions: ReadonlySet<string> = new Set<Permission>(['ro', 'wo', 'rw'])
const rules: ReadonlySet<string> = new Set<SwitchRule>(['OneOfMany', 'AtMostOne', 'AnyOfMany'])
const policies: ReadonlySet<string> = new Set<BlobPolicy>(['Never', 'Also', 'Only'])

function oneOf<T extends string, F>(known: ReadonlySet<string>, text: string | undefined, fallback: F): T | F {
  return text !== undefined && known.has(text) ? (text as T) : fallback
}

const optionalNumber = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseNumber(text)

/** A message under way. */
interface Draft {
  readonly root: Root
  readonly attributes: Attributes
  readonly elements: unknown[]
}

interface BlobDraft {
  readonly target: Uint8Array
  readonly decoder: Base64Decoder
  /** Exact content length in bytes when the sender announced it. */
  readonly dueBytes: number | undefined
  readonly mostBytes: number
}

/** The common attributes of def, set and new, only those that came. */
function vectorHead({ root, attributes }: Draft): Record<string, unknown> {
  const head: Record<string, unknown> = {
    type: root.type,
    kind: root.kind,
    device: attributes.get('device') ?? '',
    name: attributes.get('name') ?? '',
  }
  for (const key of ['timestamp', 'message']) {
    const value = attributes.get(key)
    if (value !== undefined) head[key] = value
  }
  return head
}

function finishVector(draft: Draft): IndiMessage {
  const { root, attributes, elements } = draft
  const head = vectorHead(draft)
  const state = attributes.get('state')
  const timeout = optionalNumber(attributes.get('timeout'))
  if (root.type === 'def') {
    head.label = attributes.get('label') ?? ''
    head.group = attributes.get('group') ?? ''
    head.state = oneOf<PropertyState, PropertyState>(states, state, 'Idle')
    if (root.kind !== 'light') {
      head.permission = oneOf<Permission, Permission>(permissions, attributes.get('perm'), 'ro')
      head.timeoutSeconds = timeout && Number.isFinite(timeout) ? timeout : 0
    }
    if (root.kind === 'switch') head.rule = oneOf<SwitchRule, SwitchRule>(rules, attributes.get('rule'), 'OneOfMany')
  } else if (root.type === 'set') {
    if (states.has(state ?? '')) head.state = state
    if (timeout !== undefined && Number.isFinite(timeout)) head.timeoutSeconds = timeout
  }
  head.elements = elements
  return head as unknown as IndiMessage
}

function finishSimple(draft: Draft, text: string): IndiMessage {
  const { root, attributes } = draft
  const message: Record<string, unknown> = { type: root.type }
  const copy = (keys: readonly string[]): void => {
    for (const key of keys) {
      const value = attributes.get(key)
      if (value !== undefined) message[key] = value
    }
  }
  if (root.type === 'getProperties') message.version = attributes.get('version') ?? ''
  if (root.type === 'enableBLOB') {
    message.device = attributes.get('device') ?? ''
    message.policy = oneOf<BlobPolicy, BlobPolicy>(policies, text, 'Never')
  }
  if (root.type === 'pingRequest' || root.type === 'pingReply') message.uid = attributes.get('uid') ?? ''
  else copy(['device', 'name', 'timestamp', 'message'])
  return message as unknown as IndiMessage
}

function numberDefinition(name: string, attributes: Attributes, text: string): NumberDefinition {
  const number = (key: string): number => optionalNumber(attributes.get(key)) ?? 0
  return {
    name,
    label: attributes.get('label') ?? '',
    format: attributes.get('format') ?? '',
    min: number('min'),
    max: number('max'),
    step: number('step'),
    value: parseNumber(text),
  }
}

function numberValue(name: string, attributes: Attributes, text: string): Record<string, unknown> {
  const value: Record<string, unknown> = { name, value: parseNumber(text) }
  for (const key of ['min', 'max', 'step']) {
    const limit = optionalNumber(attributes.get(key))
    if (limit !== undefined) value[key] = limit
  }
  return value
}

/** The element that has just closed, BLOBs of `set` and `new` apart. */
function finishElement(type: string, kind: Kind, attributes: Attributes, text: string): unknown {
  const name = attributes.get('name') ?? ''
  if (kind === 'number') {
    return type === 'def' ? numberDefinition(name, attributes, text) : numberValue(name, attributes, text)
  }
  const head = type === 'def' ? { name, label: attributes.get('label') ?? '' } : { name }
  if (kind === 'blob') return head
  if (kind === 'switch') return { ...head, value: text === 'On' }
  if (kind === 'light') return { ...head, value: oneOf<PropertyState, PropertyState>(states, text, 'Idle') }
  return { ...head, value: text }
}

const isLength = (value: number | undefined): value is number =>
  value !== undefined && value >= 0 && Number.isFinite(value)

interface Announced {
  /** Content as sent; undefined when it is compressed and the sender does not say. */
  readonly exactBytes: number | undefined
  /** After decompression. */
  readonly sizeBytes: number
  /** Bytes to make ready. */
  readonly capacityBytes: number
}

/** `len` is exact, `enclen` counts base64 characters (line breaks included), `size` is the size before compression. */
function announcedBlob(attributes: Attributes): Announced {
  const number = (key: string): number | undefined => {
    const value = optionalNumber(attributes.get(key))
    return isLength(value) ? Math.floor(value) : undefined
  }
  const lengthBytes = number('len')
  const sizeBytes = number('size') ?? lengthBytes ?? 0
  if (lengthBytes !== undefined) return { exactBytes: lengthBytes, sizeBytes, capacityBytes: lengthBytes }
  if (!(attributes.get('format') ?? '').endsWith('z')) {
    return { exactBytes: sizeBytes, sizeBytes, capacityBytes: sizeBytes }
  }
  const encoded = number('enclen')
  const capacityBytes = encoded === undefined ? sizeBytes + Math.ceil(sizeBytes / 512) + 64 : Math.ceil(encoded / 4) * 3
  return { exactBytes: undefined, sizeBytes, capacityBytes }
}

/** A decoder for one connection; keep it for as long as that connection lives. */
export function createDecoder(handlers: DecodeHandlers, overrides: Partial<DecodeLimits> = {}): Decoder {
  const limits = { ...decodeLimits, ...overrides }
  let draft: Draft | undefined
  let child: { readonly kind: Kind; readonly attributes: Attributes } | undefined
  let blob: BlobDraft | undefined
  let attached: Uint8Array | undefined
  const attachments: AttachedMemory[] = []
  let depth = 0
  let text: Buffer = Buffer.allocUnsafeSlow(1024)
  let textBytes = 0
  let messageTextBytes = 0
  let messageBlobBytes = 0

  const drop = (): void => {
    draft = undefined
    child = undefined
    blob = undefined
    attached = undefined
    textBytes = 0
  }

  const fault = (code: string, message: string): void => {
    drop()
    handlers.onFault({ code, message })
  }

  const where = (): string =>
    `${draft?.attributes.get('device') ?? ''}.${draft?.attributes.get('name') ?? ''}`.slice(0, 128)

  const openRoot = (name: string, attributes: Attributes): void => {
    drop()
    messageTextBytes = 0
    messageBlobBytes = 0
    const root = roots.get(name)
    if (root) draft = { root, attributes, elements: [] }
  }

  const openChild = (name: string, attributes: Attributes): void => {
    const { root, elements } = draft!
    const kind = root.kind && (root.type === 'def' ? childNames.def : childNames.one).get(name)
    child = undefined
    textBytes = 0
    if (kind === undefined || kind !== root.kind) return
    if (elements.length >= limits.elements) {
      fault('indi/too-many-elements', `${where()} has more than ${limits.elements} elements`)
      return
    }
    child = { kind, attributes }
    if (kind === 'blob' && root.type !== 'def') openBlob(attributes)
  }

  const openBlob = (attributes: Attributes): void => {
    const announced = announcedBlob(attributes)
    const { sizeBytes, capacityBytes } = announced
    messageBlobBytes += capacityBytes
    if (messageBlobBytes > limits.blobBytes) {
      if (attributes.get('attached') === 'true') attachments.shift()?.close()
      fault('indi/blob-too-large', `${where()} announces ${capacityBytes} bytes, limit ${limits.blobBytes}`)
      return
    }
    if (attributes.get('attached') === 'true') return takeAttached(announced)
    const target = allocate(capacityBytes)
    if (!target) {
      fault('indi/out-of-memory', `${where()}: no memory for a BLOB of ${capacityBytes} bytes`)
      return
    }
    const mostBytes = Math.max(capacityBytes, sizeBytes) + limits.blobSlackBytes
    blob = { target, decoder: createBase64Decoder(target), dueBytes: announced.exactBytes, mostBytes }
  }

  /** The next memory in the queue; it may be larger than the BLOB (indiserver rounds up to a MiB) but not smaller. */
  const takeAttached = ({ exactBytes, capacityBytes }: Announced): void => {
    const memory = attachments.shift()
    if (!memory) return fault('indi/attachment-missing', `${where()}: no memory came with an attached BLOB`)
    try {
      attached = memory.read(exactBytes ?? Math.min(capacityBytes, memory.sizeBytes))
    } catch (error) {
      fault('indi/attachment', `${where()}: ${error instanceof Error ? error.message : String(error)}`)
      return
    } finally {
      memory.close()
    }
    if (exactBytes !== undefined && attached.length < exactBytes) {
      fault('indi/blob-truncated', `${where()}: ${attached.length} of ${exactBytes} BLOB bytes came`)
    }
  }

  const addBlobText = (bytes: Buffer, start: number, end: number): void => {
    const { decoder, mostBytes } = blob!
    if (!decoder.push(bytes, start, end)) fault('indi/base64', `${where()}: the BLOB is not base64`)
    else if (decoder.decodedBytes > mostBytes)
      fault('indi/blob-too-long', `${where()}: the BLOB is longer than announced`)
  }

  const addText = (bytes: Buffer, start: number, end: number): void => {
    messageTextBytes += end - start
    if (messageTextBytes > limits.textBytes) {
      fault('indi/text-too-long', `${where()} has more than ${limits.textBytes} bytes of text`)
      return
    }
    const needed = textBytes + end - start
    if (needed > text.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, text.length * 2))
      text.copy(larger, 0, 0, textBytes)
      text = larger
    }
    bytes.copy(text, textBytes, start, end)
    textBytes = needed
  }

  const closeBlob = (attributes: Attributes): void => {
    const { target, decoder, dueBytes } = blob!
    blob = undefined
    const got = decoder.decodedBytes
    if (dueBytes !== undefined && got < dueBytes) {
      fault('indi/blob-truncated', `${where()}: ${got} of ${dueBytes} BLOB bytes came`)
      return
    }
    addBlob(attributes, got < target.length ? target.subarray(0, got) : target)
  }

  const addBlob = (attributes: Attributes, bytes: Uint8Array): void => {
    const value: BlobValue = {
      name: attributes.get('name') ?? '',
      format: attributes.get('format') ?? '',
      sizeBytes: optionalNumber(attributes.get('size')) ?? bytes.length,
      bytes,
    }
    draft!.elements.push(value)
  }

  const closeChild = (): void => {
    if (!child || !draft) return
    const { kind, attributes } = child
    if (blob) closeBlob(attributes)
    else if (attached) {
      addBlob(attributes, attached)
      attached = undefined
      textBytes = 0
    } else draft.elements.push(finishElement(draft.root.type, kind, attributes, takeText()))
    child = undefined
  }

  const takeText = (): string => {
    const value = decodeText(text, 0, textBytes).trim()
    textBytes = 0
    return value
  }

  const closeRoot = (): void => {
    if (!draft) return
    const done = draft
    const message = done.root.kind ? finishVector(done) : finishSimple(done, takeText())
    drop()
    handlers.onMessage(message)
  }

  const tokenizer = createXmlTokenizer(
    {
      open(name, attributes, newDepth) {
        depth = newDepth
        if (depth === 1) openRoot(name, attributes)
        else if (depth === 2 && draft) openChild(name, attributes)
      },
      text(bytes, start, end) {
        if (!draft) return
        if (depth === 2 && child) {
          if (blob) addBlobText(bytes, start, end)
          else addText(bytes, start, end)
        } else if (depth === 1 && draft.root.type === 'enableBLOB') addText(bytes, start, end)
      },
      close(_, oldDepth) {
        depth = oldDepth - 1
        if (oldDepth === 2) closeChild()
        else if (oldDepth === 1) closeRoot()
      },
      fault(reason) {
        depth = 0
        fault(reason.code, reason.message)
      },
    },
    rootNames,
    limits,
  )

  return {
    feed: (bytes) => tokenizer.feed(bytes),
    attach(memory) {
      if (attachments.length < limits.attachments) return void attachments.push(memory)
      memory.close()
      fault('indi/too-many-attachments', `more than ${limits.attachments} attachments wait for their BLOBs`)
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

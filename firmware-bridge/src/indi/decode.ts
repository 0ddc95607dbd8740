/**
 * Bytes to INDI messages. Text, numbers and switches are collected as bytes and turned into values when their element
 * closes; BLOB content is decoded from base64 straight into one array of the announced size. Whatever the bytes are, `feed`
 * does not throw: broken messages are dropped and reported as faults.
 */
import type { AttachedMemory } from '../wire/wire.ts'
import { type BlobLimits, blobLimits, createBlobReceiver } from './blobReceiver.ts'
import type {
  BlobPolicy,
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

export interface DecodeLimits extends XmlLimits, BlobLimits {
  /** Character data of one message, BLOBs apart. */
  readonly textBytes: number
  readonly elements: number
}

export const decodeLimits: DecodeLimits = { ...xmlLimits, ...blobLimits, textBytes: 1 << 20, elements: 4096 }

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

/** A decoder for one connection; keep it for as long as that connection lives. */
export function createDecoder(handlers: DecodeHandlers, overrides: Partial<DecodeLimits> = {}): Decoder {
  const limits = { ...decodeLimits, ...overrides }
  let draft: Draft | undefined
  let child: { readonly kind: Kind; readonly attributes: Attributes } | undefined
  let depth = 0
  let text: Buffer = Buffer.allocUnsafeSlow(1024)
  let textBytes = 0
  let messageTextBytes = 0

  const drop = (): void => {
    draft = undefined
    child = undefined
    blobs.drop()
    textBytes = 0
  }

  const fault = (code: string, message: string): void => {
    drop()
    handlers.onFault({ code, message })
  }

  const where = (): string =>
    `${draft?.attributes.get('device') ?? ''}.${draft?.attributes.get('name') ?? ''}`.slice(0, 128)

  const blobs = createBlobReceiver(limits, (code, problem) => fault(code, `${where()}: ${problem}`))

  const openRoot = (name: string, attributes: Attributes): void => {
    drop()
    messageTextBytes = 0
    blobs.begin()
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
    if (kind === 'blob' && root.type !== 'def') blobs.open(attributes)
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

  const closeChild = (): void => {
    if (!child || !draft) return
    const { kind, attributes } = child
    if (blobs.receiving) {
      textBytes = 0
      const value = blobs.finish(attributes)
      if (value) draft.elements.push(value)
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
          if (blobs.receiving) blobs.text(bytes, start, end)
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
    attach: (memory) => blobs.attach(memory),
    close: () => blobs.close(),
  }
}

/** INDI messages to bytes, in the layout of libindi: one element per line, double quotes, the five entities escaped. */
import type {
  BlobDefinition,
  BlobValue,
  DefMessage,
  IndiMessage,
  Kind,
  LightDefinition,
  NewMessage,
  NumberDefinition,
  NumberValue,
  SetMessage,
  SwitchDefinition,
  TextDefinition,
} from './messages.ts'
import { formatNumber } from './sexagesimal.ts'

/** How a kind is spelled in element names: `defTextVector`, `oneText`. */
export const kindNames: Readonly<Record<Kind, string>> = {
  text: 'Text',
  number: 'Number',
  switch: 'Switch',
  light: 'Light',
  blob: 'BLOB',
}

/** A multiple of three, so that base64 pieces join without padding. */
const blobPieceBytes = 48 * 1024

const escapes: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&apos;',
}

function escapeText(text: string): string {
  return /[<>&"']/.test(text) ? text.replace(/[<>&"']/g, (character) => escapes[character]!) : text
}

type Attributes = Readonly<Record<string, string | number | undefined>>

function writeAttributes(attributes: Attributes): string {
  let text = ''
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) text += ` ${name}="${typeof value === 'number' ? writeNumber(value) : escapeText(value)}"`
  }
  return text
}

/** Shortest decimal that reads back as the same double; `nan` and `inf` as C writes them. */
function writeNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : formatNumber('%f', value)
}

function element(name: string, attributes: Attributes, body = ''): string {
  const head = `<${name}${writeAttributes(attributes)}`
  return body === '' ? `${head}/>\n` : `${head}>${body}</${name}>\n`
}

function encodeDefinition(message: DefMessage): string {
  const name = `def${kindNames[message.kind]}Vector`
  const child = `def${kindNames[message.kind]}`
  const attributes = {
    device: message.device,
    name: message.name,
    label: message.label,
    group: message.group,
    state: message.state,
    perm: message.kind === 'light' ? undefined : message.permission,
    rule: message.kind === 'switch' ? message.rule : undefined,
    timeout: message.kind === 'light' ? undefined : message.timeoutSeconds,
    timestamp: message.timestamp,
    message: message.message,
  }
  let body = '\n'
  for (const item of message.elements) body += encodeDefined(child, item)
  return element(name, attributes, body)
}

function encodeDefined(
  tag: string,
  item: TextDefinition | NumberDefinition | SwitchDefinition | LightDefinition | BlobDefinition,
): string {
  const { name, label } = item
  if (!('value' in item)) return element(tag, { name, label })
  if ('format' in item) {
    const { format, min, max, step, value } = item
    return element(tag, { name, label, format, min, max, step }, writeNumber(value))
  }
  return element(tag, { name, label }, writeValue(item.value))
}

function writeValue(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'On' : 'Off'
  return typeof value === 'number' ? writeNumber(value) : escapeText(value)
}

function vectorHead(message: SetMessage | NewMessage): string {
  const name = `${message.type}${kindNames[message.kind]}Vector`
  const { device, name: property, timestamp } = message
  const rest =
    message.type === 'set' ? { state: message.state, timeout: message.timeoutSeconds, message: message.message } : {}
  return `<${name}${writeAttributes({ device, name: property, ...rest, timestamp })}>\n`
}

function encodeVector(message: Exclude<SetMessage | NewMessage, { kind: 'blob' }>): string {
  const tag = `one${kindNames[message.kind]}`
  let text = vectorHead(message)
  for (const item of message.elements) {
    const { name, value } = item
    const { min, max, step } = item as Partial<NumberValue>
    const limits = message.kind === 'number' ? { min, max, step } : {}
    text += element(tag, { name, ...limits }, writeValue(value))
  }
  return `${text}</${message.type}${kindNames[message.kind]}Vector>\n`
}

/** BLOB content goes from bytes to base64 in pieces straight into the result. */
function encodeBlobVector(message: Extract<SetMessage | NewMessage, { kind: 'blob' }>): Uint8Array {
  const heads = message.elements.map((item) => blobHead(item))
  const open = vectorHead(message)
  const close = `</${message.type}BLOBVector>\n`
  const tail = '</oneBLOB>\n'
  const length = message.elements.reduce((sum, item) => sum + Math.ceil(item.bytes.length / 3) * 4 + tail.length, 0)
  const textBytes = Buffer.byteLength(open + heads.join('') + close)
  const out = Buffer.allocUnsafeSlow(length + textBytes)
  let at = out.write(open)
  message.elements.forEach((item, index) => {
    at += out.write(heads[index]!, at)
    at = writeBase64(item.bytes, out, at)
    at += out.write(tail, at)
  })
  out.write(close, at)
  return out
}

/** `len` is what indiserver adds (content), `enclen` what libindi's drivers and clients add (base64 characters). */
function blobHead({ name, format, sizeBytes, bytes }: BlobValue): string {
  const enclen = Math.ceil(bytes.length / 3) * 4
  return `<oneBLOB${writeAttributes({ name, size: sizeBytes, len: bytes.length, enclen, format })}>`
}

function writeBase64(bytes: Uint8Array, out: Buffer, start: number): number {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = start
  for (let from = 0; from < source.length; from += blobPieceBytes) {
    at += out.write(source.toString('base64', from, from + blobPieceBytes), at, 'latin1')
  }
  return at
}

function encodeSimple(message: Exclude<IndiMessage, DefMessage | SetMessage | NewMessage>): string {
  switch (message.type) {
    case 'getProperties': {
      const { version, device, name } = message
      return element('getProperties', { version, device, name })
    }
    case 'enableBLOB':
      return element('enableBLOB', { device: message.device, name: message.name }, message.policy)
    case 'delProperty': {
      const { device, name, timestamp, message: text } = message
      return element('delProperty', { device, name, timestamp, message: text })
    }
    case 'message': {
      const { device, timestamp, message: text } = message
      return element('message', { device, timestamp, message: text })
    }
    default:
      return element(message.type, { uid: message.uid })
  }
}

/** The bytes of one message. Numbers are written so that they read back exactly, not in the property's `format`. */
export function encode(message: IndiMessage): Uint8Array {
  if (message.type === 'def') return Buffer.from(encodeDefinition(message))
  if (message.type !== 'set' && message.type !== 'new') return Buffer.from(encodeSimple(message))
  return message.kind === 'blob' ? encodeBlobVector(message) : Buffer.from(encodeVector(message))
}

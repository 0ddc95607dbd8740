/** INDI tapes for people: one line a message, BLOBs by their size, what is broken as it was found. */
import { describeHeader, recordedMemory, seconds, type Tape, type TapeDirection } from '../wire/tape.ts'
import { createDecoder, type Decoder } from './decode.ts'
import type { BlobValue, DefMessage, IndiMessage, NewMessage, SetMessage } from './messages.ts'

const shownElements = 12
const shownCharacters = 80

export function isIndi(tape: Tape): boolean {
  const start = Buffer.concat(tape.entries.slice(0, 20).map((entry) => entry.bytes.subarray(0, 2_000))).toString(
    'latin1',
  )
  return /<(getProperties|(def|set|new)(Text|Number|Switch|Light|BLOB)Vector|message|pingRe)\b/.test(start)
}

export function* describeIndiTape(tape: Tape): Iterable<string> {
  yield `${describeHeader(tape)}, INDI`
  let found: string[] = []
  const decoder = (): Decoder =>
    createDecoder({
      onMessage: (message) => void found.push(describeMessage(message)),
      onFault: (fault) => void found.push(`! ${fault.code}: ${fault.message}`),
    })
  const decoders: Readonly<Record<TapeDirection, Decoder>> = { in: decoder(), out: decoder() }
  for (const entry of tape.entries) {
    found = []
    if (entry.attached !== undefined) decoders.in.attach(recordedMemory(entry.bytes, entry.attached))
    else decoders[entry.direction].feed(entry.bytes)
    for (const line of found) yield `${seconds(entry.ms)} ${entry.direction === 'in' ? '<' : '>'} ${line}`
  }
  if (tape.closed) yield `${seconds(tape.closed.ms)} closed: ${tape.closed.reason}`
}

/** One message in one line: what happens, to which property, its state and values, and what is said with it. */
export function describeMessage(message: IndiMessage): string {
  switch (message.type) {
    case 'def':
    case 'set':
    case 'new':
      return describeVector(message)
    case 'message':
      return `message ${message.device ?? '(server)'}: ${message.message ?? ''}`
    case 'delProperty':
      return `delProperty ${[message.device ?? '(all)', message.name].filter(Boolean).join('.')}${said(message.message)}`
    case 'getProperties':
      return `getProperties ${[message.device ?? '(all)', message.name].filter(Boolean).join('.')}`
    case 'enableBLOB':
      return `enableBLOB ${[message.device, message.name].filter(Boolean).join('.')} ${message.policy}`
    default:
      return `${message.type} ${message.uid}`
  }
}

function describeVector(message: DefMessage | SetMessage | NewMessage): string {
  const facts = [
    'state' in message ? message.state : undefined,
    'permission' in message ? message.permission : undefined,
    'rule' in message ? message.rule : undefined,
  ].filter((fact) => fact !== undefined)
  const elements = message.elements.slice(0, shownElements).map(describeElement)
  const more = message.elements.length - elements.length
  const values = [...elements, ...(more > 0 ? [`… ${more} more`] : [])].join(', ')
  const text = 'message' in message ? said(message.message) : ''
  const where = `${message.device}.${message.name}`
  return `${message.type} ${message.kind} ${where}${facts.length > 0 ? ` [${facts.join(' ')}]` : ''} ${values}${text}`
}

function describeElement(element: DefMessage['elements'][number] | SetMessage['elements'][number]): string {
  if ('bytes' in element) return describeBlob(element)
  if (!('value' in element)) return element.name
  const { name, value } = element
  if (typeof value === 'boolean') return `${name}=${value ? 'On' : 'Off'}`
  if (typeof value === 'string' && value.length > shownCharacters) {
    return `${name}=${JSON.stringify(`${value.slice(0, shownCharacters)}…`)}`
  }
  return `${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`
}

function describeBlob({ name, format, sizeBytes, bytes }: BlobValue): string {
  const size = sizeBytes === bytes.length ? '' : ` for ${sizeBytes}`
  return `${name}=${format} of ${bytes.length} bytes${size}`
}

const said = (text: string | undefined): string => (text === undefined || text === '' ? '' : ` “${text}”`)

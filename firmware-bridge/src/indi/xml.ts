/**
 * A streaming tokenizer for the XML that INDI programs really send: no root, bytes that are not UTF-8, control characters,
 * either quote, attributes over several lines. It works on bytes, keeps at most one tag in memory, never throws and never
 * waits for ever on broken input: a violation drops the document element under way, is reported with a code, and reading
 * goes on at the next tag. DOCTYPE, entities of one's own and CDATA are refused; processing instructions and comments are
 * skipped.
 */
import { isUtf8 } from 'node:buffer'
import type { ProtocolFault } from './messages.ts'

export interface XmlLimits {
  /** Longest tag, brackets excluded. */
  readonly tokenBytes: number
  readonly attributes: number
  readonly depth: number
}

export const xmlLimits: XmlLimits = { tokenBytes: 65_536, attributes: 32, depth: 8 }

export interface XmlSink {
  /** `depth` of a document element is 1. */
  open(name: string, attributes: ReadonlyMap<string, string>, depth: number): void
  /** Raw content `bytes[start..end)`, in as many pieces as it came; entities are not resolved. Only valid during the call. */
  text(bytes: Buffer, start: number, end: number): void
  close(name: string, depth: number): void
  /** The document element under way, if any, is dropped; no `close` follows for it. */
  fault(fault: ProtocolFault): void
}

export interface XmlTokenizer {
  feed(bytes: Uint8Array): void
}

const lessThan = 0x3c
const greaterThan = 0x3e
const slash = 0x2f
const equals = 0x3d
const bang = 0x21
const question = 0x3f
const doubleQuote = 0x22
const singleQuote = 0x27
const dash = 0x2d
const ampersand = 0x26

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** Bytes as UTF-8 when they are, else latin1; the five XML entities are resolved, others stay as written. */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  if (isPlain(bytes, start, end)) return bytes.toString('latin1', start, end)
  const part = bytes.subarray(start, end)
  const text = part.toString(isUtf8(part) ? 'utf8' : 'latin1')
  return text.includes('&') ? text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => entities[name]!) : text
}

/** ASCII without entities, as nearly everything is. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = bytes[i]!
    if (code >= 0x80 || code === ampersand) return false
  }
  return true
}

interface Tag {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly selfClosing: boolean
}

/** Reads `name a="1" b='2' /`; a text says what is wrong with it. */
function parseTag(bytes: Buffer, start: number, end: number, limit: number): Tag | string {
  let i = start
  const word = (): string => {
    const from = i
    for (let code: number; i < end && !isSpace((code = bytes[i]!)) && code !== slash && code !== equals; i++);
    return bytes.toString('latin1', from, i)
  }
  const skipSpace = (): void => {
    while (i < end && isSpace(bytes[i]!)) i++
  }
  const name = word()
  if (name === '') return 'a tag has no name'
  const attributes = new Map<string, string>()
  for (;;) {
    skipSpace()
    if (i >= end) return { name, attributes, selfClosing: false }
    if (bytes[i] === slash) return i === end - 1 ? { name, attributes, selfClosing: true } : `stray '/' in <${name}>`
    const key = word()
    skipSpace()
    if (key === '' || bytes[i] !== equals || i >= end) return `an attribute of <${name}> has no value`
    i++
    skipSpace()
    const quote = bytes[i]
    if (i >= end || (quote !== doubleQuote && quote !== singleQuote))
      return `attribute ${key} of <${name}> has no quotes`
    const from = ++i
    while (i < end && bytes[i] !== quote) i++
    if (i >= end) return `attribute ${key} of <${name}> does not end`
    attributes.set(key, decodeText(bytes, from, i))
    if (attributes.size > limit) return `<${name}> has more than ${limit} attributes`
    i++
  }
}

/**
 * `roots` are the names that can only be document elements: when one opens inside another element, that one was cut off
 * and is dropped. Without this a single lost closing tag would swallow everything after it.
 */
export function createXmlTokenizer(sink: XmlSink, roots: ReadonlySet<string>, limits = xmlLimits): XmlTokenizer {
  let inTag = false
  let quote = 0
  let comment = false
  let dashes = 0
  /** The part of the current tag that came with earlier chunks. */
  let carry: Buffer = Buffer.allocUnsafeSlow(256)
  let carried = 0
  let tagBytes = 0
  const stack: string[] = []

  const fault = (code: string, message: string): void => {
    stack.length = 0
    sink.fault({ code, message })
  }

  const beginTag = (): void => {
    inTag = true
    quote = 0
    comment = false
    dashes = 0
    carried = 0
    tagBytes = 0
  }

  const keep = (bytes: Buffer, start: number, end: number): void => {
    const needed = carried + end - start
    if (needed > carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(limits.tokenBytes, Math.max(needed, carry.length * 2)))
      carry.copy(larger, 0, 0, carried)
      carry = larger
    }
    bytes.copy(carry, carried, start, end)
    carried = needed
  }

  const openTag = (tag: Tag): void => {
    if (stack.length > 0 && roots.has(tag.name)) {
      fault('indi/unclosed-element', `<${stack[0]}> was cut off by <${tag.name}>`)
    }
    if (stack.length >= limits.depth) {
      fault('indi/too-deep', `<${stack[0]}> nests more than ${limits.depth} deep`)
      return
    }
    stack.push(tag.name)
    sink.open(tag.name, tag.attributes, stack.length)
    if (tag.selfClosing) closeTag(tag.name)
  }

  const closeTag = (name: string): void => {
    if (stack.length === 0) return
    if (stack.at(-1) !== name) {
      fault('indi/mismatched-tag', `</${name.slice(0, 64)}> where </${stack.at(-1)}> was due`)
      return
    }
    sink.close(name, stack.length)
    stack.pop()
  }

  const endTag = (bytes: Buffer, start: number, end: number): void => {
    const first = start < end ? bytes[start]! : 0
    if (first === question) return
    if (first === bang) {
      fault('indi/doctype', 'declarations (DOCTYPE, ENTITY, CDATA) are refused')
      return
    }
    if (first === slash) {
      closeTag(bytes.toString('latin1', start + 1, end).trim())
      return
    }
    const tag = parseTag(bytes, start, end, limits.attributes)
    if (typeof tag === 'string') fault('indi/bad-tag', tag.slice(0, 200))
    else openTag(tag)
  }

  /** Reads on inside a tag; returns the index behind what was used. */
  const scanTag = (bytes: Buffer, start: number): number => {
    const most = Math.min(bytes.length, start + limits.tokenBytes - tagBytes)
    for (let i = start; i < most; i++) {
      const code = bytes[i]!
      if (comment) {
        if (code === greaterThan && dashes >= 2) {
          inTag = false
          return i + 1
        }
        dashes = code === dash ? dashes + 1 : 0
      } else if (code === lessThan) {
        fault('indi/bad-tag', 'a tag was cut off by another')
        beginTag()
        return i + 1
      } else if (quote !== 0) {
        if (code === quote) quote = 0
      } else if (code === greaterThan) {
        inTag = false
        finishTag(bytes, start, i)
        return i + 1
      } else if (code === doubleQuote || code === singleQuote) {
        quote = code
      } else if (code === dash && isCommentStart(bytes, start, i)) {
        comment = true
      }
    }
    tagBytes += most - start
    if (most < bytes.length) {
      inTag = false
      fault('indi/token-too-long', `a tag is longer than ${limits.tokenBytes} bytes`)
    } else if (!comment) keep(bytes, start, most)
    return most
  }

  /** `!--` are the first three bytes of this tag, the last of them at `i`. */
  const isCommentStart = (bytes: Buffer, start: number, i: number): boolean => {
    const at = tagBytes + i - start
    if (at !== 2) return false
    const byte = (n: number): number => (n < carried ? carry[n]! : bytes[start + n - carried]!)
    return byte(0) === bang && byte(1) === dash
  }

  const finishTag = (bytes: Buffer, start: number, end: number): void => {
    if (carried === 0) {
      endTag(bytes, start, end)
      return
    }
    keep(bytes, start, end)
    endTag(carry, 0, carried)
  }

  return {
    feed(chunk) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      let i = 0
      while (i < bytes.length) {
        if (inTag) {
          i = scanTag(bytes, i)
          continue
        }
        const next = bytes.indexOf(lessThan, i)
        const end = next < 0 ? bytes.length : next
        if (end > i && stack.length > 0) sink.text(bytes, i, end)
        if (next < 0) return
        beginTag()
        i = next + 1
      }
    },
  }
}

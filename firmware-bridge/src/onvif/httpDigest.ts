/** HTTP Digest access authentication, RFC 7616, for snapshots: MD5 and SHA-256, with qop=auth or none. */
import { createHash } from 'node:crypto'

export interface DigestChallenge {
  readonly realm: string
  readonly nonce: string
  readonly opaque?: string | undefined
  readonly algorithm: 'MD5' | 'SHA-256'
  readonly qop: boolean
}

const longestHeader = 4_096

/** The strongest challenge of a WWW-Authenticate header that we can answer; undefined when there is none. Never throws. */
export function parseChallenge(header: string): DigestChallenge | undefined {
  const challenges = header
    .slice(0, longestHeader)
    .split(/(?=\bDigest\s)/i)
    .flatMap((part) => readChallenge(part) ?? [])
  return challenges.find(({ algorithm }) => algorithm === 'SHA-256') ?? challenges[0]
}

function readChallenge(part: string): DigestChallenge | undefined {
  if (!/^Digest\s/i.test(part)) return undefined
  const fields = new Map<string, string>()
  for (const [, name = '', quoted, plain = ''] of part.matchAll(
    /([a-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi,
  )) {
    fields.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'))
  }
  const [realm, nonce] = [fields.get('realm'), fields.get('nonce')]
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase()
  const words = fields.get('qop')?.split(/\s*,\s*/)
  if (realm === undefined || nonce === undefined || (algorithm !== 'MD5' && algorithm !== 'SHA-256')) return undefined
  if (words && !words.includes('auth')) return undefined
  return { realm, nonce, opaque: fields.get('opaque'), algorithm, qop: words !== undefined }
}

export interface DigestRequest {
  readonly method: string
  /** Path and query. */
  readonly uri: string
  readonly username: string
  readonly password: string
  /** Eight random hexadecimal digits or more. */
  readonly cnonce: string
}

const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&')}"`

/** The Authorization header: RFC 7616, section 3.4. One request a nonce, so the count is always 1. */
export function authorize(challenge: DigestChallenge, request: DigestRequest): string {
  const { realm, nonce, opaque, algorithm, qop } = challenge
  const { method, uri, username, password, cnonce } = request
  const hash = (text: string): string =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const count = '00000001'
  const secret = hash(`${username}:${realm}:${password}`)
  const middle = qop ? `${nonce}:${count}:${cnonce}:auth` : nonce
  const response = hash(`${secret}:${middle}:${hash(`${method}:${uri}`)}`)
  return [
    `Digest username=${quote(username)}, realm=${quote(realm)}, nonce=${quote(nonce)}, uri=${quote(uri)}`,
    `algorithm=${algorithm}, response="${response}"`,
    ...(qop ? [`qop=auth, nc=${count}, cnonce="${cnonce}"`] : []),
    ...(opaque === undefined ? [] : [`opaque=${quote(opaque)}`]),
  ].join(', ')
}

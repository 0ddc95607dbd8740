/** What upsd, the server of Network UPS Tools, says to its clients: RFC 9271, "UPS Management Protocol". */
export type NutReply =
  | { readonly type: 'ok'; readonly detail: string }
  | { readonly type: 'error'; readonly code: string; readonly detail: string }
  | { readonly type: 'begin'; readonly list: string }
  | { readonly type: 'end'; readonly list: string }
  | { readonly type: 'variable'; readonly ups: string; readonly name: string; readonly value: string }
  | { readonly type: 'other'; readonly text: string }

/** The words of a line. Quoted ones may hold blanks, and `\"` and `\\` for the two characters themselves. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  for (const match of line.matchAll(/"((?:[^"\\]|\\.)*)"?|[^\s"]+/gs)) {
    words.push(match[1] === undefined ? match[0] : match[1].replaceAll(/\\(.)/gs, '$1'))
  }
  return words
}

/** Never throws: what is no known reply is `other`. */
export function decodeReply(line: string): NutReply {
  const words = splitWords(line)
  const [first, second, third, fourth] = words
  if (first === 'OK') return { type: 'ok', detail: words.slice(1).join(' ') }
  if (first === 'ERR' && second !== undefined) {
    return { type: 'error', code: second, detail: words.slice(2).join(' ') }
  }
  if (first === 'BEGIN' && second === 'LIST') return { type: 'begin', list: words.slice(2).join(' ') }
  if (first === 'END' && second === 'LIST') return { type: 'end', list: words.slice(2).join(' ') }
  if (first === 'VAR' && second !== undefined && third !== undefined && fourth !== undefined) {
    return { type: 'variable', ups: second, name: third, value: fourth }
  }
  return { type: 'other', text: line }
}

/** A command line: words with blanks, quotes or backslashes are quoted. A line break would be a second command: blanks. */
export function encodeCommand(...words: readonly string[]): Uint8Array {
  return Buffer.from(`${words.map(quote).join(' ')}\n`)
}

function quote(word: string): string {
  const plain = word.replaceAll(/[\r\n]+/g, ' ')
  return /^[^\s"\\]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, '\\$&')}"`
}

/** The error codes of RFC 9271 for people, each with what to do. */
const errorWords: Readonly<Record<string, string>> = {
  'ACCESS-DENIED': 'upsd does not allow this from here: check upsd.users and the firewall',
  'DATA-STALE': 'upsd has no fresh data: its driver does not hear the UPS (cable, USB permissions)',
  'DRIVER-NOT-CONNECTED': 'upsd has no driver for this UPS: start it with upsdrvctl',
  'UNKNOWN-UPS': 'upsd does not know a UPS of this name: see upsc -l for the names',
  'USERNAME-REQUIRED': 'upsd wants a user name',
  'PASSWORD-REQUIRED': 'upsd wants a password',
  'INVALID-USERNAME': 'upsd does not take the user name',
  'INVALID-PASSWORD': 'upsd does not take the password',
  'UNKNOWN-COMMAND': 'upsd does not know the command: it is older than this program expects',
  'INVALID-ARGUMENT': 'upsd does not take an argument of the command',
}

export function explainError(code: string): string {
  return errorWords[code] ?? `upsd refused: ${code}`
}

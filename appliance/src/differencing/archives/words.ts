/** What an answer that is no picture says, for people: an error page, a JSON object, a VOTable with an error. */

const mostWords = 240
const mostLooked = 65_536

/** The words of a page in one line, at most 240 characters; '' when it is not text. */
export function wordsOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, mostLooked)).toString('utf8').trim()
  if (text === '' || text.includes('\0') || text.includes('\uFFFD')) return ''
  const said = text.startsWith('{') ? jsonWords(text) : plainWords(text)
  return said.length > mostWords ? `${said.slice(0, mostWords - 1)}…` : said
}

/** CDS answers errors as `{"title": …, "description": …}`. */
function jsonWords(text: string): string {
  try {
    const said: unknown = JSON.parse(text)
    if (typeof said !== 'object' || said === null) return plainWords(text)
    const parts = ['title', 'description', 'message', 'error', 'detail'].flatMap((key) => {
      const value = (said as Record<string, unknown>)[key]
      return typeof value === 'string' && value !== '' ? [value] : []
    })
    return plainWords(parts.length > 0 ? parts.join(': ') : text)
  } catch {
    return plainWords(text)
  }
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: ' ' }

function plainWords(text: string): string {
  return text
    .replaceAll(/<!--.*?-->|<(script|style|head)\b.*?<\/\1>/gis, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&(lt|gt|amp|quot|apos|nbsp);/g, (_, name: string) => entities[name]!)
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** Whether these bytes begin as a FITS file does, or as a gzip file. */
export function looksLikeFits(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 9)).toString('latin1')
  return start === 'SIMPLE  =' || start.startsWith('\x1f\x8b')
}

/** Why these bytes are no picture, in the words that they hold; undefined when they may be one. */
export function notFits(service: string, bytes: Uint8Array): string | undefined {
  if (looksLikeFits(bytes)) return undefined
  if (bytes.length === 0) return `${service} sent nothing`
  const words = wordsOf(bytes)
  return words === ''
    ? `${service} sent ${bytes.length} bytes that are no FITS`
    : `${service} sent no picture: ${words}`
}

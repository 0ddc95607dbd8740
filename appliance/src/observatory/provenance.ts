import type { FrameProvenance } from '../contract/records.ts'
import type { FitsHeader, HeaderEntries } from '../frames/fits/header.ts'

/** Where a frame came from, as its header keeps it, so that a frame whose journal line was lost still knows. */

const sources: readonly FrameProvenance['source'][] = ['folder', 'upload', 'archive']
/** What fits into one card. */
const nameLimit = 60
/** Goes on in further cards. */
const urlLimit = 2048

export function provenanceEntries({ source, name, url, sha256, bytes }: FrameProvenance): HeaderEntries {
  return {
    INGSRC: [source, 'how this frame came here'],
    INGNAME: [cardText(name), 'its file there'],
    INGURL: url === undefined ? undefined : cardText(url, urlLimit),
    INGSHA: sha256,
    INGBYTES: [bytes, '[byte] of that file'],
  }
}

/** Undefined for a frame of the camera here. */
export function provenanceOf(header: FitsHeader): FrameProvenance | undefined {
  const source = sources.find((one) => one === header.text('INGSRC'))
  const [name, sha256, bytes] = [header.text('INGNAME'), header.text('INGSHA'), header.number('INGBYTES')]
  if (!source || !name || !sha256 || bytes === undefined) return undefined
  const url = header.text('INGURL')
  return { source, name, ...(url !== undefined && { url }), sha256, bytes }
}

function cardText(name: string, most = nameLimit): string {
  return name.slice(0, most).replaceAll(/[^\x20-\x7e]/g, '?')
}

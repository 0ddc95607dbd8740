import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Download } from '../differencing/archives/download.ts'
import { notFits } from '../differencing/archives/words.ts'
import { ingestLimitBytes } from '../observatory/ingestFile.ts'

/** A file that was fetched, as it came. */
export interface FetchedFile {
  readonly name: string
  readonly url: string
  readonly bytes: Uint8Array
}

/** MAST serves any of its files by its URI (its API, version 0.1). */
const mastDownload = 'https://mast.stsci.edu/api/v0.1/Download/file'
const longestName = 200

/** The address of a file in an archive, `https://…` or `mast:…`; undefined for the path of a file here. */
export function addressOf(argument: string): string | undefined {
  if (/^mast:[^\s]+$/i.test(argument)) return `${mastDownload}?${new URLSearchParams({ uri: argument })}`
  if (!/^https?:\/\//i.test(argument)) return undefined
  if (URL.canParse(argument)) return new URL(argument).href
  throw new NightjarError('cli/usage', `${argument} is no address`)
}

/** The last part of the address's path, or of what it asks for. */
export function nameIn(address: string): string {
  const url = new URL(address)
  const asked = url.searchParams.get('uri') ?? url.pathname
  const last = asked.split('/').findLast((part) => part !== '') ?? url.host
  return decoded(last)
    .replaceAll(/[/\\\u0000-\u001f]/g, '_')
    .slice(-longestName)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Fetches one file, or says why it could not be had. */
export async function fetchFile(download: Download, address: string): Promise<FetchedFile | string> {
  const answer = await download(address, ingestLimitBytes)
  if (!answer.ok) return answer.reason
  const name = nameIn(address)
  return notFits(new URL(address).host, answer.bytes) ?? { name, url: address, bytes: answer.bytes }
}

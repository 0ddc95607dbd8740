import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Snapshot } from '../devices/allSkyCamera.ts'
import { type Failure, failure } from '../outcome.ts'

const mostBytes = 64 * 1024 * 1024
const mostWordsCharacters = 4_096

export function hasFfmpeg(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'ffmpeg')))
}

/**
 * One frame of an RTSP stream as a JPEG, by ffmpeg, which is killed when it takes too long. Over TCP: UDP loses parts of
 * frames. The stream's password is seen in this machine's list of processes while ffmpeg runs.
 */
export async function grabFrame(
  url: URL,
  options: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Snapshot | Failure> {
  const { clock, timeoutMs } = options
  // Without a bound ffmpeg looks at five seconds of the stream before it gives a frame.
  const input = ['-rtsp_transport', 'tcp', '-analyzeduration', '500000', '-i', url.href]
  const output = ['-frames:v', '1', '-c:v', 'mjpeg', '-q:v', '2', '-f', 'image2pipe', 'pipe:1']
  const argv = ['-nostdin', '-hide_banner', '-loglevel', 'error', ...input, ...output]
  const child = spawn('ffmpeg', argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const parts: Buffer[] = []
  let length = 0
  let words = ''
  child.stdout.on('data', (part: Buffer) => {
    length += part.length
    if (length > mostBytes) child.kill('SIGKILL')
    else parts.push(part)
  })
  child.stderr.on('data', (part: Buffer) => {
    words = (words + part.toString()).slice(0, mostWordsCharacters)
  })
  const over = new AbortController()
  let late = false
  clock.sleep(timeoutMs, over.signal).then(
    () => {
      late = true
      child.kill('SIGKILL')
    },
    () => undefined,
  )
  const code = await clock.during(
    new Promise<number | string>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      child.once('close', (exit) => resolve(exit ?? 'killed'))
    }),
  )
  over.abort()
  if (code === 'ENOENT') return failure('ffmpeg is not installed: apt-get install ffmpeg')
  if (late) return failure(`the stream gave no frame within ${timeoutMs / 1000} s`)
  if (code !== 0 || length === 0) return failure(`the stream gave no frame: ${withoutPassword(words, url) || code}`)
  return { ok: true, bytes: new Uint8Array(Buffer.concat(parts)), mediaType: 'image/jpeg', atMs: clock.now() }
}

/** ffmpeg repeats the address in its complaints. */
function withoutPassword(words: string, url: URL): string {
  const said = words.trim().split('\n').at(-1) ?? ''
  return url.password === '' ? said : said.replaceAll(url.password, '***')
}

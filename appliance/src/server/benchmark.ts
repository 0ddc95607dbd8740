import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { BenchRow } from '../contract/bench.ts'
import type { FrameRecord } from '../contract/records.ts'
import { hashPassword } from './auth/passwords.ts'
import { openPreviews } from './preview/previews.ts'
import { startServer } from './server.ts'
import { openTestDaemon } from './testing/observatory.ts'
import { drawSources, fitsBytes, renderSky } from './testing/sky.ts'

const runs = 5
const requestsPerRun = 1000
const connections = 8
const username = 'bench'
const password = 'measured-not-guessed'

/** Requests a second of a full answer through every guard, beside a bare node:http; a login; a picture of a frame. */
export async function benchServer(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-server-'))
  try {
    using daemon = openTestDaemon(folder)
    await using server = await startServer(daemon, { webFolder: folder })
    const passwordHash = await hashPassword(password)
    daemon.store.commit(daemon.clock.now(), (tx) =>
      tx.putAccount({ username, role: 'viewer', passwordHash, createdAtMs: tx.atMs }),
    )
    const { ms, cookie } = await login(server.url)
    const health = await beside(`${server.url}/api/health`, {}, '{"status":"ok"}')
    const tonight = await beside(`${server.url}/api/tonight`, { cookie }, JSON.stringify(daemon.tonight()))
    return [
      row('GET /api/health', 'requests/s', health),
      row('GET /api/tonight, logged in', 'requests/s', tonight),
      row('login, argon2id', 'ms', { value: ms }),
      row('preview 1600 px, WebP', 'ms', { value: await previewMs(folder) }, '2048x2048'),
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function row(
  figure: string,
  unit: string,
  measured: { value: number; peer?: number },
  frame: string | null = null,
): BenchRow {
  const { value, peer } = measured
  const beside =
    peer === undefined
      ? { peer: null, peerValue: null, ratio: null }
      : { peer: `node:http ${process.versions.node}, no guard`, peerValue: peer, ratio: value / peer }
  return { room: 'server', figure, value, unit, threads: 1, frame, n: runs, ...beside }
}

/** The same bytes from us and from a bare server, in turns. */
async function beside(
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<{ value: number; peer: number }> {
  const bare = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(body))
  await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve))
  const bareUrl = `http://127.0.0.1:${(bare.address() as AddressInfo).port}/`
  const ours: number[] = []
  const theirs: number[] = []
  for (let run = 0; run < runs; run++) {
    // Each run comes from its own loopback address: the limit of requests per address is part of what is measured.
    ours.push(await requestsPerSecond(url, headers, `127.0.0.${10 + run}`))
    theirs.push(await requestsPerSecond(bareUrl, headers, `127.0.0.${10 + run}`))
  }
  bare.close()
  bare.closeAllConnections()
  return { value: median(ours), peer: median(theirs) }
}

async function requestsPerSecond(url: string, headers: Record<string, string>, localAddress: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      request(url, { agent, headers, localAddress }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`))
        response.resume().on('end', resolve)
      })
        .on('error', reject)
        .end()
    })
  const began = systemClock.monotonic()
  let left = requestsPerRun
  const work = async (): Promise<void> => {
    while (left-- > 0) await ask()
  }
  await Promise.all(Array.from({ length: connections }, work))
  const seconds = (systemClock.monotonic() - began) / 1000
  agent.destroy()
  return requestsPerRun / seconds
}

async function login(url: string): Promise<{ ms: number; cookie: string }> {
  const times: number[] = []
  let cookie = ''
  // Five a minute and address are allowed, and five are made.
  for (let run = 0; run < runs; run++) {
    const began = systemClock.monotonic()
    const headers = { origin: url, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/api/login`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ username, password }),
    })
    times.push(systemClock.monotonic() - began)
    cookie = answer.headers.get('set-cookie')!.split(';')[0]!
  }
  return { ms: median(times), cookie }
}

/** From the FITS file to the bytes of the picture, the worker being warm. */
async function previewMs(folder: string): Promise<number> {
  const width = 2048
  const sky = renderSky(drawSources('bench', width, width), width, width, 'bench')
  writeFileSync(join(folder, 'frame.fits'), fitsBytes(sky, width, width))
  await using previews = openPreviews(folder, systemClock)
  const times: number[] = []
  for (let run = 0; run <= runs; run++) {
    const frame = { frameId: `f-${run}`, sha256: '0', path: 'frame.fits' } as FrameRecord
    const began = systemClock.monotonic()
    await previews.get(frame, { width: 1600, stretch: 'auto', source: 'captured' })
    times.push(systemClock.monotonic() - began)
  }
  return median(times.slice(1))
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

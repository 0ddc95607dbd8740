import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { connectTcp } from '../wire/tcp.ts'
import { type ClientEvent, createIndiClient, type IndiClient } from './client.ts'
import { judgeAccepted } from './command.ts'
import { type Indiserver, startIndiserver } from './indiserver.ts'
import type { BlobValue } from './messages.ts'
import { findNumber } from './properties.ts'

const drivers = ['indi_simulator_ccd']
const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const missing = ['indiserver', 'unshare', 'ip', ...drivers].filter((program) => !onPath(program))
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin util-linux iproute2)`)

const ccd = 'CCD Simulator'
/** More than a kernel's delayed acknowledgement (40 ms) a command would mean that it was waited for. */
const delayedAcknowledgementMs = 40

describe.skipIf(missing.length > 0)('Debian’s indiserver over its unix socket and over TCP', () => {
  const stack = new AsyncDisposableStack()
  let server: Indiserver
  let attached: IndiClient
  let tcp: IndiClient
  const frames = { attached: [] as BlobValue[], tcp: [] as BlobValue[] }
  const events: ClientEvent[] = []

  beforeAll(async () => {
    server = stack.use(await startIndiserver({ drivers, clock }))
    attached = stack.use(createIndiClient(server.connect, { clock, random: createRandom(1) }))
    tcp = stack.use(createIndiClient(connectTcp({ path: server.socketPath }), { clock, random: createRandom(2) }))
    for (const [client, into] of [
      [attached, frames.attached],
      [tcp, frames.tcp],
    ] as const) {
      client.listen((event) => {
        if (event.type === 'blob') into.push(...event.blobs)
      })
      client.wantBlobs(ccd, 'CCD1')
    }
    tcp.listen((event) => void events.push(event))
    expect(await attached.connectDevice(ccd)).toEqual({ ok: true })
    expect(await attached.set(ccd, 'SIMULATOR_SETTINGS', { SIM_XRES: 640, SIM_YRES: 600 })).toEqual({ ok: true })
    await attached.waitFor((state) => findNumber(state, ccd, 'CCD_FRAME', 'WIDTH') === 640 || undefined, 5_000)
  })
  afterAll(() => stack.disposeAsync())

  async function expose(): Promise<void> {
    frames.attached.length = 0
    frames.tcp.length = 0
    const values = { CCD_EXPOSURE_VALUE: 0.01 }
    await attached.set(ccd, 'CCD_EXPOSURE', values, { judge: judgeAccepted })
    const startedAt = clock.monotonic()
    const missing = (): boolean => frames.attached.length === 0 || frames.tcp.length === 0
    while (missing() && clock.monotonic() - startedAt < 10_000) await clock.sleep(5)
    expect(missing()).toBe(false)
  }

  it('brings the same frame as shared memory and as base64, to the byte', async () => {
    await expose()
    const [memory, text] = [frames.attached[0]!, frames.tcp[0]!]
    expect(memory.format).toBe('.fits')
    expect(memory.bytes.length % 2880).toBe(0)
    expect(Buffer.from(memory.bytes.subarray(0, 30)).toString()).toBe('SIMPLE  =                    T')
    expect(Buffer.from(memory.bytes).equals(text.bytes)).toBe(true)
  })

  it('passes a tile-compressed frame on whole, without the zeros that indiserver adds', async () => {
    expect(await attached.set(ccd, 'CCD_COMPRESSION', { INDI_ENABLED: true })).toEqual({ ok: true })
    await expose()
    const [memory, text] = [frames.attached[0]!, frames.tcp[0]!]
    expect(memory.format).toBe('.fits.fz')
    expect(memory.bytes.length).toBeLessThan(memory.sizeBytes)
    // FITS comes in blocks of 2880 bytes; the server's buffer is a MiB.
    expect(memory.bytes.length % 2880).toBe(0)
    expect(Buffer.from(memory.bytes).equals(text.bytes)).toBe(true)
  })

  it('answers commands without waiting for a delayed acknowledgement, either way', async () => {
    for (const client of [attached, tcp]) {
      const elapsed: number[] = []
      for (let gain = 0; gain < 15; gain++) {
        const startedAt = clock.monotonic()
        expect(await client.set(ccd, 'CCD_GAIN', { GAIN: gain })).toEqual({ ok: true })
        elapsed.push(clock.monotonic() - startedAt)
      }
      expect(elapsed.sort((a, b) => a - b)[7]).toBeLessThan(delayedAcknowledgementMs / 2)
      expect(await client.ping()).toBeLessThan(1_000)
    }
  })

  it('shows each client what the other commands', async () => {
    events.length = 0
    expect(await attached.set(ccd, 'CCD_GAIN', { GAIN: 77 })).toEqual({ ok: true })
    await tcp.waitFor((state) => findNumber(state, ccd, 'CCD_GAIN', 'GAIN') === 77 || undefined, 5_000)
    const foreign = events.filter((event) => event.type === 'foreign').map(({ message }) => message)
    expect(foreign).toContainEqual(expect.objectContaining({ type: 'new', device: ccd, name: 'CCD_GAIN' }))
  })
})

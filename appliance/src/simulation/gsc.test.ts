import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createDecoder } from '@nightjar/firmware-bridge/indi/decode.ts'
import { encode } from '@nightjar/firmware-bridge/indi/encode.ts'
import type { IndiMessage } from '@nightjar/firmware-bridge/indi/messages.ts'
import { afterAll, describe, expect, it } from 'vitest'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { type GscWorld, gscLines, parseGscArguments, writeGscWrapper } from './gsc.ts'

const run = promisify(execFile)
const catalogue = openStarCatalogue()
const folder = mkdtempSync(join(tmpdir(), "nightjar gsc's "))
afterAll(() => rmSync(folder, { recursive: true }))

/** What indi_simulator_ccd 1.9.9 runs. */
const asDriver = '-c 56.750000 +24.100000 -r 36.2 -m 0 17.00 -n 3000'.split(' ')
const transients = {
  epochMs: 1_000_000,
  everySeconds: 60,
  count: 1,
  raDeg: 56.75,
  decDeg: 24.1,
  radiusDeg: 0.1,
  peakMag: [6, 6] as const,
}
const lines = (world: GscWorld, atMs: number, args = asDriver): string[] =>
  gscLines(parseGscArguments(args), world, catalogue, atMs)

describe('the gsc stand-in', () => {
  it("prints lines that the driver's sscanf reads", () => {
    // "%10s %f %f %f %f %f %d %d %4s %2s %f %d" in indi_simulator_ccd.
    const float = '-?\\d+(\\.\\d+)?'
    const pattern = new RegExp(`^\\S{1,10}( ${float}){5}( \\d+){2} \\S{1,4} \\S{1,2} ${float} \\d+$`)
    const all = lines({ seed: 7 }, 0)
    expect(all.length).toBeGreaterThan(1000)
    expect(all.filter((line) => !pattern.test(line))).toEqual([])
  })

  it('gives the brightest first, no more than asked, none outside the circle or the magnitudes', () => {
    const fields = lines({ seed: 7 }, 0, '-c 56.75 +24.1 -r 20 -m 5 14 -n 50'.split(' ')).map((line) => line.split(' '))
    const mags = fields.map((line) => Number(line[4]))
    expect(fields).toHaveLength(50)
    expect(mags).toEqual([...mags].sort((a, b) => a - b))
    expect(Math.min(...mags)).toBeGreaterThanOrEqual(5)
    expect(Math.max(...mags)).toBeLessThanOrEqual(14)
    expect(Math.max(...fields.map((line) => Number(line[10])))).toBeLessThanOrEqual(20)
  })

  it('finds Atlas where SIMBAD has it, 03 49 09.743 +24 03 12.30', () => {
    const [, ra, dec] = lines({ seed: 7 }, 0)[0]!.split(' ').map(Number)
    expect(ra).toBeCloseTo(57.290596, 4)
    expect(dec).toBeCloseTo(24.053417, 4)
  })

  it('shows a transient from its onset on and not before', () => {
    const seen = (atMs: number): boolean =>
      lines({ seed: 7, transients }, atMs).some((line) => line.split(' ')[4] === '6.00')
    expect([seen(999_999), seen(1_000_001)]).toEqual([false, true])
  })

  it('refuses arguments that it does not understand', () => {
    expect(() => parseGscArguments(['-r', '3'])).toThrow(/centre is missing/)
    expect(() => parseGscArguments(['-c', '3'])).toThrow(/-c needs 2 numbers/)
    expect(() => parseGscArguments(['-c', '3', 'north'])).toThrow(/-c needs 2 numbers/)
    expect(() => parseGscArguments(['--help'])).toThrow(/no option/)
  })

  it('runs as a program under the name gsc, from a folder with a blank and a quote in its name', async () => {
    const { stdout } = await run(writeGscWrapper(join(folder, 'bin'), { seed: 7 }), asDriver)
    expect(stdout.trimEnd().split('\n')).toEqual(lines({ seed: 7 }, 0))
  })
})

const driver = '/usr/bin/indi_simulator_ccd'
const installed = existsSync(driver)
if (!installed) console.warn('skipped: the real camera simulator with our stars; apt-get install indi-bin')

/** The driver alone, behind pipes so that it sends its BLOBs inline and not as shared memory. */
function startDriver(gscFolder: string): { child: ChildProcessWithoutNullStreams; heard: IndiMessage[] } {
  const heard: IndiMessage[] = []
  const child = spawn('sh', ['-c', `cat | ${driver} | cat`], {
    env: { ...process.env, HOME: gscFolder, PATH: `${gscFolder}:${process.env['PATH']}` },
  })
  child.stderr.resume()
  const decoder = createDecoder({
    onMessage(message) {
      heard.push(message)
      if (message.type === 'pingRequest') child.stdin.write(encode({ type: 'pingReply', uid: message.uid }))
      child.emit('said')
    },
    onFault: () => undefined,
  })
  child.stdout.on('data', (bytes) => decoder.feed(bytes))
  return { child, heard }
}

const device = 'CCD Simulator'
const switchOn = (name: string, element: string): IndiMessage => ({
  type: 'new',
  kind: 'switch',
  device,
  name,
  elements: [{ name: element, value: true }],
})
const numbers = (name: string, values: Record<string, number>): IndiMessage => ({
  type: 'new',
  kind: 'number',
  device,
  name,
  elements: Object.entries(values).map(([key, value]) => ({ name: key, value })),
})

/** Pixels of one 1 s exposure of the Pleiades by the real driver. */
async function realFrame(world: GscWorld, name: string): Promise<Uint16Array> {
  const own = join(folder, name)
  writeGscWrapper(own, world)
  const { child, heard } = startDriver(own)
  const until = async (fits: (message: IndiMessage) => boolean): Promise<IndiMessage> => {
    for (;;) {
      const found = heard.find(fits)
      if (found) return found
      await new Promise((done) => child.once('said', done))
    }
  }
  const say = (message: IndiMessage): boolean => child.stdin.write(encode(message))
  try {
    say({ type: 'getProperties', version: '1.7' })
    await until((message) => message.type === 'def' && message.name === 'CONNECTION')
    say(switchOn('CONNECTION', 'CONNECT'))
    await until((message) => message.type === 'def' && message.name === 'EQUATORIAL_PE')
    say(numbers('SCOPE_INFO', { FOCAL_LENGTH: 400, APERTURE: 100 }))
    // Of date: the driver asks gsc for RA 56.345, Dec 24.016 (J2000) in 2026.
    say(numbers('EQUATORIAL_PE', { RA_PE: 56.75 / 15, DEC_PE: 24.1 }))
    say({ type: 'enableBLOB', device, name: 'CCD1', policy: 'Also' })
    say(numbers('CCD_EXPOSURE', { CCD_EXPOSURE_VALUE: 1 }))
    const blob = await until((message) => message.type === 'set' && message.kind === 'blob')
    if (blob.type !== 'set' || blob.kind !== 'blob') throw new Error('no BLOB')
    return fitsPixels(blob.elements[0]!.bytes)
  } finally {
    child.stdin.end()
    child.kill()
  }
}

/** 16-bit pixels behind the header of a simple FITS file, as unsigned numbers (BZERO 32768). */
function fitsPixels(bytes: Uint8Array): Uint16Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = text.indexOf('END'.padEnd(80), 0, 'latin1')
  const start = (Math.floor(end / 2880) + 1) * 2880
  return Uint16Array.from({ length: 1280 * 1024 }, (_, i) => text.readInt16BE(start + 2 * i) + 32768)
}

describe.skipIf(!installed)("Debian's camera simulator with our gsc", () => {
  it('shows the stars, and one more star after a transient has appeared', async () => {
    const nowMs = systemClock.now()
    const centre = { ...transients, raDeg: 56.345, decDeg: 24.016 }
    const before = await realFrame({ seed: 7, transients: { ...centre, epochMs: nowMs + 1e9 } }, 'before')
    const after = await realFrame({ seed: 7, transients: { ...centre, epochMs: nowMs } }, 'after')
    // The driver's noise is uniform over 10 ADU.
    const stars = before.reduce((count, value) => count + (value > 200 ? 1 : 0), 0)
    expect(stars).toBeGreaterThan(50)
    const risen = Array.from(after.keys()).filter((i) => after[i]! - before[i]! > 50)
    expect(risen.length).toBeGreaterThan(4)
    const columns = risen.map((i) => i % 1280)
    expect(Math.max(...columns) - Math.min(...columns)).toBeLessThan(30)
  })
})

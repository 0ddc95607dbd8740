import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { type Compute, createCompute } from '../compute.ts'
import { compressedCorpus, denseCorpus, reference } from '../reference.ts'
import { wcsFromHeader } from '../wcs.ts'
import { verifyChecksums } from './checksum.ts'
import { glance } from './glance.ts'
import { FitsHeader } from './header.ts'
import { frameFromCamera } from './ingest.ts'
import { openFits, readFrame } from './read.ts'
import { readTable, tableHdu } from './table.ts'
import { encodeFits } from './write.ts'

/** What damaged FITS files did. */
export interface FitsFuzzReport {
  readonly files: number
  /** Read to the last pixel; the others were refused by name. */
  readonly read: number
  /** Not refused by a `fits/` error that names the file. */
  readonly faults: number
  readonly firstFault: string | undefined
  readonly slowestCpuMs: number
  /** Number of the slowest file: `damagedFile` makes it again. */
  readonly slowest: number
  readonly peakPixelBytes: number
}

/** Of one image; the files have some kilobytes. */
const maximumBytes = 4 * 1024 * 1024
/** More pixel memory than this for one file is a fault: values, planes, masks and variance of the largest image allowed. */
const maximumPixelBytes = 48 * 1024 * 1024
const filesPerTurn = 200
const evilNumbers = [0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]
const evilText = [
  "'",
  '/',
  '=',
  '&',
  '-',
  '9'.repeat(18),
  '1E99',
  '  T',
  'END',
  '\xff',
  '\0',
  'XTENSION',
  'CONTINUE',
  '(',
  '0',
]

/** A good file, and where its binary tables begin (descriptors first, then the packed tiles). */
export interface FuzzSeed {
  readonly bytes: Buffer
  readonly tables: readonly { readonly offset: number; readonly rowBytes: number; readonly bytes: number }[]
}

function seedOf(bytes: Buffer): FuzzSeed {
  const tables = openFits(bytes)
    .hdus.filter(({ kind, dataBytes }) => (kind === 'compressed' || kind === 'table') && dataBytes > 0)
    .map(({ dataOffset, dataBytes, shape: [width = 0, rows = 0] }) => {
      return { offset: dataOffset, rowBytes: width * rows, bytes: dataBytes }
    })
  return { bytes, tables }
}

/** Plain images of every kind, every packing, and a frame with its mask and variance. */
export function fuzzSeeds(): FuzzSeed[] {
  const size = { width: 3, height: 2 }
  const mask = { ...size, data: Int32Array.of(1, 2, 4, 8, 16, -1) }
  const header = FitsHeader.from({
    MP_SAT: 1,
    CTYPE1: 'RA---TAN-SIP',
    CTYPE2: 'DEC--TAN-SIP',
    A_ORDER: 2,
    NOTE: 'x'.repeat(200),
  })
  const frame = encodeFits([
    { header },
    { data: { ...size, data: Float32Array.of(1, 2, 3, 4, 5, 6) } },
    { data: mask, header, extname: 'MASK' },
    { data: { ...size, data: new Float32Array(6) }, extname: 'VARIANCE' },
    {
      table: tableHdu('STARS', [
        { name: 'x', values: [1, 2] },
        { name: 'name', values: ['a', 'bc'] },
      ]),
    },
  ])
  const base64 = [
    ...Object.values(reference.files).map((file) => file.base64),
    reference.header.base64,
    ...compressedCorpus()
      .files.filter((_, index) => index % 9 === 0)
      .map((file) => file.base64),
    ...denseCorpus()
      .filter((_, index) => index % 7 === 0)
      .map((file) => file.base64),
  ]
  return [...base64.map((text) => seedOf(Buffer.from(text, 'base64'))), seedOf(Buffer.from(frame))]
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[random.integer(values.length)] as T
}

/** Changes a number of the table of descriptors, or some bytes of the heap. */
function damageTable(bytes: Buffer, { tables }: FuzzSeed, random: Random): void {
  if (tables.length === 0) return
  const { offset, rowBytes, bytes: length } = pick(tables, random)
  if (random.integer(2) === 0) {
    const at = offset + 4 * random.integer(Math.max(1, rowBytes / 4))
    if (at + 4 <= bytes.length) bytes.writeUInt32BE(pick(evilNumbers, random), at)
    return
  }
  const at = offset + rowBytes + random.integer(Math.max(1, length - rowBytes))
  for (let i = at; i < Math.min(bytes.length, at + 1 + random.integer(8)); i++) bytes[i] = random.integer(256)
}

/** A few changes: bytes, evil text, a card moved over another, blocks cut or doubled, descriptors and tiles. */
function damaged(seed: FuzzSeed, random: Random): Buffer {
  let bytes = Buffer.from(seed.bytes)
  for (let changes = 1 + random.integer(4); changes > 0; changes--) {
    const at = random.integer(bytes.length)
    const card = Math.floor(at / 80) * 80
    const kind = random.integer(8)
    const early = Math.min(bytes.length, random.integer(9) * 80 + 10)
    if (kind === 0) bytes[at] = random.integer(256)
    else if (kind === 1) bytes.write(pick(evilText, random), at, 'latin1')
    else if (kind === 2) bytes.write(pick(evilText, random), early, 'latin1')
    else if (kind === 3) bytes.copy(bytes, card, random.integer(Math.ceil(bytes.length / 80)) * 80, card + 80)
    else if (kind === 4) bytes = bytes.subarray(0, Math.max(1, at))
    else if (kind === 5) bytes = Buffer.concat([bytes.subarray(0, card), bytes.subarray(random.integer(bytes.length))])
    else damageTable(bytes, seed, random)
  }
  return bytes
}

/** The damaged file of a seed text and a number: the same on every machine. */
export function damagedFile(seeds: readonly FuzzSeed[], seed: string, number: number): Buffer {
  return damaged(seeds[number % seeds.length] as FuzzSeed, createRandom(`damaged FITS ${seed} ${number}`))
}

/** Everything that is done with a file from outside. */
function readAll(compute: Compute, bytes: Uint8Array): void {
  using _scope = compute.scope()
  const file = openFits(bytes, { name: 'damaged.fits', maximumBytes })
  verifyChecksums(file)
  const taken = frameFromCamera(bytes, { FRAMEID: 'f1' })
  if (taken.ok) glance(openFits(taken.bytes))
  const frame = readFrame(compute, file)
  wcsFromHeader(frame.header)
  for (const { kind, index } of file.hdus) if (kind === 'table') readTable(file, index)
}

function faultOf(error: unknown): string | undefined {
  if (error instanceof NightjarError && error.code.startsWith('fits/') && error.message.startsWith('damaged.fits: '))
    return undefined
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Reads `files` damaged files, those numbered from `first`; never throws for what they hold. */
export async function fuzzFits(files: number, seed: string, first = 0): Promise<FitsFuzzReport> {
  using compute = createCompute({ threads: 1, maximumBytes: maximumPixelBytes })
  const seeds = fuzzSeeds()
  const found = { read: 0, faults: 0, firstFault: undefined as string | undefined, slowestCpuMs: 0, slowest: 0 }
  for (let number = first; number < first + files; number++) {
    // zlib lets go of its memory between turns of the event loop.
    if (number % filesPerTurn === 0) await nextTurn()
    const bytes = damagedFile(seeds, seed, number)
    const cpu = process.threadCpuUsage()
    try {
      readAll(compute, bytes)
      found.read++
    } catch (error) {
      const fault = faultOf(error)
      if (fault !== undefined) found.faults++
      found.firstFault ??= fault && `file ${number}: ${fault}`
    }
    const used = process.threadCpuUsage(cpu)
    const ms = (used.user + used.system) / 1000
    if (ms > found.slowestCpuMs) Object.assign(found, { slowestCpuMs: ms, slowest: number })
  }
  return { files, ...found, peakPixelBytes: compute.usage().peakBytes }
}

if (import.meta.main) {
  const [files = '1000', seed = '1', first = '0'] = process.argv.slice(2)
  const started = systemClock.monotonic()
  const report = await fuzzFits(Number(files), seed, Number(first))
  console.log(JSON.stringify({ ...report, seconds: (systemClock.monotonic() - started) / 1000 }))
}

import { existsSync } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { Compute } from '../frames/compute.ts'
import { verifyChecksums } from '../frames/fits/checksum.ts'
import { packFits } from '../frames/fits/pack.ts'
import { type FitsFile, openFits } from '../frames/fits/read.ts'
import { readTable } from '../frames/fits/table.ts'
import { unpackFits } from '../frames/fits/unpackFile.ts'

/** Files in place of files: the old one goes when the new one is on the disk and was read back. */

export interface Replacement {
  readonly path: string
  readonly bytesBefore: number
  readonly bytesAfter: number
}

export interface PackChoice {
  /** Steps per standard deviation of the noise for floats; undefined keeps them bit for bit. */
  readonly quantizeLevel?: number | undefined
  /** The old file stays. */
  readonly keep: boolean
}

/** More than this in one file is refused: whole files are in memory, more than once. */
const mostBytes = 1024 * 1024 * 1024
/** The file that marks a data folder of the daemon. */
const ownerMark = 'owner.lock'
const float32Rounding = 2 ** -22

/**
 * Packs a FITS file to `<name>.fz`, plain or `.gz`. Throws `cli/pack` when there is nothing to pack, when packing would lose
 * anything that was not asked for, and for a file of the daemon's own data.
 */
export async function packFile(compute: Compute, path: string, choice: PackChoice): Promise<Replacement> {
  const before = await bytesOf(path)
  const file = openFits(before)
  if (file.hdus.some(({ kind }) => kind === 'compressed')) throw refused(path, 'it is packed already')
  const level = choice.quantizeLevel ?? 0
  const packed = packFits(compute, file, { packing: 'suited', quantizeLevel: level })
  if (openFits(packed).hdus.every(({ kind }) => kind !== 'compressed'))
    throw refused(path, 'there is no image in it that can be packed')
  checkPacked(compute, path, file, packed)
  return replace(path, `${path.replace(/\.gz$/i, '')}.fz`, packed, before.length, choice.keep)
}

/** Unpacks `<name>.fz` to `<name>`. Throws `cli/pack` when it is not packed or its checksums say that it is damaged. */
export async function unpackFile(compute: Compute, path: string, { keep }: PackChoice): Promise<Replacement> {
  if (!/.\.fz$/i.test(path)) throw refused(path, 'its name does not end in .fz')
  const before = await bytesOf(path)
  const file = openFits(before)
  if (file.hdus.every(({ kind }) => kind !== 'compressed')) throw refused(path, 'it is not packed')
  const plain = unpackFits(compute, file)
  checkUnpacked(path, file, plain)
  return replace(path, path.replace(/\.fz$/i, ''), plain, before.length, keep)
}

async function bytesOf(path: string): Promise<Uint8Array> {
  const facts = await stat(path).catch((cause: Error) => {
    throw new NightjarError('cli/pack', `${path}: ${cause.message}`, { cause })
  })
  if (!facts.isFile()) throw refused(path, 'it is not a file')
  if (facts.size > mostBytes) throw refused(path, `it has more than ${mostBytes / 1048576} MiB: use fpack and funpack`)
  const owner = dataFolderOf(path)
  if (owner !== undefined)
    throw refused(path, `it belongs to the data folder ${owner}, whose journal knows it by its hash: copy it out first`)
  return readFile(path)
}

/** The daemon's data folder that the file lies in, if any. */
function dataFolderOf(path: string): string | undefined {
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, ownerMark))) return folder
    if (folder === dirname(folder)) return undefined
  }
}

const refused = (path: string, reason: string): NightjarError => new NightjarError('cli/pack', `${path}: ${reason}`)

/** What comes back must be the file, byte for byte; quantized pixels within half a step of what they were. */
function checkPacked(compute: Compute, path: string, before: FitsFile, packed: Uint8Array): void {
  const back = unpackFits(compute, packed)
  const original = wholeOf(before)
  if (sameBytes(back, original)) return
  const problem = quantizedDiffers(before, openFits(packed), openFits(back))
  if (problem === undefined) return
  throw refused(path, `not packed, because it would not come back as it is: ${problem}`)
}

function wholeOf(file: FitsFile): Buffer {
  const bytes = Buffer.alloc(file.sizeBytes)
  file.readInto(0, bytes)
  return bytes
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Undefined when nothing but quantized images differs, and those by half a step at most. */
function quantizedDiffers(before: FitsFile, packed: FitsFile, back: FitsFile): string | undefined {
  if (before.hdus.length !== back.hdus.length)
    return `${before.hdus.length} HDUs went in and ${back.hdus.length} came out`
  const shift = packed.hdus.length - back.hdus.length
  for (const hdu of before.hdus) {
    const steps = stepsOf(packed, hdu.index + shift)
    const problem = steps ? pixelsDiffer(before, back, hdu.index, steps) : bytesDiffer(before, back, hdu.index)
    if (problem !== undefined) return `HDU ${hdu.index}: ${problem}`
  }
  const end = before.hdus.at(-1)!
  const rest = before.sizeBytes - end.dataOffset - Math.ceil(end.dataBytes / 2880) * 2880
  return rest > 0 ? `${rest} bytes follow its last HDU` : undefined
}

/** ZSCALE of every row of a quantized image; 0 for rows that were kept as they are. */
function stepsOf(packed: FitsFile, index: number): readonly number[] | undefined {
  const hdu = packed.hdus[index]
  if (hdu?.kind !== 'compressed' || !/^SUBTRACTIVE/.test(hdu.header.text('ZQUANTIZ') ?? '')) return undefined
  const column = readTable(packed, index).find(({ name }) => name === 'ZSCALE')
  return column?.values.map((value) => (typeof value === 'number' ? value : 0))
}

function dataOf(file: FitsFile, index: number): Buffer {
  const { dataBytes, dataOffset } = file.hdus[index]!
  const bytes = Buffer.from(new ArrayBuffer(dataBytes))
  file.readInto(dataOffset, bytes)
  return bytes
}

function bytesDiffer(before: FitsFile, back: FitsFile, index: number): string | undefined {
  if (cardsOf(before, index) !== cardsOf(back, index)) return 'its header would change'
  return sameBytes(dataOf(before, index), dataOf(back, index)) ? undefined : 'its data would change'
}

/** Without the checksums, which are those of the pixels. */
function cardsOf(file: FitsFile, index: number): string {
  return file.hdus[index]!.header.without('CHECKSUM', 'DATASUM')
    .cards.map(({ raw }) => raw)
    .join('')
}

function pixelsDiffer(before: FitsFile, back: FitsFile, index: number, steps: readonly number[]): string | undefined {
  if (cardsOf(before, index) !== cardsOf(back, index)) return 'its header would change'
  const [from, to] = [floatsOf(before, index), floatsOf(back, index)]
  const width = from.length / steps.length
  for (let i = 0; i < from.length; i++) {
    const [a, b] = [from[i]!, to[i]!]
    if (Number.isNaN(a) && Number.isNaN(b)) continue
    const most = steps[Math.floor(i / width)]! * 0.5001 + Math.abs(a) * float32Rounding
    if (a !== b && !(Math.abs(a - b) <= most)) return `pixel ${i} would be ${b} instead of ${a}`
  }
  return undefined
}

function floatsOf(file: FitsFile, index: number): Float32Array | Float64Array {
  const bytes = dataOf(file, index)
  if (file.hdus[index]!.bitpix === -32) return new Float32Array(bytes.swap32().buffer)
  return new Float64Array(bytes.swap64().buffer)
}

/** The sums of the packed file hold, and so do those that images had before they were packed without loss. */
function checkUnpacked(path: string, packed: FitsFile, plain: Uint8Array): void {
  const damaged = verifyChecksums(packed).find(({ data, header }) => data === false || header === false)
  if (damaged) throw refused(path, `HDU ${damaged.hdu} does not match its checksum: copy the file again`)
  const file = openFits(plain)
  const shift = packed.hdus.length - file.hdus.length
  for (const hdu of file.hdus) {
    const sum = packed.hdus[hdu.index + shift]?.header.text('ZDATASUM')
    if (sum === undefined || stepsOf(packed, hdu.index + shift) || sum === hdu.header.text('DATASUM')) continue
    throw refused(path, `HDU ${hdu.index} has not the pixels that were packed (DATASUM): use funpack to compare`)
  }
}

/** Written beside, synced, read back, renamed, and the folder synced; only then the old file goes. */
async function replace(
  path: string,
  target: string,
  bytes: Uint8Array,
  bytesBefore: number,
  keep: boolean,
): Promise<Replacement> {
  if (existsSync(target)) throw refused(path, `${target} is there already`)
  const beside = `${target}.part`
  try {
    await writeSynced(beside, bytes, (await stat(path)).mode)
    if (!sameBytes(await readFile(beside), bytes)) throw refused(path, 'what was written does not read back')
    await rename(beside, target)
    await syncFolder(dirname(target))
  } catch (cause) {
    await rm(beside, { force: true })
    if (cause instanceof NightjarError) throw cause
    throw new NightjarError('cli/output', `${target} cannot be written: ${(cause as Error).message}`, { cause })
  }
  if (!keep) {
    await rm(path)
    await syncFolder(dirname(path))
  }
  return { path: target, bytesBefore, bytesAfter: bytes.length }
}

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await using file = await open(path, 'w', mode & 0o777)
  await file.writeFile(bytes)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

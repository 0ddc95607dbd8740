import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, it } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { verifyChecksums } from '../frames/fits/checksum.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { openFits, readImage } from '../frames/fits/read.ts'
import { tableHdu } from '../frames/fits/table.ts'
import { unpackFits } from '../frames/fits/unpackFile.ts'
import { encodeFits, type HduToWrite } from '../frames/fits/write.ts'
import { realDataFolder } from '../frames/reference.ts'
import { main } from './main.ts'
import * as pack from './pack.ts'
import * as unpack from './unpack.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-pack-command-'))
afterAll(() => rmSync(folder, { recursive: true }))
const commands = { pack, unpack }

async function nightjar(...argv: string[]): Promise<{ status: number; out: string }> {
  let out = ''
  const original = console.log
  console.log = (text: string) => (out += `${text}\n`)
  try {
    const write = (text: string) => (out += text)
    const load = async (name: string) => commands[name as keyof typeof commands]
    return { status: await main(argv, { out: write, err: write, debug: false, load }), out }
  } finally {
    console.log = original
  }
}

const random = createRandom('pack')
const noise = <T extends Float32Array | Float64Array | Uint16Array | Int32Array | Uint8Array>(
  array: T,
  at: number,
): T => {
  for (let i = 0; i < array.length; i++) array[i] = at + 12 * random.normal()
  return array
}
const [width, height] = [61, 47]
const size = { width, height }
const header = FitsHeader.from({ OBJECT: 'NGC 1', NOTE: 'x'.repeat(150) }).withHistory('calibrate 1.0')

/** One image of every kind, a table and an empty primary among them. */
const everyKind: readonly HduToWrite[] = [
  {},
  { header, data: { ...size, data: noise(new Uint16Array(width * height), 1000) }, extname: 'RAW' },
  { data: { ...size, data: noise(new Int32Array(width * height), -5) } },
  { data: { ...size, data: noise(new Uint8Array(width * height), 100) } },
  { data: { ...size, data: noise(new Float32Array(width * height), 3.25).fill(Number.NaN, 40, 50) }, extname: 'SCI' },
  { data: { ...size, data: noise(new Float64Array(width * height), -2.5) } },
  { table: tableHdu('STARS', [{ name: 'X', kind: 'D', values: [1, 2, 3] }]) },
]

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const sumsHold = (path: string): boolean =>
  verifyChecksums(openFits(path)).every(({ data, header: whole }) => data !== false && whole !== false)

describe('nightjar pack and unpack', () => {
  it('take every kind of image there and back without changing a byte, mode and checksums kept', async () => {
    const bytes = encodeFits(everyKind)
    const path = file('every.fits', bytes)
    const packed = await nightjar('pack', path)
    expect(packed).toMatchObject({ status: 0 })
    expect(packed.out).toMatch(/every\.fits\.fz, \d+\.\d %/)
    expect(existsSync(path)).toBe(false)
    expect(sumsHold(`${path}.fz`)).toBe(true)
    expect(openFits(`${path}.fz`).hdus.filter(({ kind }) => kind === 'compressed')).toHaveLength(5)
    expect((await nightjar('unpack', `${path}.fz`)).status).toBe(0)
    expect(Buffer.compare(readFileSync(path), bytes)).toBe(0)
    expect(readdirSync(folder)).toEqual(['every.fits'])
    expect(statSync(path).mode & 0o777).toBe(0o644)
  })

  it('take an image in the primary HDU out of its extension again, from .gz too', async () => {
    const bytes = encodeFits([{ header, data: { ...size, data: noise(new Uint16Array(width * height), 900) } }])
    const path = file('one.fits.gz', gzipSync(bytes))
    expect((await nightjar('pack', path)).status).toBe(0)
    expect((await nightjar('unpack', join(folder, 'one.fits.fz'))).status).toBe(0)
    expect(Buffer.compare(readFileSync(join(folder, 'one.fits')), bytes)).toBe(0)
  })

  it('round floats to a share of their noise only when asked, and say so in the header', async () => {
    const data = noise(new Float32Array(200 * 100), 1000)
    const path = file('lossy.fits', encodeFits([{ data: { width: 200, height: 100, data } }]))
    expect(await nightjar('pack', path, '--lossy', '4', '--keep')).toMatchObject({ status: 0 })
    const { size: plain } = statSync(path)
    expect(statSync(`${path}.fz`).size).toBeLessThan(0.35 * plain)
    expect(openFits(`${path}.fz`).hdus[1]!.header.text('ZQUANTIZ')).toBe('SUBTRACTIVE_DITHER_1')
    using compute = createCompute({ threads: 1 })
    const back = openFits(unpackFits(compute, `${path}.fz`))
    const worst = readImage(compute, back).data.reduce(
      (most, value, i) => Math.max(most, Math.abs(value - data[i]!)),
      0,
    )
    // Half of a quarter of the noise of 12, which fpack estimates a little low or high.
    expect(worst).toBeGreaterThan(0.5)
    expect(worst).toBeLessThan(0.5 * 12 * 0.25 * 1.3)
    // The sums are those of the rounded pixels.
    expect(verifyChecksums(back)).toEqual([{ hdu: 0, data: true, header: true }])
  })

  it('keep the file and say why when it would not come back as it is, or is no work for them', async () => {
    const bytes = Buffer.from(encodeFits([{ data: { ...size, data: noise(new Uint16Array(width * height), 900) } }]))
    const own = join(folder, 'data')
    mkdirSync(own)
    writeFileSync(join(own, 'owner.lock'), '')
    writeFileSync(join(own, 'frame.fits'), bytes)
    const cases: readonly (readonly [string, RegExp])[] = [
      [file('junk.fits', Buffer.concat([bytes, Buffer.alloc(2880, 7)])), /2880 bytes follow its last HDU/],
      [file('text.fits', Buffer.from('hello')), /not a FITS file/],
      [file('table.fits', encodeFits([{}, everyKind[6]!])), /no image in it/],
      [join(own, 'frame.fits'), /belongs to the data folder/],
      [join(folder, 'absent.fits'), /no such file/],
    ]
    const { status, out } = await nightjar('pack', ...cases.map(([path]) => path))
    expect(status).toBe(1)
    cases.forEach(([path, reason], i) => {
      expect(out.trim().split('\n')[i]).toMatch(reason)
      expect(existsSync(path)).toBe(!path.endsWith('absent.fits'))
      expect(existsSync(`${path}.fz`)).toBe(false)
    })
    const good = file('good.fits', bytes)
    writeFileSync(`${good}.fz`, 'another')
    expect((await nightjar('pack', good)).out).toMatch(/is there already/)
    expect(readFileSync(`${good}.fz`, 'utf8')).toBe('another')
    expect((await nightjar('pack')).status).toBe(2)
    expect((await nightjar('pack', good, '--lossy', '0')).status).toBe(2)
  })

  it('do not unpack what was damaged on the way', async () => {
    const path = file(
      'hurt.fits',
      encodeFits([{ data: { ...size, data: noise(new Uint16Array(width * height), 900) } }]),
    )
    await nightjar('pack', path)
    const bytes = readFileSync(`${path}.fz`)
    const { dataOffset } = openFits(bytes).hdus[1]!
    bytes[dataOffset + 8 * height + 500]! ^= 4
    writeFileSync(`${path}.fz`, bytes)
    expect(await nightjar('unpack', `${path}.fz`)).toMatchObject({ status: 1 })
    expect(existsSync(path)).toBe(false)
    expect(existsSync(`${path}.fz`)).toBe(true)
  })
})

const installed = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
const tools = ['fpack', 'funpack', 'fitsverify'].every(installed)
if (!tools)
  console.log('skipped: packed files in funpack and fitsverify (Debian: apt install libcfitsio-bin fitsverify)')
const data = realDataFolder()
if (!data) console.log('shared/data is absent: pack is not tried on real files')
const real = [
  'single/asi1600_lights_1.fits',
  'single/eso_na36.fits',
  'single/kbmod_demo.fits',
  'pairs/toros-eso085/sci.fits',
  'series/hatp32/HATP-32171220013343.fits.gz',
].filter((path) => data !== undefined && existsSync(join(data, path)))

describe.skipIf(!tools)('a packed file in the tools of cfitsio', () => {
  const findings = (path: string): number => {
    const said = spawnSync('fitsverify', ['-q', path], { encoding: 'utf8' }).stdout
    const counts = said.match(/\d+(?= (warning|error))/g) ?? []
    return counts.reduce((sum, count) => sum + Number(count), 0)
  }

  it('has nothing that fitsverify finds, and what fpack packed unpacks to the bytes of funpack', async () => {
    const path = file('tools.fits', encodeFits(everyKind))
    expect((await nightjar('pack', path, '--keep')).status).toBe(0)
    expect(findings(`${path}.fz`)).toBe(0)
    const [, raw] = everyKind
    const plain = file('theirs.fits', encodeFits([{ header, data: raw!.data }]))
    execFileSync('fpack', ['-r', plain])
    const theirs = execFileSync('funpack', ['-S', `${plain}.fz`])
    using compute = createCompute({ threads: 1 })
    const ours = openFits(unpackFits(compute, `${plain}.fz`))
    expect(Buffer.compare(dataUnit(ours), dataUnit(openFits(theirs)))).toBe(0)
    expect(verifyChecksums(ours)[0]).toMatchObject({ data: true })
  })

  it.skipIf(real.length === 0).each(real)('%s goes there and back, and funpack finds its pixels', async (name) => {
    const path = join(folder, basename(name, '.gz'))
    if (name.endsWith('.gz')) writeFileSync(path, gunzipSync(readFileSync(join(data!, name))))
    else copyFileSync(join(data!, name), path)
    const before = readFileSync(path)
    expect((await nightjar('pack', path)).status).toBe(0)
    const theirs = openFits(execFileSync('funpack', ['-S', `${path}.fz`], { maxBuffer: 2 ** 28 }))
    expect(Buffer.compare(dataUnit(theirs), dataUnit(openFits(before)))).toBe(0)
    expect((await nightjar('unpack', `${path}.fz`)).status).toBe(0)
    expect(Buffer.compare(readFileSync(path), before)).toBe(0)
    rmSync(path)
  })
})

function dataUnit(one: ReturnType<typeof openFits>): Buffer {
  const hdu = one.hdus.find(({ dataBytes }) => dataBytes > 0)!
  const bytes = Buffer.alloc(hdu.dataBytes)
  one.readInto(hdu.dataOffset, bytes)
  return bytes
}

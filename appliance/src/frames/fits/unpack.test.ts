import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import { compressedCorpus, denseCorpus } from '../reference.ts'
import { openFits, readFrame, readImage } from './read.ts'
import { ditherTable } from './tiles.ts'

const corpus = compressedCorpus()
const bytesOf = (base64: string): Uint8Array => Buffer.from(base64, 'base64')

function digest(data: Float32Array): string {
  const bits = new Uint32Array(data.length)
  const floats = new Float32Array(bits.buffer)
  floats.set(data)
  floats.forEach((value, i) => {
    if (Number.isNaN(value)) bits[i] = 0x7fc00000
  })
  return createHash('sha256').update(bits).digest('hex')
}

describe('a tile-compressed image', () => {
  it('has bit for bit the pixels that funpack finds, for every packing of the corpus, by one thread and by two', () => {
    expect(corpus.files.length).toBeGreaterThan(200)
    for (const threads of [1, 2]) {
      using compute = createCompute({ threads })
      const wrong = corpus.files.filter(({ name, base64, width, height, sha256 }) => {
        using _scope = compute.scope()
        const plane = readImage(compute, openFits(bytesOf(base64), { name }))
        return plane.width !== width || plane.height !== height || digest(plane.data) !== sha256
      })
      expect(wrong.map(({ name }) => name)).toEqual([])
    }
  })

  it('has the header that it had before it was packed', () => {
    using compute = createCompute({ threads: 1 })
    const one = corpus.files.find(({ name }) => name === 'uint16 noise: fpack -r')
    const { header } = readFrame(compute, bytesOf(one?.base64 ?? ''))
    const keys = ['SIMPLE', 'BITPIX', 'NAXIS', 'NAXIS1', 'NAXIS2', 'BZERO', 'OBJECT']
    expect(keys.map((key) => header.get(key))).toEqual([true, 16, 2, 67, 21, 32768, "O'Neill"])
    expect(header.cards.filter((card) => /^(Z|T(TYPE|FORM))/.test(card.key))).toEqual([])
  })

  it('of HCOMPRESS_1, PLIO_1, a cube or with null pixel masks has the pixels that funpack finds, by one thread and by two', () => {
    const dense = denseCorpus()
    expect(dense.length).toBeGreaterThan(150)
    for (const threads of [1, 2]) {
      using compute = createCompute({ threads })
      const wrong = dense.filter(({ name, base64, width, height, sha256, plane }) => {
        using _scope = compute.scope()
        const file = openFits(bytesOf(base64), { name })
        const found = readImage(compute, file, undefined, plane ?? undefined)
        return found.width !== width || found.height !== height || digest(found.data) !== sha256
      })
      expect(wrong.map(({ name }) => name)).toEqual([])
    }
  })

  it('of a cube is refused when nobody says which plane', () => {
    using compute = createCompute({ threads: 1 })
    for (const { name, base64 } of denseCorpus().filter(({ plane }) => plane === 1)) {
      const file = openFits(bytesOf(base64), { name })
      expect(() => readImage(compute, file)).toThrow(/is 45 × 19 × 3|is 61 × 9 × 3/)
      expect(() => readImage(compute, file, undefined, 3)).toThrow(/there is no plane 3 \(say which, 0 to 2\)/)
    }
  })

  it('packed in a way that the standard does not know is refused with the program that may unpack it', () => {
    using compute = createCompute({ threads: 1 })
    const bytes = Buffer.from(bytesOf(corpus.files[0]?.base64 ?? ''))
    bytes.write("'BZIP_1  '", bytes.indexOf("ZCMPTYPE= 'RICE_1 ") + 10)
    const read = (): unknown => readImage(compute, openFits(bytes, { name: 'a.fits.fz' }))
    expect(read).toThrow(/a.fits.fz: HDU 1 is packed as BZIP_1, not read here: unpack it with funpack/)
  })
})

it('the random numbers of the dither end as FITS 4.0, Appendix I says', () => {
  const table = ditherTable()
  expect(table[9999]).toBe(Math.fround(1043618065 / 2147483647))
})

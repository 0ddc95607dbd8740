import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import { compressedCorpus } from '../reference.ts'
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

  it.each(Object.entries(corpus.refused))(
    'packed as %s is refused with the program that unpacks it',
    (name, base64) => {
      using compute = createCompute({ threads: 1 })
      const read = (): unknown => readImage(compute, openFits(bytesOf(base64), { name: 'a.fits.fz' }))
      expect(read).toThrow(new RegExp(`a.fits.fz: HDU 1 is packed as ${name}, not read here: unpack it with funpack`))
    },
  )
})

it('the random numbers of the dither end as FITS 4.0, Appendix I says', () => {
  const table = ditherTable()
  expect(table[9999]).toBe(Math.fround(1043618065 / 2147483647))
})

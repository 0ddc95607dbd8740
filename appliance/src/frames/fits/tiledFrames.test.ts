import { describe, expect, it } from 'vitest'
import { compressedCorpus } from '../reference.ts'
import { verifyChecksums } from './checksum.ts'
import { glance } from './glance.ts'
import { frameFromCamera } from './ingest.ts'
import { firstImage, imageHeader, openFits } from './read.ts'

const corpus = compressedCorpus()
function bytesOf(name: string): Buffer {
  return Buffer.from(corpus.files.find((file) => file.name === name)?.base64 ?? '', 'base64')
}

describe('a tile-compressed frame from a camera', () => {
  it('is kept as it came, with the facts in its header and checksums that hold', () => {
    const bytes = bytesOf('uint16 noise: fpack -r')
    const taken = frameFromCamera(bytes, { OBJECT: 'M 47', FRAMEID: 'f1' })
    expect(taken).toMatchObject({ ok: true, width: 67, height: 21 })
    if (!taken.ok) return
    const file = openFits(taken.bytes)
    const [before, after] = [firstImage(openFits(bytes)), firstImage(file)]
    expect(verifyChecksums(file).map(({ header }) => header)).toEqual([true, true])
    expect(imageHeader(after).get('OBJECT')).toBe('M 47')
    const data = (from: Uint8Array, start: number): string =>
      Buffer.from(from.subarray(start, start + before.dataBytes)).toString('hex')
    expect(data(taken.bytes, after.dataOffset)).toBe(data(bytes, before.dataOffset))
  })

  it('is refused with a reason when a tile is damaged', () => {
    const bytes = bytesOf('uint16 noise: fpack -r')
    const { dataOffset } = firstImage(openFits(bytes))
    bytes.writeUInt32BE(0x7fffffff, dataOffset + 4)
    const taken = frameFromCamera(bytes, {})
    expect(taken).toEqual({ ok: false, reason: expect.stringMatching(/HDU 1, tile 1: needs bytes 2147483647 to/) })
  })

  it('can be told from another without unpacking it, and from no image', () => {
    const [one, other, constant] = ['uint16 noise', 'int16 noise', 'uint16 constant'].map((name) =>
      glance(openFits(bytesOf(`${name}: fpack -r`))),
    )
    expect(one).toMatchObject({ pixels: 0, uniform: false })
    expect(glance(openFits(bytesOf('uint16 noise: fpack -r')))).toEqual(one)
    expect(one?.fingerprint).not.toBe(other?.fingerprint)
    expect(constant?.uniform).toBe(true)
  })
})

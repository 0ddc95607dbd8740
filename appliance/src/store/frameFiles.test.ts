import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freeBytes, hashFile, removeParts, writeDurably } from './frameFiles.ts'
import { openStore } from './openStore.ts'
import { type Call, faultyFiles } from './testing/faultyFiles.ts'
import { temporaryFolder } from './testing/samples.ts'

const text = (words: string) => new TextEncoder().encode(words)
/** FIPS 180-2, "abc". */
const abcSha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

let folder: ReturnType<typeof temporaryFolder>
let path: string
beforeEach(() => {
  folder = temporaryFolder()
  path = join(folder.path, 'night', 'frame.fits')
})
afterEach(() => folder[Symbol.dispose]())

describe('a file', () => {
  it('is written beside, synced, renamed, and its folder synced, in this order', async () => {
    const files = faultyFiles(() => undefined)
    expect(await writeDurably(path, text('abc'), files)).toEqual({ bytes: 3, sha256: abcSha256 })
    expect(files.calls.slice(1)).toEqual([
      'create frame.fits.part',
      'write frame.fits.part',
      'sync frame.fits.part',
      'rename frame.fits',
      'syncFolder night',
    ])
    expect(files.calls[0]).toMatch(/^syncFolder nj-/)
  })

  it('is taken in pieces, from shared memory too', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2))
    shared.set(text('bc'))
    await writeDurably(path, [text('a'), shared])
    expect(await hashFile(path)).toEqual({ bytes: 3, sha256: abcSha256 })
  })

  it('is never written over, though the same bytes are accepted again', async () => {
    await writeDurably(path, text('abc'))
    expect(await writeDurably(path, text('abc'))).toEqual({ bytes: 3, sha256: abcSha256 })
    await expect(writeDurably(path, text('xyz'))).rejects.toThrow(/exists with other bytes/)
    expect(readFileSync(path, 'utf8')).toBe('abc')
    expect(readdirSync(join(folder.path, 'night'))).toEqual(['frame.fits'])
  })

  it('has a name without surprises', async () => {
    for (const name of ['..', 'a b', 'a\nb', 'x'.repeat(121), 'a.part', 'é']) {
      await expect(writeDurably(`${folder.path}/${name}`, text('abc'))).rejects.toThrow(/cannot be a file name/)
    }
  })

  it('that two write at once is written once', async () => {
    const writes = await Promise.allSettled([writeDurably(path, text('abc')), writeDurably(path, text('xyz'))])
    expect(writes.map((write) => write.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(readFileSync(path, 'utf8')).toBe(writes[0]!.status === 'fulfilled' ? 'abc' : 'xyz')
  })

  const calls: Call[] = ['create', 'write', 'sync', 'rename']
  it.each(calls)('does not appear when %s fails, and can be written later', async (failing) => {
    let broken = true
    const files = faultyFiles((call, where) =>
      broken && call === failing && where.includes('frame') ? 'EIO' : undefined,
    )
    await expect(writeDurably(path, text('abc'), files)).rejects.toThrow(/EIO/)
    expect(readdirSync(join(folder.path, 'night')).filter((name) => !name.endsWith('.part'))).toEqual([])
    broken = false
    removeParts(folder.path)
    await writeDurably(path, text('abc'), files)
    expect(readFileSync(path, 'utf8')).toBe('abc')
  })

  it('that does not fit on the disk leaves nothing and says so', async () => {
    const files = faultyFiles((call) => (call === 'write' ? 'ENOSPC' : undefined))
    await expect(writeDurably(path, text('abc'), files)).rejects.toMatchObject({ code: 'store/full' })
    expect(readdirSync(join(folder.path, 'night'))).toEqual([])
  })

  it('that is not there cannot be hashed', async () => {
    await expect(hashFile(path)).rejects.toMatchObject({ code: 'files/missing' })
  })
})

describe('a data folder', () => {
  it('loses half-written files when it is opened', () => {
    mkdirSync(join(folder.path, 'night'))
    writeFileSync(`${path}.part`, 'half')
    writeFileSync(path, 'whole')
    openStore(folder.path)[Symbol.dispose]()
    expect(readdirSync(join(folder.path, 'night'))).toEqual(['frame.fits'])
  })

  it('knows how much room is left', async () => {
    expect(await freeBytes(folder.path)).toBeGreaterThan(0)
  })
})

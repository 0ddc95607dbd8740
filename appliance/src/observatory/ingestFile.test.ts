import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultSettings } from '../contract/config.ts'
import { openFits } from '../frames/fits/read.ts'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { adoptFrames } from './adopt.ts'
import { type IngestDeps, ingestFile, ingestInTurn, type Origin } from './ingestFile.ts'
import { foreignFile } from './testing/foreignFile.ts'
import { FolderWatch } from './watchFolder.ts'

const nowMs = Date.UTC(2026, 10, 21, 12)
const fields = [{ fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875, exposureSeconds: 30, filter: 'R' }]
const upload: Origin = { source: 'upload', name: 'm31.fits' }
let folder: ReturnType<typeof temporaryFolder>
let store: Store
let clock: VirtualClock
let deps: IngestDeps

beforeEach(() => {
  folder = temporaryFolder()
  store = openStore(join(folder.path, 'data'))
  clock = new VirtualClock(nowMs)
  deps = { store, clock, settings: () => ({ ...defaultSettings, fields }) }
})
afterEach(() => {
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

const bodies = (type: string) => store.events(0, 1000).flatMap((event) => (event.type === type ? [event.body] : []))

async function taken(bytes: Uint8Array | string, origin = upload) {
  const outcome = await ingestFile(deps, bytes, origin)
  if (!outcome.ok) throw new Error(outcome.reason)
  return outcome
}

describe('a file of another program', () => {
  it('becomes a frame with one event and its first job, whole by its checksums', async () => {
    const bytes = foreignFile()
    const { frame, known } = await taken(bytes)
    expect(known).toBe(false)
    expect(frame).toMatchObject({
      fieldId: 'M31',
      type: 'light',
      capturedAtMs: Date.UTC(2026, 10, 20, 22, 15, 30, 250),
      exposureSeconds: 60,
      filter: 'L',
      provenance: { source: 'upload', name: 'm31.fits', bytes: bytes.length },
    })
    expect(store.frame(frame.frameId)).toEqual(frame)
    expect(bodies('frame.captured')).toMatchObject([{ frameId: frame.frameId, provenance: frame.provenance }])
    expect(store.nextJob('preprocessing', nowMs)?.subject).toBe(frame.frameId)
    expect(await store.verify()).toMatchObject({ ok: true, files: 1, orphans: [] })
    const header = openFits(join(store.folder, frame.path)).hdus[0]?.header
    expect(['SWCREATE', 'OBJNAME', 'IMAGETYP'].map((key) => header?.text(key))).toEqual([
      'Another 1.0',
      'Andromeda',
      'Light Frame',
    ])
  })

  it('is one frame however often and however it comes', async () => {
    const take = ingestInTurn(deps)
    const outcomes = await Promise.all([
      take(foreignFile(), upload),
      take(foreignFile(), { ...upload, name: 'b.fits' }),
    ])
    expect(outcomes.map((outcome) => outcome.ok && outcome.known)).toEqual([false, true])
    expect(bodies('frame.captured')).toHaveLength(1)
    const { frame } = await taken(foreignFile())
    const again = await taken(join(store.folder, frame.path), { source: 'archive', name: 'back.fits' })
    expect(again).toEqual({ ok: true, frame, known: true })
  })

  it('may be packed by gzip', async () => {
    expect((await taken(gzipSync(foreignFile()))).frame).toMatchObject({ width: 16, height: 16, fieldId: 'M31' })
  })

  it('is adopted with where it came from when the power went before its line', async () => {
    const { frame } = await taken(foreignFile())
    using after = temporaryFolder()
    using second = openStore(after.path)
    mkdirSync(join(after.path, 'frames', frame.nightId), { recursive: true })
    writeFileSync(join(after.path, frame.path), readFileSync(join(store.folder, frame.path)))
    expect(await adoptFrames(second, nowMs)).toEqual({ adopted: 1, refused: [] })
    expect(second.frame(frame.frameId)).toEqual(frame)
    expect(await ingestFile({ ...deps, store: second }, foreignFile(), upload)).toMatchObject({ known: true })
  })

  it('whose header does not say what it is, or where it points, may be brought with that', async () => {
    const silent = { IMAGETYP: undefined, OBJCTRA: undefined, OBJCTDEC: undefined, OBJECT: undefined }
    expect(await ingestFile(deps, foreignFile(silent), { ...upload, type: 'light' })).toMatchObject({ ok: false })
    const given = await taken(foreignFile(silent), { ...upload, type: 'light', field: 'm-31' })
    expect(given.frame).toMatchObject({ type: 'light', fieldId: 'M31' })
    expect(openFits(join(store.folder, given.frame.path)).hdus[0]?.header.text('IMAGETYP')).toBe('Light Frame')
    const dark = await taken(foreignFile({ ...silent, EXPTIME: 7 }), { ...upload, type: 'dark' })
    expect(dark.frame).toMatchObject({ type: 'dark', fieldId: 'calibration' })
    const against = await ingestFile(deps, foreignFile(), { ...upload, type: 'flat' })
    expect(against).toEqual({ ok: false, reason: 'its header says that it is a light, not a flat' })
    expect(bodies('frame.refused').at(-1)).toEqual({
      ...upload,
      reason: 'its header says that it is a light, not a flat',
    })
  })

  it('is of the field that its OBJECT names, however that is spelt', async () => {
    const nowhere = { OBJCTRA: undefined, OBJCTDEC: undefined }
    for (const [index, OBJECT] of ['M31', 'm 31', 'M_31'].entries())
      expect((await taken(foreignFile({ ...nowhere, OBJECT, EXPTIME: 10 + index }))).frame.fieldId).toBe('M31')
    const other = await ingestFile(deps, foreignFile({ ...nowhere, OBJECT: 'M 33' }), upload)
    expect(other).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/M 33 is none of the fields: set RA and DEC/),
    })
  })

  it('keeps the address that it was fetched from, also when it is adopted', async () => {
    const url = `https://archive.example/get?uri=${'a/'.repeat(90)}m31.fits`
    const { frame } = await taken(foreignFile(), { source: 'archive', name: 'm31.fits', url })
    expect(frame.provenance).toMatchObject({ source: 'archive', name: 'm31.fits', url })
    using after = temporaryFolder()
    using second = openStore(after.path)
    mkdirSync(join(after.path, 'frames', frame.nightId), { recursive: true })
    writeFileSync(join(after.path, frame.path), readFileSync(join(store.folder, frame.path)))
    expect(await adoptFrames(second, nowMs)).toEqual({ adopted: 1, refused: [] })
    expect(second.frame(frame.frameId)).toEqual(frame)
  })

  it('of MicroObservatory was taken when its DATE-OBS says, with its zone', async () => {
    // HATP-32171220020312.fits: the name is the moment in UTC, 2017-12-20 02:03:12.
    const cards = { 'DATE-OBS': '2017-12-19T19:03:12.855-0700', 'MJD-OBS': 58107.086 }
    expect((await taken(foreignFile(cards))).frame.capturedAtMs).toBe(Date.UTC(2017, 11, 20, 2, 3, 12, 855))
  })

  it('without a filter has that of its field; a bias needs no place and makes no job', async () => {
    expect((await taken(foreignFile({ FILTER: undefined }))).frame.filter).toBe('R')
    const bias = await taken(foreignFile({ IMAGETYP: 'Bias Frame', OBJCTRA: undefined, EXPTIME: undefined }))
    expect(bias.frame).toMatchObject({ type: 'bias', fieldId: 'calibration', exposureSeconds: 0 })
    expect(store.jobCounts('preprocessing').waiting).toBe(1)
  })
})

describe('what is no frame is refused, and the journal says so:', () => {
  const wrong: Readonly<Record<string, readonly [() => Uint8Array, RegExp]>> = {
    'no FITS at all': [() => Buffer.from('hello'), /m31\.fits/],
    'a part of a file': [() => foreignFile().subarray(0, 2880 + 100), /promises 512 bytes/],
    'a picture of one value': [() => foreignFile({}, () => 7), /every pixel is 7/],
    'no type': [() => foreignFile({ IMAGETYP: undefined }), /set IMAGETYP/],
    'a stack': [() => foreignFile({ NCOMBINE: 12 }), /single exposures/],
    'no time': [() => foreignFile({ 'DATE-OBS': undefined }), /set DATE-OBS/],
    'a time in another scale': [() => foreignFile({ TIMESYS: 'TDB' }), /TDB/],
    'a time to come': [() => foreignFile({ 'DATE-OBS': '2027-01-01T00:00:00' }), /still to come/],
    'no exposure time': [() => foreignFile({ EXPTIME: undefined }), /set EXPTIME/],
    'no place': [() => foreignFile({ OBJCTRA: undefined }), /set RA and DEC/],
    'another place': [() => foreignFile({ OBJCTDEC: '+20 00 00' }), /add a field there/],
  }
  it.each(Object.entries(wrong))('%s', async (_, [bytes, reason]) => {
    expect(await ingestFile(deps, bytes(), upload)).toEqual({ ok: false, reason: expect.stringMatching(reason) })
    expect(bodies('frame.refused')).toEqual([{ ...upload, reason: expect.stringMatching(reason) }])
    expect(store.frames({ limit: 10 })).toEqual([])
  })

  it('more than the limit', async () => {
    const path = join(folder.path, 'large.fits')
    writeFileSync(path, foreignFile())
    const limit = foreignFile().length - 1
    for (const from of [path, foreignFile()])
      expect(await ingestFile(deps, from, upload, limit)).toMatchObject({ reason: expect.stringMatching(/fpack/) })
    expect((await ingestFile(deps, path, upload, limit + 1)).ok).toBe(true)
  })
})

describe('a watched folder', () => {
  const open = () => {
    const watched = join(folder.path, 'in')
    mkdirSync(watched, { recursive: true })
    const watch = new FolderWatch({
      store,
      clock,
      settings: { folder: watched, everySeconds: 10 },
      take: ingestInTurn(deps),
      room: async () => undefined,
      onTrouble: (reason) => troubles.push(reason),
    })
    const look = () => watch.look(new AbortController().signal)
    return { watched, watch, look }
  }
  const troubles: string[] = []
  const counts = () => [bodies('frame.captured').length, bodies('frame.refused').length]

  it('gives a file once it did not change between two looks, once, and leaves it there', async () => {
    const { watched, look } = open()
    writeFileSync(join(watched, 'a.fits'), foreignFile())
    await look()
    expect(counts()).toEqual([0, 0])
    await look()
    await look()
    expect(counts()).toEqual([1, 0])
    expect(readFileSync(join(watched, 'a.fits'))).toEqual(Buffer.from(foreignFile()))
    const again = open()
    await again.look()
    await again.look()
    expect(counts()).toEqual([1, 0])
    expect(store.takenFile(join(watched, 'a.fits'))?.frameId).toBe(store.frames({ limit: 1 })[0]?.frameId)
  })

  it('waits for a file that grows, and takes one whose copy had stopped when it goes on', async () => {
    const { watched, look } = open()
    const [bytes, path] = [Buffer.from(foreignFile()), join(watched, 'a.fits')]
    writeFileSync(path, bytes.subarray(0, 1000))
    await look()
    appendFileSync(path, bytes.subarray(1000, 3000))
    await look()
    expect(counts()).toEqual([0, 0])
    await look()
    await look()
    expect(counts()).toEqual([0, 1])
    appendFileSync(path, bytes.subarray(3000))
    await look()
    await look()
    expect(counts()).toEqual([1, 1])
  })

  it('does not follow subfolders and links, nor take what is not FITS by name', async () => {
    const { watched, look } = open()
    mkdirSync(join(watched, 'deeper'))
    for (const name of ['deeper/a.fits', 'a.txt', '.a.fits']) writeFileSync(join(watched, name), foreignFile())
    symlinkSync(join(watched, 'a.txt'), join(watched, 'link.fits'))
    await look()
    await look()
    expect(counts()).toEqual([0, 0])
  })

  it('looks by its clock until it is stopped, and says once when there is no folder', async () => {
    const { watch } = open()
    const stop = new AbortController()
    const gone = new FolderWatch({
      store,
      clock,
      settings: { folder: join(folder.path, 'none'), everySeconds: 10 },
      take: ingestInTurn(deps),
      room: async () => undefined,
      onTrouble: (reason) => troubles.push(reason),
    })
    writeFileSync(join(folder.path, 'in', 'a.fits'), foreignFile())
    const running = [watch.run(stop.signal), gone.run(stop.signal)]
    await clock.run(clock.sleep(45_000))
    expect(counts()).toEqual([1, 0])
    expect(troubles).toEqual([expect.stringMatching(/ENOENT.*none/)])
    stop.abort()
    await Promise.all(running)
  })
})

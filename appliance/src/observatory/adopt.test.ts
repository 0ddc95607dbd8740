import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import type { FrameRecord, FrameType } from '../contract/records.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { listFiles } from '../store/frameFiles.ts'
import { openStore } from '../store/openStore.ts'
import type { Store } from '../store/store.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { adoptFrames } from './adopt.ts'
import { captureFrame } from './capture.ts'
import { instantCamera } from './testing/instantCamera.ts'

const nightId = '20261121'
const openedAtMs = Date.UTC(2026, 10, 21, 20, 0, 0, 250)

async function capture(store: Store, type: FrameType): Promise<FrameRecord> {
  const clock = new VirtualClock(openedAtMs)
  const field = { fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875 }
  const plan = { type, exposureSeconds: 12.5, filter: 'L', nightId, field, facts: {} }
  const taken = await captureFrame(
    { store, clock, camera: instantCamera(clock), timeIsTrue: false, ask: () => ({ allow: true }) },
    plan,
    new AbortController().signal,
  )
  if (!taken.ok) throw new Error(taken.reason)
  return taken.frame
}

/** A store whose frame files are there and whose journal knows nothing of them, and the records that were lost with it. */
async function withLostLines(...types: FrameType[]) {
  const [before, after] = [temporaryFolder(), temporaryFolder()]
  const lost: FrameRecord[] = []
  {
    using first = openStore(before.path)
    for (const type of types) lost.push(await capture(first, type))
  }
  cpSync(join(before.path, 'frames'), join(after.path, 'frames'), { recursive: true })
  const store = openStore(after.path)
  return {
    lost,
    store,
    fileOf: ({ path }: FrameRecord) => join(after.path, path),
    [Symbol.dispose]() {
      store[Symbol.dispose]()
      for (const folder of [before, after]) folder[Symbol.dispose]()
    },
  }
}

const captured = (store: Store) => store.events(0, 1000).filter((event) => event.type === 'frame.captured')

describe('a frame whose journal line was lost', () => {
  it('gets the record and the line that it would have had, and goes on to the pipeline', async () => {
    using scene = await withLostLines('light')
    const store = scene.store
    const lost = scene.lost[0]!
    expect(await adoptFrames(store, openedAtMs + 60_000)).toEqual({ adopted: 1, refused: [] })
    expect(store.frame(lost.frameId)).toEqual(lost)
    const { frameId, path, sha256, bytes } = lost
    const body = { frameId, type: 'light', fieldId: 'M31', path, sha256, bytes, exposureSeconds: 12.5 }
    expect(captured(store).map((event) => event.body)).toEqual([body])
    expect(store.nextJob('preprocessing', openedAtMs + 60_000)?.subject).toBe(frameId)
    expect(await store.verify()).toMatchObject({ ok: true, files: 1, orphans: [] })
  })

  it('is adopted once, however often the daemon starts', async () => {
    using scene = await withLostLines('light')
    await adoptFrames(scene.store, openedAtMs)
    const after = scene.store.lastSeq()
    expect(await adoptFrames(scene.store, openedAtMs + 1)).toEqual({ adopted: 0, refused: [] })
    expect(scene.store.lastSeq()).toBe(after)
    expect(scene.store.jobCounts('preprocessing').waiting).toBe(1)
  })

  it('makes no work when it shows no sky', async () => {
    using scene = await withLostLines('bias', 'dark', 'flat')
    expect(await adoptFrames(scene.store, openedAtMs)).toEqual({ adopted: 3, refused: [] })
    expect(scene.lost.map(({ frameId }) => scene.store.frame(frameId))).toEqual(scene.lost)
    expect(scene.store.jobCounts('preprocessing').waiting).toBe(0)
  })
})

it('a frame that the journal knows is left alone, even in another folder', async () => {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  const frame = await capture(store, 'light')
  mkdirSync(join(folder.path, 'frames', 'copies'))
  copyFileSync(join(folder.path, frame.path), join(folder.path, 'frames', 'copies', `${frame.frameId}.fits`))
  const before = store.lastSeq()
  expect(await adoptFrames(store, openedAtMs)).toEqual({ adopted: 0, refused: [] })
  expect(store.lastSeq()).toBe(before)
})

it('a data folder without frames has nothing to adopt', async () => {
  using folder = temporaryFolder()
  using store = openStore(folder.path)
  expect(await adoptFrames(store, openedAtMs)).toEqual({ adopted: 0, refused: [] })
})

/** Each makes of a good file one that nobody can vouch for. */
const spoilt: Readonly<Record<string, readonly [(file: string) => void, RegExp]>> = {
  'cut off in its pixels': [(file) => truncateSync(file, 2880 + 100), /promises 512 bytes .* has 100/],
  'cut off in its header': [(file) => truncateSync(file, 1000), /END|header|short/i],
  empty: [(file) => truncateSync(file, 0), /\.fits/],
  'with one pixel changed': [(file) => flipByte(file, 0x20, -1), /checksums/],
  'with one digit of its header changed': [(file) => changeText(file, '12.5', '13.5'), /checksums/],
  'of another program, without checksums': [foreign, /checksums/],
  'under the name of another frame': [(file) => renameSync(file, file.replace(/[^/]+$/, 'other.fits')), /taken here/],
  'in the folder of another night': [moveToAnotherNight, /taken here/],
  'that is no FITS at all': [(file) => writeFileSync(file, 'hello'), /\.fits/],
  'that points nowhere': [pointNowhere, /\.fits/],
}

function flipByte(file: string, bits: number, fromEnd: number): void {
  const bytes = readFileSync(file)
  // Within the pixels: the padding behind them is covered by the checksum too.
  const at = bytes.length - 2880 + 100 + fromEnd
  bytes[at] = (bytes[at] ?? 0) ^ bits
  writeFileSync(file, bytes)
}

function changeText(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'latin1')
  expect(text).toContain(from)
  writeFileSync(file, text.replace(from, to), 'latin1')
}

function foreign(file: string): void {
  const data = { width: 4, height: 4, data: new Uint16Array(16).fill(7) }
  const header = FitsHeader.from({ OBJECT: 'M42', EXPTIME: 3 })
  const bytes = Buffer.from(encodeFits([{ header, data }]))
  // As most programs write it.
  const text = bytes
    .toString('latin1')
    .replace(/CHECKSUM=/, 'COMMENT  ')
    .replace(/DATASUM =/, 'COMMENT  ')
  writeFileSync(file, text, 'latin1')
}

function moveToAnotherNight(file: string): void {
  const other = file.replace(`/${nightId}/`, '/20261122/')
  mkdirSync(dirname(other))
  renameSync(file, other)
}

function pointNowhere(file: string): void {
  renameSync(file, `${file}.kept`)
  symlinkSync('/nonexistent', file)
}

describe('a file that cannot be vouched for', () => {
  it.each(Object.entries(spoilt))(
    '%s is named, left where it is and keeps no other from being adopted',
    async (...of) => {
      const [, [spoil, reason]] = of
      using scene = await withLostLines('light', 'light')
      const [bad, good] = [scene.lost[0]!, scene.lost[1]!]
      spoil(scene.fileOf(bad))
      const files = listFiles(scene.store.folder)
      const result = await adoptFrames(scene.store, openedAtMs)
      expect(result).toMatchObject({ adopted: 1, refused: [{ reason: expect.stringMatching(reason) }] })
      expect(scene.store.frames({ limit: 10 })).toEqual([good])
      expect(listFiles(scene.store.folder)).toEqual(files)
      expect(await scene.store.verify()).toMatchObject({ ok: true, files: 1 })
    },
  )
})

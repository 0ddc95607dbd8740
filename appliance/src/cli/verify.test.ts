import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { writeDurably } from '../store/frameFiles.ts'
import { openStore } from '../store/openStore.ts'
import { sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { run } from './verify.ts'

const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
afterEach(() => printed.mockClear())
const output = () => printed.mock.calls.map(([line]) => String(line)).join('\n')

async function folderWithOneFrame() {
  const folder = temporaryFolder()
  using store = openStore(folder.path)
  const file = await writeDurably(join(folder.path, 'frames/f1.fits'), new Uint8Array(10))
  store.commit(1, (tx) => tx.putFrame(sampleFrame(file)))
  return folder
}

describe('nightjar verify', () => {
  it('ends with 0 and one line when all is well', async () => {
    using folder = await folderWithOneFrame()
    expect(await run([folder.path])).toBe(0)
    expect(output()).toBe('0 events, 1 files: all is well')
  })

  it('ends with 1 and names what is wrong', async () => {
    using folder = await folderWithOneFrame()
    using store = openStore(folder.path)
    store.commit(1, (tx) => tx.putFrame(sampleFrame({ frameId: 'f2', path: 'frames/f2.fits' })))
    expect(await run([folder.path])).toBe(1)
    expect(output()).toBe('frames/f2.fits: the file is missing\n0 events, 2 files: 1 problem(s)')
    printed.mockClear()
    expect(await run([folder.path, '--json'])).toBe(1)
    expect(JSON.parse(output())).toMatchObject({ ok: false, problems: ['frames/f2.fits: the file is missing'] })
  })

  it('asks for one folder', async () => {
    await expect(run([])).rejects.toMatchObject({ code: 'cli/usage' })
    await expect(run(['a', 'b'])).rejects.toMatchObject({ code: 'cli/usage' })
  })
})

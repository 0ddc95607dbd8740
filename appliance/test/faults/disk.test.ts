import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { writeDurably } from '../../src/store/frameFiles.ts'
import { openStore } from '../../src/store/openStore.ts'
import { openSettings } from '../../src/store/settings.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'
import { findLost, startWriter } from './ledger.ts'
import { canMount, smallDisk } from './smallDisk.ts'

const smallDiskBytes = 4 * 2 ** 20

const mayMount = canMount()
if (!mayMount) console.warn('a full disk is skipped: mounting a small one needs root')

describe.skipIf(!mayMount)('a full disk', () => {
  it('stops writing with one clear error, keeps what was acknowledged, and goes on when there is space', async () => {
    using scratch = temporaryFolder()
    using disk = smallDisk(join(scratch.path, 'disk'), smallDiskBytes)!
    const filler = join(disk.path, 'filler')
    writeFileSync(filler, Buffer.alloc(smallDiskBytes / 4))
    const settings = await openSettings(disk.path)
    using store = openStore(disk.path)
    const write = (n: number) =>
      store.commit(n, (tx) => tx.event('daemon.stopped', { reason: `${n} ${'x'.repeat(2000)}` }))
    let acknowledged = 0
    const fill = () => {
      for (;;) acknowledged = write(acknowledged + 1)
    }
    expect(fill).toThrow(expect.objectContaining({ code: 'store/full' }))
    const frame = join(disk.path, 'frames', 'f.fits')
    const tooMuch = writeDurably(frame, new Uint8Array(smallDiskBytes))
    await expect(tooMuch).rejects.toMatchObject({ code: 'store/full' })
    const hold = settings.update((current) => ({ ...current, fields: [] }))
    await hold.catch((error: unknown) => expect(error).toMatchObject({ code: 'store/full' }))
    expect(store.lastSeq()).toBe(acknowledged)
    expect(await store.verify()).toMatchObject({ ok: true, events: acknowledged })
    rmSync(filler)
    expect(write(acknowledged + 1)).toBe(acknowledged + 1)
    await writeDurably(frame, new Uint8Array(1000))
    expect(await store.verify()).toMatchObject({ ok: true, events: acknowledged + 1 })
  })
})

const hasStrace = spawnSync('strace', ['-V']).status === 0
if (!hasStrace) console.warn('failing fsyncs are skipped: apt-get install strace')

describe.skipIf(!hasStrace)('a disk whose fsync fails', () => {
  it.each(['EIO', 'ENOSPC'])(
    'with %s loses nothing that was acknowledged, and the writer goes on afterwards',
    async (errno) => {
      using folder = temporaryFolder()
      // The first calls make the database; then fifteen in a row fail in each thread. -D: the writer itself is our child.
      const inject = `inject=fsync,fdatasync:error=${errno}:when=60..74`
      const strace = ['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', '-e', inject]
      const writer = startWriter(folder.path, 'life1', 'stubborn', strace)
      const deadline = systemClock.monotonic() + 30_000
      const failed = () => writer.acknowledged().filter((line) => line.startsWith('failed '))
      const wentOn = () =>
        failed().length > 3 &&
        !writer
          .acknowledged()
          .slice(-20)
          .some((line) => line.startsWith('failed '))
      while (!wentOn() && systemClock.monotonic() < deadline) await systemClock.sleep(50)
      writer.process.kill('SIGKILL')
      await writer.ended
      expect(failed().length).toBeGreaterThan(3)
      expect(writer.acknowledged().length).toBeGreaterThan(failed().length + 20)
      expect(await findLost(folder.path, writer.acknowledged())).toEqual([])
    },
  )
})

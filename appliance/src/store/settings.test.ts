import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultSettings, type Settings } from '../contract/config.ts'
import { openSettings, parseSettings, previousSettingsName, settingsName } from './settings.ts'
import { faultyFiles } from './testing/faultyFiles.ts'
import { temporaryFolder } from './testing/samples.ts'

let folder: ReturnType<typeof temporaryFolder>
let current: string
beforeEach(() => {
  folder = temporaryFolder()
  current = join(folder.path, settingsName)
})
afterEach(() => folder[Symbol.dispose]())

const port = (to: number) => (settings: Settings) => ({ ...settings, server: { ...settings.server, port: to } })

describe('settings', () => {
  it('are the defaults until somebody sets them', async () => {
    const settings = await openSettings(folder.path)
    expect(settings.current).toEqual(defaultSettings)
    expect(existsSync(current)).toBe(false)
  })

  it('survive a restart, and what a file does not name is the default', async () => {
    await (await openSettings(folder.path)).update(port(1))
    const again = await openSettings(folder.path)
    expect(again.current.server.port).toBe(1)
    expect(again.recovered).toBeUndefined()
    writeFileSync(current, '{"settings": {"site": {"name": "Roof"}}}')
    expect((await openSettings(folder.path)).current.site).toEqual({ ...defaultSettings.site, name: 'Roof' })
  })

  it.each([
    ['cut off', (path: string) => truncateSync(path, 200)],
    ['empty', (path: string) => truncateSync(path, 0)],
    ['full of zeros', (path: string) => writeFileSync(path, Buffer.alloc(700))],
    [
      'changed by one letter',
      (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replace('"port": 2', '"port": 3')),
    ],
  ])('come from the previous generation when the file is %s', async (_, tear) => {
    const settings = await openSettings(folder.path)
    await settings.update(port(1))
    await settings.update(port(2))
    tear(current)
    const again = await openSettings(folder.path)
    expect(again.current.server.port).toBe(1)
    expect(again.recovered).toMatch(/settings\.json .*previous generation/)
    await again.update(port(4))
    expect((await openSettings(folder.path)).current.server.port).toBe(4)
    expect(readFileSync(join(folder.path, previousSettingsName), 'utf8')).toContain('"port": 1')
  })

  it('say what to do when both generations are torn', async () => {
    writeFileSync(current, '{')
    writeFileSync(join(folder.path, previousSettingsName), '')
    await expect(openSettings(folder.path)).rejects.toThrow(/settings.json is not whole JSON; restore it/)
  })

  it('stay as they were when the disk refuses, at whatever call', async () => {
    const settings = await openSettings(folder.path)
    await settings.update(port(1))
    for (let failing = 1; failing <= 6; failing++) {
      const files = faultyFiles((_call, _path, nth) => (nth === failing ? 'ENOSPC' : undefined))
      const broken = await openSettings(folder.path, files)
      await expect(broken.update(port(2))).rejects.toMatchObject({ code: 'store/full' })
      expect(broken.current.server.port).toBe(1)
      if (failing <= 5) expect((await openSettings(folder.path)).current.server.port).toBe(1)
      await broken.update(port(1))
    }
  })

  it('are changed one after the other', async () => {
    const settings = await openSettings(folder.path)
    const add = (current: Settings) => port(current.server.port + 1)(current)
    await settings.update(port(0))
    await Promise.all(Array.from({ length: 10 }, () => settings.update(add)))
    expect((await openSettings(folder.path)).current.server.port).toBe(10)
  })

  it.each([
    [{ server: { port: 70_000 } }, /server.port must be <= 65535, not 70000; correct it or remove it to get \d+/],
    [{ server: { prt: 1 } }, /there is no server.prt; remove it or correct its spelling/],
    [{ site: { latitudeDeg: 'north' } }, /site.latitudeDeg must be number, not "north"/],
    [
      { devices: { mount: { kind: 'nut' } } },
      /devices.mount must be one of {"kind":"simulated"}, {"kind":"indi","host":…,"port":…/,
    ],
    [
      { forwarding: { destinations: [{ name: 'a', url: 'http://x', tokenFile: 't' }] } },
      /destinations.0.url must match/,
    ],
    [5, /the file must be object/],
  ])('name the key and the fix when they are wrong: %j', (wrong, message) => {
    expect(() => parseSettings(wrong)).toThrow(message)
  })
})

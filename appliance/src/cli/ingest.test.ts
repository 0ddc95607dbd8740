import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { expect, test, vi } from 'vitest'
import { archiveServer, PatientClock } from '../differencing/archives/testing/archiveServer.ts'
import { foreignFile } from '../observatory/testing/foreignFile.ts'
import { buildApp } from '../server/server.ts'
import { openTestDaemon, testNightMs } from '../server/testing/observatory.ts'
import { loginAs, testPassword } from '../server/testing/panelClient.ts'
import { openSettings } from '../store/settings.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { run, takeThrough } from './ingest.ts'
import { addressOf, nameIn } from './ingestUrl.ts'

test('nightjar ingest brings files to a running daemon, and straight to a store without one', async () => {
  using folder = temporaryFolder()
  const clock = new VirtualClock(testNightMs)
  using daemon = openTestDaemon(join(folder.path, 'data'), clock)
  await using app = await buildApp(daemon, { webFolder: folder.path })
  const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const files = ['good.fits', 'bad.fits'].map((name) => join(folder.path, name))
  writeFileSync(files[0]!, foreignFile())
  writeFileSync(files[1]!, 'hello')
  await loginAs(app, daemon, 'operator')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (typeof address !== 'object' || !address) throw new Error('no address')
  const url = `http://127.0.0.1:${address.port}`
  const take = await takeThrough(url, 'a-operator', testPassword, clock)
  expect(await take(files[0]!)).toMatchObject({ ok: true, known: false, frame: { provenance: { source: 'archive' } } })
  expect(await take(files[1]!)).toMatchObject({ ok: false, reason: expect.stringMatching(/bad\.fits/) })
  await expect(takeThrough(url, 'a-operator', 'wrong', clock)).rejects.toMatchObject({ code: 'cli/daemon' })
  await expect(run([files[0]!, '--data', daemon.store.folder])).rejects.toMatchObject({ code: 'cli/usage' })

  const other = join(folder.path, 'other')
  mkdirSync(other)
  const settings = await openSettings(other)
  const field = { fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875, exposureSeconds: 30, filter: 'L' }
  await settings.update((now) => ({ ...now, fields: [field] }))
  expect(await run([files[0]!, files[0]!, '--data', other])).toBe(0)
  expect(await run([files[1]!, '--data', other])).toBe(1)
  expect(printed.mock.calls.map(([line]) => String(line).slice(folder.path.length))).toEqual([
    expect.stringMatching(/good\.fits: taken as .* \(light, M31\)/),
    expect.stringMatching(/good\.fits: known as /),
    expect.stringMatching(/bad\.fits: refused, /),
  ])
  printed.mockRestore()
})

test('nightjar ingest fetches a file of an archive, with its address in the journal, and says why one cannot be had', async () => {
  using folder = temporaryFolder()
  const clock = new VirtualClock(testNightMs)
  using daemon = openTestDaemon(join(folder.path, 'data'), clock)
  await using app = await buildApp(daemon, { webFolder: folder.path })
  await using server = await archiveServer((url, _, response) => {
    if (url.pathname === '/page.fits') return response.end('<html><body>Please log in</body></html>')
    if (url.pathname === '/gone.fits') return response.writeHead(404).end()
    response.end(foreignFile(url.pathname === '/raw/m31%20a.fits' ? { IMAGETYP: undefined } : {}))
  })
  const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  mkdirSync(join(folder.path, 'own'))
  const settings = await openSettings(join(folder.path, 'own'))
  const field = { fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875, exposureSeconds: 30, filter: 'L' }
  await settings.update((now) => ({ ...now, fields: [field] }))
  const world = { fetch, clock: new PatientClock() }
  const files = ['raw/m31%20a.fits', 'page.fits', 'gone.fits'].map((path) => `${server.url}/${path}`)
  expect(await run([...files, '--type', 'light', '--data', join(folder.path, 'own')], world)).toBe(1)
  expect(printed.mock.calls.map(([line]) => String(line).replaceAll(server.url, ''))).toEqual([
    expect.stringMatching(/^\/raw\/m31%20a.fits: taken as .* \(light, M31\)$/),
    expect.stringMatching(/^\/page.fits: refused, 127.0.0.1:\d+ sent no picture: Please log in$/),
    expect.stringMatching(/^\/gone.fits: refused, 127.0.0.1:\d+ answers 404$/),
  ])
  printed.mockRestore()

  // The same through a running daemon.
  await loginAs(app, daemon, 'operator')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (typeof address !== 'object' || !address) throw new Error('no address')
  const take = await takeThrough(`http://127.0.0.1:${address.port}`, 'a-operator', testPassword, clock, {
    type: 'light',
  })
  const [url] = files as [string]
  const taken = await take({ name: nameIn(url), url, bytes: foreignFile({ IMAGETYP: undefined }) })
  expect(taken).toMatchObject({
    ok: true,
    frame: { type: 'light', provenance: { source: 'archive', name: 'm31 a.fits', url } },
  })
  await expect(run([url, '--type', 'moon', '--data', folder.path], world)).rejects.toMatchObject({ code: 'cli/usage' })
})

test('a file of MAST is named by its URI, a file here by its path', () => {
  // The address that astroquery.mast downloads from.
  expect(addressOf('mast:HST/product/u9o40504m_c3m.fits')).toBe(
    'https://mast.stsci.edu/api/v0.1/Download/file?uri=mast%3AHST%2Fproduct%2Fu9o40504m_c3m.fits',
  )
  expect(nameIn(addressOf('mast:HST/product/u9o40504m_c3m.fits')!)).toBe('u9o40504m_c3m.fits')
  expect(addressOf('./http.fits')).toBeUndefined()
  expect(() => addressOf('http://')).toThrow(/no address/)
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from './server.ts'
import { fillNight, openTestDaemon, type TestDaemon } from './testing/observatory.ts'
import { desktop, noBrowser, openPanelBrowser, type PanelBrowser, phone, repository } from './testing/panelBrowser.ts'
import { testPassword, testSetupCode } from './testing/panelClient.ts'

let panel: PanelBrowser
let folder: string
let daemon: TestDaemon
let server: RunningServer
let troubles: string[]

describe.skipIf(noBrowser)('the panel in Chromium', () => {
  beforeAll(async () => {
    panel = await openPanelBrowser()
  })

  afterAll(() => panel?.[Symbol.asyncDispose]())

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nightjar-panel-data-'))
    daemon = openTestDaemon(folder)
    fillNight(daemon)
    server = await startServer(daemon, { webFolder: panel.webFolder, setupCode: testSetupCode })
    troubles = []
  })

  afterEach(async () => {
    await panel.closePages()
    await server[Symbol.asyncDispose]()
    daemon[Symbol.dispose]()
    rmSync(folder, { recursive: true })
  })

  const open = (options: BrowserContextOptions): Promise<Page> => panel.open(server.url, options, troubles)

  async function setUp(page: Page): Promise<void> {
    await page.getByLabel('Set-up code').fill(testSetupCode)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel(/^Password/).fill(testPassword)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByText('Exposing NGC 1365').waitFor()
  }

  const toPage = (page: Page, name: string) => page.getByRole('navigation').getByRole('link', { name }).click()

  test('from the set-up code to a judged detection and the alerts, on a phone', async () => {
    const page = await open(phone)
    await page.getByLabel('Set-up code').fill('WRONG')
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel(/^Password/).fill(testPassword)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByText('not the code that the start printed').waitFor()
    await setUp(page)
    await page.getByText('Safe to observe').waitFor()
    await toPage(page, 'Review')
    await page.getByText('7 to judge').waitFor()
    await page.getByRole('button', { name: 'Difference' }).click()
    await page.getByRole('button', { name: 'Bogus' }).tap()
    await page.getByText('6 to judge').waitFor()
    await page.getByRole('button', { name: 'Undo' }).tap()
    await page.getByText('7 to judge').waitFor()
    expect(daemon.asked).toEqual([])
    await page.getByRole('button', { name: 'Real' }).tap()
    await toPage(page, 'Alerts')
    await page.getByText('NJC-00041').waitFor()
    await expect.poll(() => daemon.asked.length, { timeout: 15_000 }).toBe(1)
    expect(daemon.asked[0]).toMatch(/^label d-\d{4} real ada$/)
    expect(troubles).toEqual([])
  })

  test('one key labels, and leaving the page keeps what was said', async () => {
    const page = await open(desktop)
    await setUp(page)
    await toPage(page, 'Review')
    await page.getByText('7 to judge').waitFor()
    for (const key of ['b', 'u', 'r']) await page.keyboard.press(key)
    await page.getByText('4 to judge').waitFor()
    await page.reload()
    await expect.poll(() => daemon.asked.map((line) => line.split(' ')[2]).sort()).toEqual(['bogus', 'real', 'unsure'])
    expect(troubles).toEqual([])
  })

  test('stopping the night asks first, and a reload tells the same story', async () => {
    const page = await open(desktop)
    await setUp(page)
    await page.getByRole('button', { name: 'Stop the night' }).click()
    await page.getByRole('button', { name: 'Not now' }).click()
    expect(daemon.asked).toEqual([])
    await page.getByRole('button', { name: 'Stop the night' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Stop the night' }).click()
    await page.getByText('Parked and closed').waitFor()
    expect(daemon.asked).toEqual(['stop ada'])
    await page.reload()
    await page.getByText('Parked and closed').waitFor()
    await page.getByRole('button', { name: 'Start the night' }).waitFor()
  })

  test('red lights only the red channel, pictures too, and is remembered', async () => {
    const page = await open(desktop)
    await setUp(page)
    await page.getByRole('button', { name: 'Account and appearance' }).click()
    await page.getByRole('button', { name: 'Red' }).click()
    await page.reload()
    for (const name of ['Tonight', 'Frames', 'Review', 'Alerts']) {
      await toPage(page, name)
      await page.waitForLoadState('networkidle')
      const shot = await page.screenshot()
      const [red, green, blue] = (await sharp(shot).stats()).channels
      expect([name, green!.max, blue!.max]).toEqual([name, 0, 0])
      expect(red!.max).toBe(255)
    }
  })

  test('a frame opens, zooms about the pointer and marks its detections', async () => {
    const page = await open(desktop)
    await setUp(page)
    await toPage(page, 'Frames')
    await page.locator('a[href="#/frames/f-0006"]').click()
    const frame = page.getByRole('img', { name: /^Frame f-/ })
    await frame.waitFor()
    await page.locator('dialog circle').first().waitFor({ state: 'attached' })
    const before = (await frame.boundingBox())!
    await page.mouse.move(before.x + 100, before.y + 80)
    await page.mouse.wheel(0, -600)
    await expect.poll(async () => (await frame.boundingBox())!.width).toBeGreaterThan(before.width * 2)
    const after = (await frame.boundingBox())!
    const share = (box: typeof before): number => (before.x + 100 - box.x) / box.width
    expect(share(after)).toBeCloseTo(share(before), 2)
    await page.keyboard.press('Escape')
    await frame.waitFor({ state: 'detached' })
    expect(troubles).toEqual([])
  })

  test('after the server was away the panel resumes and misses nothing', async () => {
    const page = await open(desktop)
    await setUp(page)
    await page.getByText('NJ J033338').waitFor()
    const port = Number(new URL(server.url).port)
    await server[Symbol.asyncDispose]()
    await page.getByText('Connection lost').waitFor()
    daemon.store.commit(daemon.clock.now(), (tx) =>
      tx.event('entry.catalogued', { entryId: 'e-9', detectionId: 'd-9', name: 'NJ J999999', isNew: true }),
    )
    server = await startServer(daemon, { webFolder: panel.webFolder, port })
    await page.getByText('NJ J999999 catalogued').waitFor()
    await page.getByText('Connection lost').waitFor({ state: 'detached' })
  })

  test('the live stack shows its picture, how deep it is and why a frame was left out, in red light too', async () => {
    const { nightId } = daemon.tonight()
    const picture = `live/${nightId}/stack.png`
    mkdirSync(join(folder, dirname(picture)), { recursive: true })
    writeFileSync(join(folder, picture), await sharp(skyPicture(960, 640)).png().toBuffer())
    const state = {
      nightId,
      fieldId: 'NGC 1365',
      filter: 'r',
      lastFrameId: 'f-0001',
      frames: 23,
      exposureSeconds: 1380,
    }
    const more = { depthGainMag: 1.68, fwhmPixels: 2.9, fwhmArcsec: 2.44, left: { frameId: 'f-x', reason: 'trailed' } }
    const say = (change: object): void =>
      writeFileSync(join(folder, 'live/newest.json'), JSON.stringify({ ...state, ...more, picture, ...change }))
    const page = await open({ ...phone, reducedMotion: 'reduce' })
    await setUp(page)
    expect(await page.getByText('Live stack').count()).toBe(0)
    say({})
    const grow = (frames: number): number =>
      daemon.store.commit(daemon.clock.now(), (tx) =>
        tx.event('liveStack.grown', { frameId: `f-${frames}`, fieldId: 'NGC 1365', frames, depthGainMag: 1.7 }),
      )
    grow(23)
    const card = page.locator('section.card', { hasText: 'Live stack · NGC 1365' })
    for (const text of ['23 × r', '23 min', 'seeing 2.4″', '1.7 mag deeper', 'Newest left out: trailed']) {
      await card.getByText(text).waitFor()
    }
    await card.locator('img.arrived').waitFor()
    say({ frames: 24, lastFrameId: 'f-0002', left: undefined })
    grow(24)
    await card.getByText('24 × r').waitFor()
    await card.getByText('Newest left out').waitFor({ state: 'detached' })
    expect(await card.getByRole('img').getAttribute('src')).toContain('last=f-0002')
    await page.evaluate(() => localStorage.setItem('nightjar.theme', 'red'))
    await page.reload()
    await card.locator('img.arrived').waitFor()
    await card.scrollIntoViewIfNeeded()
    const shot = await card.screenshot()
    const { data, info } = await sharp(shot).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    let [greatest, light] = [0, 0]
    for (let i = 0; i < data.length; i += info.channels) {
      greatest = Math.max(greatest, data[i + 1]!, data[i + 2]!)
      light = Math.max(light, data[i]!)
    }
    // Nothing but red leaves the screen: green and blue would end the eye's adaptation to the dark.
    expect(greatest).toBeLessThanOrEqual(24)
    expect(light).toBeGreaterThan(100)
    if (process.env.NIGHTJAR_SCREENSHOTS) {
      await sharp(shot).toFile(join(repository, process.env.NIGHTJAR_SCREENSHOTS, 'phone-live-stack-red.png'))
    }
    expect(troubles).toEqual([])
  })

  test('a viewer sees and cannot command', async () => {
    const page = await open(desktop)
    await setUp(page)
    const made = await page.evaluate(async (password) => {
      const { csrfToken } = (await (await fetch('/api/session')).json()) as { csrfToken: string }
      const headers = { 'x-csrf-token': csrfToken, 'content-type': 'application/json' }
      const body = JSON.stringify({ username: 'bob', password, role: 'viewer' })
      return (await fetch('/api/accounts', { method: 'POST', headers, body })).status
    }, testPassword)
    expect(made).toBe(201)
    await page.getByRole('button', { name: 'Account and appearance' }).click()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('User name').fill('bob')
    await page.getByLabel('Password').fill(testPassword)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('Exposing NGC 1365').waitFor()
    expect(await page.getByRole('button', { name: 'Stop the night' }).count()).toBe(0)
    await toPage(page, 'Review')
    await page.getByText('Judging needs the role curator').waitFor()
  })

  /** `NIGHTJAR_SCREENSHOTS=docs/screenshots npx vitest run appliance/src/server/panel.browser.test.ts -t pictures` */
  test.runIf(process.env.NIGHTJAR_SCREENSHOTS)('takes the pictures of the documentation', async () => {
    const target = join(repository, process.env.NIGHTJAR_SCREENSHOTS!)
    mkdirSync(target, { recursive: true })
    const take = async (page: Page, name: string, hash: string, theme: string): Promise<void> => {
      await page.goto(`${server.url}/#/${hash}`)
      await page.evaluate((choice) => localStorage.setItem('nightjar.theme', choice), theme)
      await page.reload()
      await page.waitForLoadState('networkidle')
      await page.locator('img').first().waitFor()
      const png = await page.screenshot()
      await sharp(png)
        .png({ compressionLevel: 9, palette: true })
        .toFile(join(target, `${name}.png`))
    }
    const page = await open({ ...phone, reducedMotion: 'reduce' })
    await setUp(page)
    await take(page, 'phone-tonight', 'tonight', 'night')
    await take(page, 'phone-review', 'review', 'night')
    await take(page, 'phone-review-red', 'review', 'red')
    const wide = await open({ ...desktop, reducedMotion: 'reduce', storageState: await page.context().storageState() })
    await take(wide, 'desktop-tonight', 'tonight', 'night')
    await take(wide, 'desktop-review', 'review', 'day')
    await take(wide, 'desktop-frames', 'frames', 'night')
    await take(wide, 'desktop-viewer', 'frames/f-0006', 'night')
    await take(wide, 'desktop-tonight-red', 'tonight', 'red')
  })
})

/** A grey sky with stars on it, as a live stack's picture. */
function skyPicture(width: number, height: number): Parameters<typeof sharp>[0] {
  const stars = Array.from({ length: 160 }, (_, n) => {
    const [x, y] = [(n * 397) % width, (n * 271 + n * n) % height]
    return `<circle cx="${x}" cy="${y}" r="${1 + 12 / (2 + (n % 17))}" fill="#fff"/>`
  })
  const ground = `<rect width="${width}" height="${height}" fill="#1c1c1c"/>`
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${ground}${stars.join('')}</svg>`,
  )
}

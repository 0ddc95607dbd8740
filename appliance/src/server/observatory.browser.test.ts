import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openSimulatedControl, type SimulatedControl } from '../observatory/testing/simulatedControl.ts'
import { openStore } from '../store/openStore.ts'
import { type RunningServer, startServer } from './server.ts'
import { fillNight, nightClock, openTestDaemon, type TestDaemon } from './testing/observatory.ts'
import { desktop, noBrowser, openPanelBrowser, type PanelBrowser, phone, repository } from './testing/panelBrowser.ts'
import { testPassword, testSetupCode } from './testing/panelClient.ts'

const narrow = { ...phone, viewport: { width: 320, height: 640 } } as const
/** Smallest side of what a finger in a glove hits, CSS pixels. */
const touchPixels = 44

let panel: PanelBrowser
let folder: string
let daemon: TestDaemon
let simulated: SimulatedControl
let server: RunningServer
let troubles: string[]

describe.skipIf(noBrowser)('the observatory in Chromium', () => {
  beforeAll(async () => {
    panel = await openPanelBrowser()
  })

  afterAll(() => panel?.[Symbol.asyncDispose]())

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nightjar-panel-data-'))
    const clock = nightClock()
    const store = openStore(folder)
    simulated = await openSimulatedControl(store, clock)
    daemon = openTestDaemon(folder, clock, store, simulated.control)
    fillNight(daemon, 6)
    server = await startServer(daemon, { webFolder: panel.webFolder, setupCode: testSetupCode })
    troubles = []
  })

  afterEach(async () => {
    await panel.closePages()
    await server[Symbol.asyncDispose]()
    await simulated[Symbol.asyncDispose]()
    daemon[Symbol.dispose]()
    rmSync(folder, { recursive: true })
  })

  async function open(options: BrowserContextOptions, hash = 'observatory'): Promise<Page> {
    const page = await panel.open(`${server.url}/#/${hash}`, options, troubles)
    if (options.storageState) return page
    await page.getByLabel('Set-up code').fill(testSetupCode)
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel(/^Password/).fill(testPassword)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByRole('button', { name: 'Park and close now' }).waitFor()
    return page
  }

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
  const headline = (page: Page, text: string) => page.locator('main').getByText(text, { exact: true }).waitFor()

  test('from taking control to an open roof and back by the panic button, on a phone', async () => {
    const page = await open(phone)
    await headline(page, 'Roof closed, parked')
    expect(await button(page, 'Open').isDisabled()).toBe(true)
    await button(page, 'Take control').tap()
    await page.getByText('In control for').waitFor()
    await button(page, 'Open').tap()
    await button(page, 'Not now').tap()
    expect(simulated.control.state().roof?.position).toBe('closed')
    await button(page, 'Open').tap()
    await page.getByRole('dialog').getByRole('button', { name: 'Open the roof' }).tap()
    await headline(page, 'Roof opening, parked')
    await headline(page, 'Roof open, parked')
    await page.getByText('Open the roof: done').waitFor()
    await button(page, 'Park and close now').tap()
    expect(simulated.control.state().panic).toBeUndefined()
    await button(page, 'Tap again to close').tap()
    await page.getByText('Parking and closing, asked by ada').waitFor()
    await headline(page, 'Roof closed, parked')
    await button(page, 'Park and close now').waitFor()
    expect(troubles).toEqual([])
  })

  test('what the gate would refuse is not offered, and its reason stands there', async () => {
    const page = await open(desktop)
    await button(page, 'Take control').click()
    await button(page, 'Give back').waitFor()
    simulated.parts.weather.setSky({ rainMillimetresPerHour: 4 })
    await page.getByText('Not safe').waitFor()
    expect(await button(page, 'Open').isDisabled()).toBe(true)
    await page.getByText(/rain/i).first().waitFor()
    expect(troubles).toEqual([])
  })

  test('a device on its ladder shows the rung, and one that was given up can be tried again', async () => {
    const page = await open(phone)
    const { hardware, recovery } = simulated
    const patient = { ...hardware.patients.focuser!, isWell: () => false }
    const never = new AbortController().signal
    const card = page.locator('section.card').filter({ has: page.getByText('Focuser', { exact: true }) })
    const climb = recovery.recover(
      { ...patient, remedies: { reconnect: patient.remedies.reconnect! } },
      'silent',
      never,
    )
    await card.getByText('Reconnecting, try 1').waitFor()
    void climb
    await recovery.recover({ ...patient, device: 'INDI GPS Simulator', remedies: {} }, 'silent', never)
    const gps = page.locator('section.card').filter({ has: page.getByText('GPS', { exact: true }) })
    await gps.getByText('Given up').waitFor()
    await gps.getByRole('button', { name: 'Try again' }).tap()
    await gps.getByText('Given up').waitFor({ state: 'detached' })
    expect(troubles).toEqual([])
  })

  test('the properties of a focuser are set by who has control, those of the roof by nobody', async () => {
    const page = await open(desktop)
    await button(page, 'Take control').click()
    await button(page, 'Give back').waitFor()
    await page.getByRole('link', { name: 'Properties' }).click()
    await page.getByLabel('Device').selectOption('Focuser Simulator')
    const position = page
      .locator('form')
      .filter({ hasText: 'FOCUS_ABSOLUTE_POSITION' })
      .or(
        page
          .locator('form')
          .filter({ has: page.locator('input') })
          .filter({ hasText: /Absolute Position/i }),
      )
    await position.first().locator('input').first().fill('50200')
    await position.first().getByRole('button', { name: 'Set' }).click()
    await expect.poll(() => simulated.parts.focuser.position(), { timeout: 15_000 }).toBe(50_200)
    await page.getByLabel('Device').selectOption('RollOff Simulator')
    await page.getByText(/use the commands openRoof/).waitFor()
    await page.locator('form').first().waitFor()
    expect(await page.locator('form input, form button:enabled').count()).toBe(0)
    expect(troubles).toEqual([])
  })

  test('the wire shows messages both ways, pauses and filters', async () => {
    const page = await open(phone, 'observatory/wire')
    await page.getByText('getProperties').first().waitFor()
    await page.getByRole('img', { name: 'to the device' }).first().waitFor()
    await page.getByRole('img', { name: 'from the device' }).first().waitFor()
    await button(page, 'Pause').tap()
    await button(page, 'Go on').waitFor()
    await page.getByLabel('Filter').fill('getProperties')
    const rows = page.locator('ol li')
    await expect
      .poll(async () => (await rows.allTextContents()).every((text) => text.includes('getProperties')))
      .toBe(true)
    await page.getByLabel('Filter').fill('nothing says this')
    await page.getByText('No message has').waitFor()
    expect(troubles).toEqual([])
  })

  test('nothing is wider than the screen, and everything that is pressed is large enough', async () => {
    const first = await open(phone)
    const storageState = await first.context().storageState()
    for (const options of [narrow, phone, desktop]) {
      const page = await open({ ...options, storageState })
      for (const hash of [
        'observatory',
        'observatory/properties/CCD%20Simulator',
        'observatory/wire',
        'tonight',
        'alerts',
      ]) {
        await page.goto(`${server.url}/#/${hash}`)
        await page.locator('main :is(section, ol, form, .card)').first().waitFor()
        const { width } = options.viewport
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        expect([hash, width, wide]).toEqual([hash, width, width])
        const small = await page.locator('header button, header a, nav a, main :is(button, select, input)').evaluateAll(
          (all, least) =>
            all
              .filter((one) => one.checkVisibility() && !one.closest('.segments'))
              .filter((one) => {
                const { width, height } = one.getBoundingClientRect()
                return width < least || height < least
              })
              .map((one) => one.outerHTML.slice(0, 120)),
          touchPixels,
        )
        expect([hash, width, small]).toEqual([hash, width, []])
      }
      await page.context().close()
    }
  })

  test('the panic button stays in sight however far one scrolls', async () => {
    const page = await open(phone)
    await page.getByText('For engineers').scrollIntoViewIfNeeded()
    await page.mouse.wheel(0, 5_000)
    for (const hash of ['observatory', 'tonight', 'frames', 'review', 'alerts']) {
      await page.goto(`${server.url}/#/${hash}`)
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
      const box = (await button(page, 'Park and close now').boundingBox())!
      expect([hash, box.y >= 0 && box.y + box.height <= phone.viewport.height]).toEqual([hash, true])
    }
    await page.goto(`${server.url}/#/frames/f-0003`)
    const inDialog = page.getByRole('dialog').getByRole('button', { name: 'Park and close now' })
    const beside = (await button(page, 'Older frame').boundingBox())!
    expect((await inDialog.boundingBox())!.y).toBeCloseTo(beside.y, 0)
    await inDialog.tap()
    await page.getByRole('dialog').getByRole('button', { name: 'Tap again to close' }).tap()
    await expect.poll(() => daemon.store.events(0, 200).some(({ type }) => type === 'panic.pressed')).toBe(true)
  })

  test('red lights only the red channel here too', async () => {
    const page = await open(desktop)
    await page.evaluate(() => localStorage.setItem('nightjar.theme', 'red'))
    for (const hash of ['observatory', 'observatory/properties', 'observatory/wire']) {
      await page.goto(`${server.url}/#/${hash}`)
      await page.reload()
      await page.locator('main :is(section, ol, form)').first().waitFor()
      const [red, green, blue] = (await sharp(await page.screenshot()).stats()).channels
      expect([hash, red!.max, green!.max, blue!.max]).toEqual([hash, 255, 0, 0])
    }
  })

  test('a viewer sees all of it and has one button: the panic button', async () => {
    const page = await open(desktop)
    await page.evaluate(async (password) => {
      const { csrfToken } = (await (await fetch('/api/session')).json()) as { csrfToken: string }
      const headers = { 'x-csrf-token': csrfToken, 'content-type': 'application/json' }
      const body = JSON.stringify({ username: 'bob', password, role: 'viewer' })
      await fetch('/api/accounts', { method: 'POST', headers, body })
    }, testPassword)
    await button(page, 'Account and appearance').click()
    await button(page, 'Log out').click()
    await page.getByLabel('User name').fill('bob')
    await page.getByLabel('Password').fill(testPassword)
    await button(page, 'Log in').click()
    await page.getByText('Commands need the role operator.').waitFor()
    for (const name of ['Take control', 'Open', 'Close', 'Park', 'Stop'])
      expect([name, await button(page, name).count()]).toEqual([name, 0])
    await button(page, 'Park and close now').click()
    await button(page, 'Tap again to close').click()
    await expect
      .poll(() => daemon.store.events(0, 100).some(({ type }) => type === 'panic.pressed'), { timeout: 15_000 })
      .toBe(true)
  })

  /** `NIGHTJAR_SCREENSHOTS=docs/screenshots npx vitest run appliance/src/server/observatory.browser.test.ts -t pictures` */
  test.runIf(process.env.NIGHTJAR_SCREENSHOTS)('takes the pictures of the documentation', async () => {
    const target = join(repository, process.env.NIGHTJAR_SCREENSHOTS!)
    mkdirSync(target, { recursive: true })
    const take = async (page: Page, name: string, hash = 'observatory', theme = 'night') => {
      await page.goto(`${server.url}/#/${hash}`)
      await page.evaluate((choice) => localStorage.setItem('nightjar.theme', choice), theme)
      await page.reload()
      await page.locator('main :is(section, ol, form, img)').first().waitFor()
      await page.waitForLoadState('networkidle', { timeout: 2_000 }).catch(() => undefined)
      const png = await page.screenshot()
      await sharp(png)
        .png({ compressionLevel: 9, palette: true })
        .toFile(join(target, `${name}.png`))
    }
    const page = await open({ ...phone, reducedMotion: 'reduce' })
    const wide = await open({ ...desktop, reducedMotion: 'reduce', storageState: await page.context().storageState() })
    await take(page, 'phone-observatory-closed')
    const { control } = simulated
    control.takeLease('ada')
    const opening = control.command({ kind: 'openRoof' }, 'ada')
    await take(page, 'phone-observatory-opening')
    expect(await opening).toEqual({ ok: true })
    await control.command({ kind: 'unpark' }, 'ada')
    await control.command({ kind: 'slew', raDeg: 90, decDeg: 30 }, 'ada')
    await take(page, 'phone-observatory')
    await take(page, 'phone-observatory-red', 'observatory', 'red')
    await take(wide, 'desktop-observatory')
    await take(wide, 'desktop-observatory-day', 'observatory', 'day')
    await take(page, 'phone-viewer', 'frames/f-0003')
    await take(page, 'phone-wire', 'observatory/wire')
    await take(wide, 'desktop-wire', 'observatory/wire')
    await take(page, 'phone-properties', 'observatory/properties/Focuser%20Simulator')
    await take(wide, 'desktop-properties', 'observatory/properties/Telescope%20Simulator')
    const { hardware, recovery, parts } = simulated
    await hardware.indi.disconnectDevice('Focuser Simulator')
    const never = new AbortController().signal
    const ill = { ...hardware.patients.focuser!, isWell: () => false }
    void recovery.recover({ ...ill, remedies: { reconnect: async () => ({ ok: true }) } }, 'silent', never)
    await recovery.recover({ ...ill, device: 'INDI GPS Simulator', remedies: {} }, 'silent', never)
    parts.roof.jam(true)
    parts.weather.setSky({ rainMillimetresPerHour: 4, windMetresPerSecond: 15 })
    try {
      await expect.poll(() => control.state().panic !== undefined, { timeout: 15_000 }).toBe(true)
      await take(page, 'phone-observatory-trouble')
      await take(page, 'phone-tonight-panic', 'tonight')
    } finally {
      parts.roof.jam(false)
    }
  })
})

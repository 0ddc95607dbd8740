import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const executablePath = '/usr/bin/chromium'
/** Why browser tests cannot run here; said once. */
export const noBrowser = !existsSync(executablePath)
if (noBrowser) console.warn('browser tests are skipped: apt-get install chromium')

export const repository = join(import.meta.dirname, '../../../..')
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
export const phone = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
} as const
export const desktop = { viewport: { width: 1280, height: 800 } } as const

/** Debian's Chromium and the panel, built from its source. */
export interface PanelBrowser extends AsyncDisposable {
  readonly webFolder: string
  /** A page of its own; what goes wrong in it is pushed to `troubles`. */
  open(url: string, options: BrowserContextOptions, troubles: string[]): Promise<Page>
  closePages(): Promise<void>
}

export async function openPanelBrowser(): Promise<PanelBrowser> {
  const webFolder = mkdtempSync(join(tmpdir(), 'nightjar-panel-'))
  const vite = join(repository, 'node_modules/vite/bin/vite.js')
  const config = ['--config', 'web/vite.config.ts', '--outDir', webFolder, '--emptyOutDir', '--logLevel', 'error']
  execFileSync(process.execPath, [vite, 'build', ...config], { cwd: repository })
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  })
  return {
    webFolder,
    open: (url, options, troubles) => openPage(browser, url, options, troubles),
    async closePages() {
      for (const context of browser.contexts()) await context.close()
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      rmSync(webFolder, { recursive: true })
    },
  }
}

async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  troubles: string[],
): Promise<Page> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_|401|403|409|WebSocket/.test(message.text())) troubles.push(message.text())
  })
  await page.goto(url)
  return page
}

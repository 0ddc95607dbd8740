import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const entry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const installed = existsSync('/usr/bin/indiserver')
if (!installed) console.log("skipped: the whole way over Debian's indiserver (apt-get install indi-bin)")

test.runIf(installed)(
  "from a frame of Debian's camera simulator to an acknowledged alert, at the transient's true place and magnitude",
  { timeout: 200_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-indi-once-'))
    try {
      const command = ['start', '--once', '--seed', '7', '--observatory', 'indi', '--data', folder]
      const { stdout, status } = spawnSync(process.execPath, [entry, ...command], {
        encoding: 'utf8',
        timeout: 190_000,
      })
      const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
      expect(said).toMatchObject({ ok: true, observatory: 'indi' })
      expect(status).toBe(0)
      // The driver draws star centres on whole pixels of 2.68″: half a diagonal is 1.9″.
      expect(said.transient.offsetArcsec).toBeLessThan(2)
      expect(Math.abs(said.transient.measured.mag - said.transient.true.mag)).toBeLessThan(0.1)
      expect(said.receipt).toMatch(/./)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)

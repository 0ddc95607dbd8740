import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder: string
/** A checkout that was never set up. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-setup-'))
  for (const path of ['scripts/setup.sh', 'scripts/nightjar', 'package.json', 'package-lock.json']) {
    cpSync(join(root, path), join(folder, path))
  }
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function nightjar(environment: NodeJS.ProcessEnv = {}) {
  const env = { ...process.env, ...environment }
  return spawnSync('sh', [join(folder, 'scripts/nightjar'), '--help'], { encoding: 'utf8', env })
}

test('a link in place of the packages is refused before npm empties what it points to', () => {
  mkdirSync(join(folder, 'elsewhere/package'), { recursive: true })
  symlinkSync('elsewhere', join(folder, 'node_modules'))
  const { status, stderr } = nightjar()
  expect(status).toBe(1)
  expect(stderr).toContain('node_modules is a link')
  expect(readdirSync(join(folder, 'elsewhere'))).toEqual(['package'])
})

test('where nothing may be set up it says what is due and where', () => {
  const { status, stderr } = nightjar({ NIGHTJAR_SETUP: 'never' })
  expect(status).toBe(1)
  expect(stderr).toContain(`${folder} is not set up`)
})

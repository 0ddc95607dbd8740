import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'systemd')
const units = readdirSync(source).filter((name) => name.endsWith('.service'))

const isThere = (program: string): boolean =>
  ['/usr/bin', '/bin', '/usr/sbin'].some((folder) => existsSync(join(folder, program)))
const hasSystemd = isThere('systemd-analyze')
if (!hasSystemd) console.log('skipped: the units are verified by systemd-analyze (apt-get install systemd)')

let folder: string
/** The units as they are installed, but with the checkout where it is here. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-systemd-'))
  // Through a link: ExecStart= takes no path with a space in it.
  symlinkSync(root, join(folder, 'checkout'))
  for (const name of units) {
    const text = readFileSync(join(source, name), 'utf8').replaceAll('/opt/nightjar', join(folder, 'checkout'))
    writeFileSync(join(folder, name), text)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(program: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  })
  return { status, output: stdout + stderr }
}

describe.skipIf(!hasSystemd)('the systemd units', () => {
  it.each(units)('%s has no unknown key and names programs that exist', (unit) => {
    const { status, output } = run('systemd-analyze', ['verify', '--man=no', join(folder, unit)])
    const about = output.split('\n').filter((line) => line.includes(unit) && !line.includes('/usr/bin/indiserver'))
    expect(about).toEqual([])
    if (!output.includes('/usr/bin/indiserver')) expect(status).toBe(0)
  })

  // Exposure runs from 0 to 10; a unit with nothing but a user is at 9.2. The threshold is in tenths.
  it.each([
    ['nightjar.service', 17],
    ['nightjar-central.service', 13],
    ['nightjar-indi@.service', 21],
    ['nightjar-guardian.service', 21],
  ])('%s exposes no more than %i tenths', (unit, tenths) => {
    const args = ['security', '--offline=yes', '--no-pager', `--threshold=${tenths}`, join(folder, unit)]
    const { status, output } = run('systemd-analyze', args)
    expect(status, output.split('\n').at(-2)).toBe(0)
  })
})

describe.skipIf(!isThere('systemd-sysusers'))('the user of the units', () => {
  it('is made in an empty system, in the groups of the hardware', () => {
    const system = join(folder, 'system')
    mkdirSync(join(system, 'etc'), { recursive: true })
    const users = run('systemd-sysusers', [`--root=${system}`, '--dry-run', join(source, 'nightjar.sysusers')])
    expect(users.status, users.output).toBe(0)
    expect(users.output).toContain("Creating user 'nightjar'")
    for (const group of ['dialout', 'video', 'plugdev']) expect(users.output).toContain(group)
  })
})

describe('the daemon unit', () => {
  const text = readFileSync(join(source, 'nightjar.service'), 'utf8')
  const settingOf = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]

  it('is told by the daemon when it serves and that it still lives, and aborts it when not', () => {
    expect(settingOf('Type')).toBe('notify')
    expect(settingOf('NotifyAccess')).toBe('main')
    expect(settingOf('WatchdogSec')).toBe('10')
    expect(settingOf('WatchdogSignal')).toBe('SIGABRT')
  })

  it('leaves a clean stop minutes to park and close', () => {
    expect(Number(settingOf('TimeoutStopSec'))).toBeGreaterThanOrEqual(180)
  })
})

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseGuardianConfig, readGuardianConfig, writeGuardianConfig } from './config.ts'
import { defaultPolicy } from './policy.ts'

const server = { host: '127.0.0.1', port: 7624 }
const good = {
  folder: '/var/lib/site',
  mount: { kind: 'indi', server, device: 'LX200 OnStep' },
  roof: { kind: 'controller', path: '/dev/serial/by-id/roof', baudRate: 38_400 },
  inputs: [{ kind: 'controller', limitMs: 3_000, required: true }],
} as const

const complaint = (change: object): string => {
  try {
    parseGuardianConfig({ ...good, ...change })
    return 'none'
  } catch (error) {
    return (error as Error).message
  }
}

describe('the settings of the guardian', () => {
  it('are filled in with the usual policy', () => {
    const config = parseGuardianConfig(good)
    expect(config.policy).toEqual(defaultPolicy)
    expect(config.drivers).toEqual([])
  })

  it('know that a mount on a serial port is the daemon’s while that lives', () => {
    const mount = { kind: 'lx200', path: '/dev/ttyUSB0', baudRate: 9600 }
    expect(parseGuardianConfig({ ...good, mount }).policy.mountPortIsDaemons).toBe(true)
  })

  it.each([
    [{ folder: 7 }, 'folder: must be a text'],
    [{ mount: { kind: 'ascom' } }, 'mount: kind: must be one of indi, alpaca, lx200, not "ascom"'],
    [
      { mount: { kind: 'indi', server: { host: 'a', port: 0 }, device: 'x' } },
      'port: must be a number from 1 to 65535',
    ],
    [{ inputs: [{ kind: 'nut', limitMs: 1000, required: 'yes' }] }, 'inputs[0]: required: must be true or false'],
    [{ inputs: {} }, 'inputs: must be a list'],
    [{ policy: { beatLimitMs: 2_001 } }, 'policy: beatLimitMs: must be a number from 700 to 2000, not 2001'],
    [{ policy: { closeAnywayAfterMs: 'soon' } }, 'policy: closeAnywayAfterMs: must be a number from 0 to'],
    [{ policy: { beatLimitsMs: 1_000 } }, 'policy: beatLimitsMs: is not a setting'],
    [{ roof: null, mount: null, inputs: [] }, 'there is nothing to guard'],
    [{ roof: null }, 'an input of kind "controller" needs a roof of kind "controller"'],
    [{ roof: null, inputs: [], policy: { parkedSignals: 'both' } }, 'only a roof of kind "controller" has a sensor'],
    [{ drivers: [{ name: '../x', programs: ['a'] }] }, 'drivers[0]: name: must match'],
  ])('are refused with the field and what it must be: %j', (change, words) => {
    expect(complaint(change)).toContain(words)
  })

  it('take "never" and "forever" for times', () => {
    const policy = { closeAnywayAfterMs: 'never', lingerMs: 'forever' }
    expect(parseGuardianConfig({ ...good, policy }).policy).toMatchObject(policy)
  })

  it('are written whole, for this user alone, and read back the same', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-guardian-config-'))
    try {
      const path = writeGuardianConfig({ ...good, folder, policy: { startGraceMs: 5_000 } })
      expect(readGuardianConfig(path).policy).toEqual({ ...defaultPolicy, startGraceMs: 5_000 })
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const before = readFileSync(path, 'utf8')
      expect(() => writeGuardianConfig({ ...good, folder, policy: { startGraceMs: -1 } })).toThrow(/startGraceMs/)
      expect(readFileSync(path, 'utf8')).toBe(before)
      writeFileSync(path, '{"folder"')
      expect(() => readGuardianConfig(path)).toThrow(/guardian.json/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

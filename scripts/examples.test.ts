import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { guardianConfigFor } from '../appliance/src/cli/guardConfig.ts'
import { kindOf } from '../appliance/src/cli/start.ts'
import { addressesOf } from '../appliance/src/contract/deviceSettings.ts'
import { defaultGateSettings } from '../appliance/src/contract/gateSettings.ts'
import { defaultPolicy } from '../appliance/src/guardian/policy.ts'
import { gateRules } from '../appliance/src/observatory/gate/rules.ts'
import { openSettings } from '../appliance/src/store/settings.ts'

/** What is written by hand and can be wrong: examples that people copy, limits, the list of rules. */
const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8')
const hardware = read('docs/hardware.md')
const safety = read('docs/safety.md')

const headed = hardware.split(/^## /m).flatMap((section) => {
  const title = section.slice(0, section.indexOf('\n'))
  return [...section.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => ({ title, text: match[1]! }))
})

const folder = mkdtempSync(join(tmpdir(), 'nightjar-examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('each settings file in docs/hardware.md', () => {
  it('is one of several', () => expect(headed.length).toBeGreaterThan(5))

  for (const { title, text } of headed)
    it(`is taken as it stands: ${title}`, async () => {
      writeFileSync(join(folder, 'settings.json'), text)
      const { current, recovered } = await openSettings(folder)
      expect(recovered).toBeUndefined()
      const said = (JSON.parse(text) as { settings: { devices: object } }).settings
      expect(current.devices).toEqual(said.devices)
      expect(kindOf(undefined, current)).toBe('configured')
      const guarded = guardianConfigFor({ folder, settings: current })
      expect(guarded?.mount).not.toBeNull()
      expect(guarded?.roof !== null).toBe(current.devices.roof !== undefined)
    })

  it('leaves no input required that its devices cannot tell', async () => {
    for (const { title, text } of headed) {
      writeFileSync(join(folder, 'settings.json'), text)
      const { devices, gate } = (await openSettings(folder)).current
      const { inputs } = gate
      if (inputs.roof === 'required') expect(devices.roof, title).toBeDefined()
      if (inputs.weather === 'required') expect(devices.weather, title).toBeDefined()
      if (inputs.clock === 'required') expect(devices.timeSource, title).toBeDefined()
      if (inputs.ups === 'required') expect(devices.ups, title).toBeDefined()
      if (inputs.safety === 'required') expect(devices.safety, title).toBeDefined()
      if (inputs.rain.includes('rain')) expect(devices.safety ?? devices.weather, title).toBeDefined()
      if (inputs.mountParkedSensor === 'required') expect(devices.controller, title).toBeDefined()
    }
  })

  it('shows every kind of address and of device, but those without an example of their own', () => {
    const shown = headed.map(({ text }) => text).join('\n')
    const kinds = new Set(Object.values(addressesOf).flat())
    kinds.delete('simulated')
    for (const kind of kinds) expect(shown).toContain(`"kind": "${kind}"`)
  })
})

describe('docs/safety.md', () => {
  it('lists the rules of the gate, all of them and in their order', () => {
    const table = safety.slice(safety.indexOf('## The rules'), safety.indexOf('## Limits'))
    const listed = [...table.matchAll(/^\| `([\w:]+)` \|/gm)].map((match) => match[1])
    expect(listed).toEqual(gateRules.map(({ id }) => id))
  })

  it('gives each limit as it is until somebody sets it', () => {
    const rows = [...safety.matchAll(/^\| `((?:gate|guardian)\.[\w.]+)` \| ([^|]+) \|/gm)]
    expect(rows.length).toBeGreaterThan(30)
    for (const [, path = '', value = ''] of rows) {
      const [root, ...keys] = path.split('.')
      const found = keys.reduce<unknown>(
        (held, key) => (held as Record<string, unknown>)[key],
        root === 'gate' ? defaultGateSettings : defaultPolicy,
      )
      expect(JSON.parse(value.replaceAll('`', '').trim()), path).toEqual(found)
    }
  })
})

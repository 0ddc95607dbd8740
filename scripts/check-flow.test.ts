import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkFlow, formatViolation, readSources, roomOf, rooms } from './check-flow.ts'

/** What the checker says about a handful of small files. */
function say(files: Record<string, string>): string[] {
  return checkFlow(Object.entries(files).map(([path, text]) => ({ path, text }))).map(formatViolation)
}

describe('the one-way flow', () => {
  it('lets a room import itself and the rooms before it', () => {
    const text = `import { a } from './fft.ts'\nimport type { B } from '../frames/plane.ts'\nimport { c } from '../store/store.ts'`
    expect(say({ 'appliance/src/night/run.ts': text })).toEqual([])
  })

  it('names file, line and rule when a room looks down the flow', () => {
    const text = `// one line\nimport { open } from '../server/server.ts'`
    expect(say({ 'appliance/src/frames/fits.ts': text })).toEqual([
      'appliance/src/frames/fits.ts:2: frames comes before server in the flow and may not import appliance/src/server/server.ts',
    ])
  })

  it('sees types, re-exports, lazy imports and import types too', () => {
    const all = [
      `import type { X } from '../night/x.ts'`,
      `export { X } from '../night/x.ts'`,
      `const x = await import('../night/x.ts')`,
      `type X = import('../night/x.ts').X`,
    ]
    for (const text of all) expect(say({ 'appliance/src/store/a.ts': text })).toHaveLength(1)
  })

  it('puts the files beside the rooms in the last place, with cli', () => {
    expect(say({ 'appliance/src/cli/start.ts': `import { n } from '../notify.ts'` })).toEqual([])
    expect(say({ 'appliance/src/server/a.ts': `import { n } from '../notify.ts'` })).toHaveLength(1)
  })

  it('asks for a place in the list for a room that has none', () => {
    expect(say({ 'appliance/src/cellar/a.ts': `import { b } from '../frames/b.ts'` })[0]).toContain('cellar is not in')
  })

  it('keeps firmware-bridge to itself and the panel to the contract', () => {
    const bridge = `import { P } from '../../appliance/src/frames/plane.ts'`
    expect(say({ 'firmware-bridge/src/wire.ts': bridge })[0]).toContain('firmware-bridge imports only itself')
    const good = `<p>a</p>\n<script lang="ts">import type { A } from '@nightjar/appliance/contract/api.ts'</script>`
    expect(say({ 'web/src/pages/A.svelte': good })).toEqual([])
    const bad = `<p>a</p>\n<script lang="ts">\nimport { s } from '@nightjar/firmware-bridge/clock.ts'\n</script>`
    expect(say({ 'web/src/pages/A.svelte': bad })).toEqual([
      'web/src/pages/A.svelte:3: web sees contract alone, not firmware-bridge/src/clock.ts',
    ])
  })

  it('keeps the contract to typebox', () => {
    expect(say({ 'appliance/src/contract/a.ts': `import Type from 'typebox'` })).toEqual([])
    expect(say({ 'appliance/src/contract/a.ts': `import { readFile } from 'node:fs'` })).toHaveLength(1)
    expect(
      say({ 'appliance/src/contract/a.ts': `import { N } from '@nightjar/firmware-bridge/errors.ts'` }),
    ).toHaveLength(1)
  })

  it('lets a test reach for any room', () => {
    expect(say({ 'appliance/src/frames/a.test.ts': `import { sky } from '../simulation/sky.ts'` })).toEqual([])
  })
})

describe('the homes of outside packages', () => {
  it('keeps each package where it lives', () => {
    const text = `import sharp from 'sharp'`
    expect(say({ 'appliance/src/server/preview.ts': text })).toEqual([])
    expect(say({ 'appliance/src/frames/preview.ts': text })[0]).toContain('sharp is at home in appliance/src/server/')
    expect(say({ 'appliance/src/forwarding/a.ts': `import { DatabaseSync } from 'node:sqlite'` })).toHaveLength(1)
  })

  it('sees a module that is required when needed', () => {
    const text = `const koffi = createRequire(import.meta.url)('koffi')`
    expect(say({ 'appliance/src/notify.ts': text })).toEqual([])
    expect(say({ 'appliance/src/server/a.ts': text })).toHaveLength(1)
  })

  it('asks for a home for a package that has none', () => {
    expect(say({ 'appliance/src/server/a.ts': `import _ from 'lodash'` })[0]).toContain('lodash has no home')
  })
})

describe('the guardian', () => {
  const guardian = 'appliance/src/guardian/main.ts'

  it('imports node: modules, itself and firmware-bridge, and no other room, not even for a type', () => {
    const good = `import { spawn } from 'node:child_process'\nimport { a } from './a.ts'\nimport { c } from '@nightjar/firmware-bridge/clock.ts'`
    expect(say({ [guardian]: good })).toEqual([])
    const bad = `import type { Settings } from '../contract/config.ts'`
    expect(say({ [guardian]: bad })[0]).toContain('the guardian stands alone')
    expect(say({ 'appliance/src/night/night.ts': `import { l } from '../guardian/link.ts'` })).toEqual([])
    expect(say({ 'appliance/src/observatory/gate.ts': `import { l } from '../guardian/link.ts'` })).toHaveLength(1)
  })

  it('comes to no package, however far away and however late it is loaded', () => {
    const files = {
      [guardian]: `\nimport { a } from '@nightjar/firmware-bridge/a.ts'`,
      'firmware-bridge/src/a.ts': `import { b } from './b.ts'`,
      'firmware-bridge/src/b.ts': `const open = () => import('./wire/serial.ts')`,
      'firmware-bridge/src/wire/serial.ts': `const load = () => import('serialport')`,
    }
    expect(say(files)).toEqual([
      'appliance/src/guardian/main.ts:2: the guardian may need no package, and comes to one: firmware-bridge/src/a.ts → firmware-bridge/src/b.ts → firmware-bridge/src/wire/serial.ts → serialport',
    ])
    const types = { ...files, 'firmware-bridge/src/b.ts': `import type { S } from './wire/serial.ts'` }
    expect(say(types)).toEqual([])
    expect(say({ [guardian]: `import Type from 'typebox'` })[0]).toContain('comes to one: typebox')
  })
})

describe('a stage room', () => {
  it('touches the store and the clock in run.ts only', () => {
    const text = `import type { Store } from '../store/store.ts'\nimport { systemClock } from '@nightjar/firmware-bridge/clock.ts'`
    expect(say({ 'appliance/src/detection/run.ts': text })).toEqual([])
    expect(say({ 'appliance/src/detection/score.ts': text })).toHaveLength(2)
  })

  it('may know the shape of what is stored', () => {
    const text = `import type { MasterRecord } from '../store/store.ts'`
    expect(say({ 'appliance/src/preprocessing/masters.ts': text })).toEqual([])
  })
})

describe('time and chance', () => {
  it.each([
    'Date.now()',
    'Math.random()',
    'new Date()',
    'Date()',
    'setTimeout(f, 1)',
    'globalThis.setInterval(f, 1)',
    'const now = Date.now',
    `import { setTimeout } from 'node:timers/promises'`,
  ])('come from clock.ts and random.ts, not from %s', (text) => {
    expect(say({ 'firmware-bridge/src/clock.ts': text })).toEqual([])
    expect(say({ 'firmware-bridge/src/indi/client.test.ts': text })).toHaveLength(1)
  })

  it('are not touched by writing down a given time, or by letting others run', () => {
    const text = `const d = new Date(atMs)\nsetImmediate(f)\nimport { setImmediate } from 'node:timers/promises'\nclock.setTimeout(f)`
    expect(say({ 'appliance/src/night/a.ts': text })).toEqual([])
  })
})

describe('modules', () => {
  it('have names for everything they export', () => {
    for (const text of ['export default 1', 'export default function a() {}', 'const a = 1\nexport { a as default }'])
      expect(say({ 'appliance/src/frames/a.ts': text })[0]).toContain('default export')
    expect(say({ 'web/vite.config.ts': 'export default {}' })).toEqual([])
  })

  it('do not import each other in a circle at run time', () => {
    const b = `export const b = 1\nimport { a } from './a.ts'`
    const circle = { 'appliance/src/frames/a.ts': `import { b } from './b.ts'`, 'appliance/src/frames/b.ts': b }
    expect(say(circle)).toEqual([
      'appliance/src/frames/b.ts:2: import cycle: appliance/src/frames/a.ts → appliance/src/frames/b.ts → appliance/src/frames/a.ts',
    ])
    const types = { ...circle, 'appliance/src/frames/a.ts': `import type { b } from './b.ts'` }
    expect(say(types)).toEqual([])
    const inlineTypes = { ...circle, 'appliance/src/frames/a.ts': `import { type b } from './b.ts'` }
    expect(say(inlineTypes)).toEqual([])
    const lazy = { ...circle, 'appliance/src/frames/a.ts': `const b = () => import('./b.ts')` }
    expect(say(lazy)).toEqual([])
  })
})

describe('the repository', () => {
  const sources = readSources(fileURLToPath(new URL('..', import.meta.url)))

  it('is read whole: every room that exists is among the sources', () => {
    const seen = new Set(sources.map((file) => roomOf(file.path)))
    for (const room of ['contract', 'frames', 'store', 'cli']) expect(seen).toContain(room)
    for (const room of seen) if (room) expect(rooms).toContain(room)
  })
})

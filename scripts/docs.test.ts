import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventBodies } from '../appliance/src/contract/events.ts'
import {
  apiReference,
  brokenLinks,
  describeSchema,
  deviceMatrix,
  eventList,
  settingsReference,
  staleDocuments,
} from './docs.ts'

describe('the generated documents', () => {
  it('name every event and every field of the contract', () => {
    const text = eventList()
    for (const type of Object.keys(eventBodies)) expect(text).toContain(`| \`${type}\` |`)
    expect(text).toContain('`exposureSeconds: number`')
  })

  it('say which role each route asks for', async () => {
    const text = await apiReference()
    expect(text).toContain('| `GET /api/health` | anyone |')
    expect(text).not.toMatch(/\| `[A-Z]+ [^`]+` \| {2}\|/)
  })

  it('say what each setting takes and what holds until it is set', () => {
    expect(settingsReference()).toContain('| `site.latitudeDeg` | number, ≥ -90, ≤ 90 | `28.76` |')
  })

  it('say what each device can do over each protocol', async () => {
    const text = await deviceMatrix()
    expect(text).toContain('## filter wheel')
    expect(text).toMatch(/\| move to \|.*●/)
  })

  it('are named when they are missing', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'nightjar-docs-'))
    expect(await staleDocuments(empty)).toContain('docs/events.md is stale: run node scripts/docs.ts')
    rmSync(empty, { recursive: true })
  })
})

describe('a link in a document', () => {
  it('is named when it leads nowhere', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nightjar-docs-'))
    writeFileSync(join(folder, 'LICENSE'), '')
    writeFileSync(
      join(folder, 'README.md'),
      '[a](LICENSE) [b](https://example.org) [c](gone.md#part) <img src="no.png">',
    )
    expect(brokenLinks(folder)).toEqual([
      'README.md links to gone.md, which is not there',
      'README.md links to no.png, which is not there',
    ])
    rmSync(folder, { recursive: true })
  })
})

describe('a schema in one line', () => {
  it('reads like TypeScript', () => {
    const schema = {
      required: ['a'],
      properties: { a: { anyOf: [{ const: 'x' }, { enum: ['y', 'z'] }] }, b: { items: { type: 'number' } } },
    }
    expect(describeSchema(schema)).toBe('{ a: "x" \\| "y" \\| "z", b?: (number)[] }')
  })
})

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventBodies, journey } from '../appliance/src/contract/events.ts'

/**
 * Documents made from the contract. `node scripts/docs.ts` writes them, `--check` names those that are stale; so does
 * `npm run check`.
 */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Schema>>
}

/** A JSON schema in one line, the way TypeScript would say it. */
export function describeSchema(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf) return schema.anyOf.map(describeSchema).join(' \\| ')
  if (schema.items) return `(${describeSchema(schema.items)})[]`
  if (schema.patternProperties)
    return `{ [name]: ${Object.values(schema.patternProperties).map(describeSchema).join(' \\| ')} }`
  if (schema.properties) return `{ ${fieldsOf(schema).join(', ')} }`
  return schema.type ?? 'anything'
}

function fieldsOf(schema: Schema): string[] {
  const required = new Set(schema.required)
  return Object.entries(schema.properties ?? {}).map(
    ([name, field]) => `${name}${required.has(name) ? '' : '?'}: ${describeSchema(field)}`,
  )
}

const generated = 'Made by `node scripts/docs.ts` from'

/** docs/events.md */
export function eventList(): string {
  const rows = Object.entries(eventBodies).map(([type, body]) => {
    const fields = fieldsOf(body as Schema).map((field) => `\`${field.replaceAll('\\|', '|')}\``)
    return `| \`${type}\` | ${fields.join('<br>').replaceAll('|', '\\|')} |`
  })
  return `# Events

${generated} \`appliance/src/contract/events.ts\`.

Every fact is appended to the journal in the same transaction as the state that it announces, and sent to every panel. A line
of the journal is \`{ seq, atMs, type, body, previousHash, hash }\`: \`hash\` is the sha256 over the previous line's hash and this
line, so a changed, missing or doubled line shows.

One frame's journey: ${journey.map((type) => `\`${type}\``).join(' → ')}.

| event | body |
| --- | --- |
${rows.join('\n')}
`
}

/** Path → what it should hold. */
export async function documents(): Promise<Map<string, string>> {
  return new Map([['docs/events.md', eventList()]])
}

/** One line for each document below `root` that is not what it should be. */
export async function staleDocuments(root: string): Promise<string[]> {
  const stale: string[] = []
  for (const [path, text] of await documents()) {
    const file = join(root, path)
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text)
      stale.push(`${path} is stale: run node scripts/docs.ts`)
  }
  return stale
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  if (process.argv.includes('--check')) {
    const stale = await staleDocuments(root)
    for (const line of stale) console.log(line)
    process.exitCode = stale.length > 0 ? 1 : 0
  } else {
    for (const [path, text] of await documents()) writeFileSync(join(root, path), text)
  }
}

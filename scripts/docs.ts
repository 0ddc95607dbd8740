import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultSettings, Settings } from '../appliance/src/contract/config.ts'
import { eventBodies, journey } from '../appliance/src/contract/events.ts'
import { buildApp } from '../appliance/src/server/server.ts'
import { openTestDaemon } from '../appliance/src/server/testing/observatory.ts'
import { driverCards, matrixText } from '../firmware-bridge/src/devices/matrix.ts'

/**
 * Documents made from the contract and the routes. `node scripts/docs.ts` writes them, `--check` names those that are
 * stale; so does `npm run check`.
 */
interface Schema {
  readonly description?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, Schema>>
}

/** A JSON schema in one line, the way TypeScript would say it. */
export function describeSchema(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' \\| ')
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

/** docs/settings.md */
export function settingsReference(): string {
  const rows = settingRows(Settings as Schema, defaultSettings, '')
  return `# Settings

${generated} \`appliance/src/contract/config.ts\`.

They are kept in the data folder; the panel and \`scripts/start\` change them. A file that does not fit is refused with the name
of the field, and the generation before it is kept.

| setting | takes | default | |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

function settingRows(schema: Schema, value: unknown, path: string): string[] {
  if (!schema.properties) return [settingRow(schema, value, path)]
  return Object.entries(schema.properties).flatMap(([name, field]) => {
    const inner = (value as Record<string, unknown> | undefined)?.[name]
    return settingRows(field, inner, path ? `${path}.${name}` : name)
  })
}

function settingRow(schema: Schema, value: unknown, path: string): string {
  const items = schema.items?.properties ? schema.items : undefined
  const rows = items ? settingRows(items, undefined, `${path}[]`) : []
  const takes = `${describeSchema(items ? { type: 'list' } : schema)}${rangeOf(schema)}`
  const preset = value === undefined ? '' : `\`${JSON.stringify(value)}\``
  return [`| \`${path}\` | ${takes} | ${preset} | ${schema.description ?? ''} |`, ...rows].join('\n')
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  const low = minimum !== undefined ? `≥ ${minimum}` : exclusiveMinimum !== undefined ? `> ${exclusiveMinimum}` : ''
  const high = maximum !== undefined ? `≤ ${maximum}` : exclusiveMaximum !== undefined ? `< ${exclusiveMaximum}` : ''
  return [low, high]
    .filter(Boolean)
    .join(', ')
    .replace(/^(?=.)/, ', ')
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly responses?: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >
}

/** docs/api.md, from the routes of a server that is built but never listens. */
export async function apiReference(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-docs-'))
  try {
    using daemon = openTestDaemon(folder)
    const app = await buildApp(daemon, { webFolder: folder })
    await app.ready()
    const { paths = {} } = app.swagger() as { paths?: Record<string, Record<string, Operation>> }
    const access = new Map(app.guarded.map((route) => [`${route.method} ${route.url}`, String(route.access)]))
    await app.close()
    return apiText(paths, access)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function apiText(paths: Record<string, Record<string, Operation>>, access: ReadonlyMap<string, string>): string {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([verb, operation]) => {
      const method = verb.toUpperCase()
      const role = access.get(`${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`) ?? ''
      return `| \`${method} ${path}\` | ${role} | ${codeOr(requestOf(operation))} | ${codeOr(responseOf(operation))} |`
    }),
  )
  return `# API

${generated} the routes in \`appliance/src/server/routes\`; a logged-in panel gets the same as OpenAPI from \`/api/openapi.json\`.

Nothing answers without login but the routes marked \`anyone\`. Every request that changes something carries the session's
\`csrfToken\` in the \`x-csrf-token\` header. Every failure is \`{ code, message }\`: the code is stable, the message names the fix.

| route | least role | sends | gets |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

const codeOr = (text: string): string => (text ? `\`${text.replaceAll('\\|', '|').replaceAll('|', '\\|')}\`` : '')

function requestOf({ parameters = [], requestBody }: Operation): string {
  const query = parameters.filter((one) => one.in === 'query').map((one) => `${one.name}${one.required ? '' : '?'}`)
  const body = Object.values(requestBody?.content ?? {})[0]?.schema
  return [query.length > 0 ? `?${query.join('&')}` : '', body ? describeSchema(body) : ''].filter(Boolean).join(' ')
}

/** Only the names of the fields: their types are in the contract. */
function responseOf({ responses = {} }: Operation): string {
  const schema = Object.values(responses['200']?.content ?? {})[0]?.schema
  return schema?.properties ? `{ ${Object.keys(schema.properties).join(', ')} }` : ''
}

/** docs/devices.md */
export async function deviceMatrix(): Promise<string> {
  return `# Devices

${generated} the cards of the drivers in \`firmware-bridge/src/devices\`.

What each kind of device can do, by the protocol that it is reached over. A ● is what the driver can do with a device that
can; what a very device has told it can do is asked at run time. The capabilities of the INDI drivers are those that the
conformance suite has driven on our simulators and, where Debian has one, on the real driver.

${matrixText(await driverCards())}`
}

/** Path → what it should hold. */
export async function documents(): Promise<Map<string, string>> {
  return new Map([
    ['docs/events.md', eventList()],
    ['docs/settings.md', settingsReference()],
    ['docs/api.md', await apiReference()],
    ['docs/devices.md', await deviceMatrix()],
  ])
}

const linkingDocuments = ['README.md', 'appliance/README.md', 'firmware-bridge/README.md', 'docs/*.md']

/** One line for each link to a file below `root` that is not there. */
export function brokenLinks(root: string): string[] {
  return globSync(linkingDocuments, { cwd: root }).flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8')
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)|src="([^"]+)"/g)].map(
      (match) => match[1] ?? match[2] ?? '',
    )
    const isBroken = (target: string): boolean =>
      !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target))
    return targets.filter(isBroken).map((target) => `${path} links to ${target}, which is not there`)
  })
}

/** One line for each document below `root` that is not what it should be. */
export async function staleDocuments(root: string): Promise<string[]> {
  const stale: string[] = []
  for (const [path, text] of await documents()) {
    const file = join(root, path)
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text)
      stale.push(`${path} is stale: run node scripts/docs.ts`)
  }
  return [...stale, ...brokenLinks(root)]
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

/** What every driver can do, from their cards: the device × capability matrix of the documentation. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { NightjarError } from '../errors.ts'
import type { DriverCard } from './device.ts'
import { type Kind, kinds } from './kinds.ts'

const exportsCard = /export const (\w+Card)\b/g

/**
 * The cards of all drivers in this folder, in the order of the files' names: a driver is in the matrix because its file
 * exports a card, so nobody can forget to register one. Throws `devices/card` when something so named is none.
 */
export async function driverCards(): Promise<readonly DriverCard[]> {
  const folder = dirname(fileURLToPath(import.meta.url))
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort()
  const cards: DriverCard[] = []
  for (const file of files) {
    const path = join(folder, file)
    const names = [...readFileSync(path, 'utf8').matchAll(exportsCard)].map((match) => match[1] ?? '')
    if (names.length === 0) continue
    const module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>
    for (const name of names) cards.push(checkCard(module[name], `${file}: ${name}`))
  }
  return cards
}

function checkCard(value: unknown, where: string): DriverCard {
  const card = value as DriverCard | undefined
  const known: readonly string[] = (card && kinds[card.kind]) ?? []
  if (card?.protocol && card.can.every((capability) => known.includes(capability))) return card
  throw new NightjarError('devices/card', `${where} is no driver card: make it with driverCard()`)
}

/** One table for each kind: a row for each capability, a column for each protocol. */
export function matrixText(cards: readonly DriverCard[]): string {
  return (Object.keys(kinds) as Kind[]).map((kind) => kindText(kind, cards)).join('\n')
}

function kindText(kind: Kind, cards: readonly DriverCard[]): string {
  const ofKind = cards.filter((card) => card.kind === kind)
  const protocols = [...new Set(ofKind.map(({ protocol }) => protocol))].sort((a, b) => a.localeCompare(b, 'en'))
  if (protocols.length === 0) return `## ${words(kind)}\n\nNo driver yet.\n`
  const can = (protocol: string, capability: string): boolean =>
    ofKind.some((card) => card.protocol === protocol && (card.can as readonly string[]).includes(capability))
  const rows = kinds[kind].map((capability) => {
    const cells = protocols.map((protocol) => (can(protocol, capability) ? '●' : ''))
    return `| ${words(capability)} | ${cells.join(' | ')} |`
  })
  return `## ${words(kind)}

| | ${protocols.join(' | ')} |
| --- | ${protocols.map(() => ':---:').join(' | ')} |
${rows.join('\n')}
`
}

/** `filterWheel` → `filter wheel`. */
const words = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

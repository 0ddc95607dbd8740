/** The guardian's settings: a JSON file that the daemon writes, checked here field by field and without a package. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { DriverGroupConfig } from './drivers.ts'
import { defaultPolicy, type GuardianPolicy } from './policy.ts'

/** Where an INDI server, or upsd, listens. */
export type ServerAddress = { readonly host: string; readonly port: number } | { readonly path: string }

/** A device behind an ASCOM Alpaca server. */
export interface AlpacaAddress {
  readonly host: string
  readonly port: number
  /** Which device of its kind on that server. */
  readonly number: number
}

export type MountConfig =
  | { readonly kind: 'indi'; readonly server: ServerAddress; readonly device: string }
  | ({ readonly kind: 'alpaca' } & AlpacaAddress)
  /** The port is the daemon's while it lives. */
  | { readonly kind: 'lx200'; readonly path: string; readonly baudRate: number }

export type RoofConfig =
  | { readonly kind: 'indi'; readonly server: ServerAddress; readonly device: string }
  | ({ readonly kind: 'alpaca' } & AlpacaAddress)
  /** Our roof-and-safety controller: the guardian holds its wire and serves it to the daemon. */
  | { readonly kind: 'controller'; readonly path: string; readonly baudRate: number }

interface InputCommon {
  /** Silence longer than this counts as the worst. */
  readonly limitMs: number
  readonly required: boolean
}

export type InputConfig = InputCommon &
  (
    | {
        readonly kind: 'indiWeather'
        readonly server: ServerAddress
        readonly device: string
        readonly closeOnDanger: boolean
      }
    | { readonly kind: 'nut'; readonly server: ServerAddress; readonly ups: string }
    /** Rain as a weather station tells it, or the verdict of a safety monitor. */
    | ({ readonly kind: 'alpacaWeather' } & AlpacaAddress)
    | ({ readonly kind: 'alpacaSafety' } & AlpacaAddress)
    /** Rain and mains as the controller of the roof tells them. */
    | { readonly kind: 'controller' }
  )

export interface GuardianConfig {
  /** Socket, lock and journal are here; nothing else of the data folder is touched. */
  readonly folder: string
  /** INDI drivers that the guardian runs, because they must outlive the daemon; served on `driverSocket`. */
  readonly drivers: readonly DriverGroupConfig[]
  readonly mount: MountConfig | null
  readonly roof: RoofConfig | null
  readonly inputs: readonly InputConfig[]
  readonly policy: GuardianPolicy
}

/** What the file holds; `parseGuardianConfig` fills in the rest. */
export interface GuardianConfigFile extends Omit<GuardianConfig, 'policy' | 'drivers'> {
  readonly drivers?: readonly DriverGroupConfig[]
  readonly policy?: Partial<Omit<GuardianPolicy, 'mountPortIsDaemons'>>
}

/** Checks and writes the file of a data folder, whole or not at all; resolves to its path. Throws `guardian/config`. */
export function writeGuardianConfig(config: GuardianConfigFile): string {
  const { config: path } = guardianPaths(config.folder)
  parseGuardianConfig(JSON.parse(JSON.stringify(config)), path)
  const beside = `${path}.new`
  writeFileSync(beside, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(beside, path)
  return path
}

/** The guardian's files in a data folder. */
export function guardianPaths(folder: string) {
  return {
    config: join(folder, 'guardian.json'),
    /** Where the daemon beats. */
    socket: join(folder, 'guardian.sock'),
    /** Where a roof that hangs on the guardian is served over INDI. */
    roofSocket: join(folder, 'guardian-roof.sock'),
    lock: join(folder, 'guardian.lock'),
    journal: join(folder, 'guardian.jsonl'),
  } as const
}

/** Reads and checks the file. Throws `guardian/config` with the field and what it must be. */
export function readGuardianConfig(path: string): GuardianConfig {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('guardian/config', `${path}: ${reason}; the daemon writes this file when it starts`, {
      cause,
    })
  }
  return parseGuardianConfig(value, path)
}

/** `name` is the file, for the messages. Throws `guardian/config`. */
export function parseGuardianConfig(value: unknown, name = 'guardian.json'): GuardianConfig {
  const root = openFields(value, name)
  const config: GuardianConfig = {
    folder: root.text('folder'),
    drivers: root.has('drivers') ? root.list('drivers', readDrivers) : [],
    mount: root.optional('mount', readMount) ?? null,
    roof: root.optional('roof', readRoof) ?? null,
    inputs: root.list('inputs', readInput),
    policy: root.optional('policy', readPolicy) ?? defaultPolicy,
  }
  root.end()
  if (config.mount === null && config.roof === null)
    throw wrong(name, 'name a mount, a roof or both: there is nothing to guard')
  const isController = config.roof?.kind === 'controller'
  if (!isController && config.inputs.some((input) => input.kind === 'controller'))
    throw wrong(`${name}: inputs`, 'an input of kind "controller" needs a roof of kind "controller"')
  if (!isController && config.policy.parkedSignals !== 'mount')
    throw wrong(`${name}: policy.parkedSignals`, 'only a roof of kind "controller" has a sensor: make it "mount"')
  return { ...config, policy: { ...config.policy, mountPortIsDaemons: config.mount?.kind === 'lx200' } }
}

function readDrivers(fields: Fields): DriverGroupConfig {
  return { name: fields.text('name', /^[a-z0-9-]{1,20}$/), programs: fields.texts('programs') }
}

function readMount(fields: Fields): MountConfig {
  const kind = fields.oneOf('kind', ['indi', 'alpaca', 'lx200'])
  if (kind === 'indi') return { kind, server: fields.required('server', readServer), device: fields.text('device') }
  if (kind === 'alpaca') return { kind, ...readAlpaca(fields) }
  return { kind, path: fields.text('path'), baudRate: fields.number('baudRate', 300, 1_000_000) }
}

function readRoof(fields: Fields): RoofConfig {
  const kind = fields.oneOf('kind', ['indi', 'alpaca', 'controller'])
  if (kind === 'indi') return { kind, server: fields.required('server', readServer), device: fields.text('device') }
  if (kind === 'alpaca') return { kind, ...readAlpaca(fields) }
  return { kind, path: fields.text('path'), baudRate: fields.number('baudRate', 300, 1_000_000) }
}

function readInput(fields: Fields): InputConfig {
  const kind = fields.oneOf('kind', ['indiWeather', 'nut', 'alpacaWeather', 'alpacaSafety', 'controller'])
  const common = { limitMs: fields.number('limitMs', 100, 3_600_000), required: fields.flag('required') }
  if (kind === 'controller') return { kind, ...common }
  if (kind === 'alpacaWeather' || kind === 'alpacaSafety') return { kind, ...common, ...readAlpaca(fields) }
  const server = fields.required('server', readServer)
  if (kind === 'nut') return { kind, ...common, server, ups: fields.text('ups') }
  return { kind, ...common, server, device: fields.text('device'), closeOnDanger: fields.flag('closeOnDanger') }
}

function readServer(fields: Fields): ServerAddress {
  if (fields.has('path')) return { path: fields.text('path') }
  return { host: fields.text('host'), port: fields.number('port', 1, 65_535) }
}

function readAlpaca(fields: Fields): AlpacaAddress {
  const number = fields.number('number', 0, 255)
  return { host: fields.text('host'), port: fields.number('port', 1, 65_535), number }
}

const day = 86_400_000
/** Least and most of each time. The daemon may be silent for 2 s and no longer: the roof must begin to close within 2.5 s. */
const times = {
  beatLimitMs: [700, 2_000],
  healthLimitMs: [1_000, 600_000],
  startGraceMs: [0, 600_000],
  readingLimitMs: [1_000, 60_000],
  mainsLimitMs: [0, day],
  parkRepeatMs: [1_000, 600_000],
  failedRepeatMs: [500, 60_000],
  parkMotionMs: [1_000, 1_800_000],
  closeRepeatMs: [1_000, 600_000],
  parkPatienceMs: [1_000, 1_800_000],
  takePortAfterMs: [1_000, 1_800_000],
  clearAfterMs: [0, day],
} as const satisfies Partial<Record<keyof GuardianPolicy, readonly [number, number]>>

function readPolicy(fields: Fields): GuardianPolicy {
  const given = Object.entries(times).map(([name, [least, most]]) => {
    const fallback = defaultPolicy[name as keyof typeof times]
    return [name, fields.has(name) ? fields.number(name, least, most) : fallback] as const
  })
  const flag = (name: 'parkUnderClosedRoof'): boolean => (fields.has(name) ? fields.flag(name) : defaultPolicy[name])
  return {
    ...(Object.fromEntries(given) as Record<keyof typeof times, number>),
    closeAnywayAfterMs: fields.has('closeAnywayAfterMs')
      ? fields.numberOr('closeAnywayAfterMs', 'never', 0, day)
      : defaultPolicy.closeAnywayAfterMs,
    lingerMs: fields.has('lingerMs') ? fields.numberOr('lingerMs', 'forever', 0, day) : defaultPolicy.lingerMs,
    parkedSignals: fields.has('parkedSignals')
      ? fields.oneOf('parkedSignals', ['mount', 'sensor', 'both'])
      : defaultPolicy.parkedSignals,
    parkUnderClosedRoof: flag('parkUnderClosedRoof'),
    mountPortIsDaemons: false,
  }
}

// Fields ------------------------------------------------------------------------------------------------------------------

const wrong = (where: string, problem: string): NightjarError =>
  new NightjarError('guardian/config', `${where}: ${problem}`)

interface Fields {
  has(name: string): boolean
  text(name: string, pattern?: RegExp): string
  texts(name: string): string[]
  flag(name: string): boolean
  number(name: string, least: number, most: number): number
  numberOr<W extends string>(name: string, word: W, least: number, most: number): number | W
  oneOf<const T extends readonly string[]>(name: string, choices: T): T[number]
  required<T>(name: string, read: (fields: Fields) => T): T
  optional<T>(name: string, read: (fields: Fields) => T): T | undefined
  list<T>(name: string, read: (fields: Fields) => T): T[]
  /** Throws when a field was never asked for: a misspelt limit must not be a limit that is not there. */
  end(): void
}

function openFields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'must be an object')
  const held = value as Readonly<Record<string, unknown>>
  const asked = new Set<string>()
  const at = (name: string): string => `${where}: ${name}`
  const take = (name: string): unknown => {
    asked.add(name)
    return held[name]
  }
  const inside = <T>(item: unknown, place: string, read: (fields: Fields) => T): T => {
    const fields = openFields(item, place)
    const result = read(fields)
    fields.end()
    return result
  }
  const fields: Fields = {
    has: (name) => held[name] !== undefined && held[name] !== null,
    text(name, pattern) {
      const item = take(name)
      if (typeof item !== 'string' || item === '') throw wrong(at(name), 'must be a text')
      if (pattern && !pattern.test(item)) throw wrong(at(name), `must match ${pattern.source}`)
      return item
    },
    texts(name) {
      const items = take(name)
      const isList = Array.isArray(items) && items.length > 0
      if (!isList || !items.every((item) => typeof item === 'string' && item !== ''))
        throw wrong(at(name), 'must be a list of texts')
      return items as string[]
    },
    flag(name) {
      const item = take(name)
      if (typeof item !== 'boolean') throw wrong(at(name), 'must be true or false')
      return item
    },
    number(name, least, most) {
      const item = take(name)
      if (typeof item !== 'number' || !(item >= least && item <= most))
        throw wrong(at(name), `must be a number from ${least} to ${most}, not ${JSON.stringify(item)}`)
      return item
    },
    numberOr: (name, word, least, most) => (take(name) === word ? word : fields.number(name, least, most)),
    oneOf(name, choices) {
      const item = take(name)
      if (!choices.includes(item as string))
        throw wrong(at(name), `must be one of ${choices.join(', ')}, not ${JSON.stringify(item)}`)
      return item as (typeof choices)[number]
    },
    required: (name, read) => inside(take(name), at(name), read),
    optional: (name, read) => (take(name) == null ? undefined : inside(held[name], at(name), read)),
    list(name, read) {
      const items = take(name)
      if (!Array.isArray(items)) throw wrong(at(name), 'must be a list')
      return items.map((item, i) => inside(item, at(`${name}[${i}]`), read))
    },
    end() {
      const unknown = Object.keys(held).find((name) => !asked.has(name))
      if (unknown !== undefined) throw wrong(at(unknown), 'is not a setting; correct its name or remove it')
    },
  }
  return fields
}

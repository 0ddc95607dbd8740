import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { type Adapter, Low } from 'lowdb'
import { Compile } from 'typebox/compile'
import { defaultSettings, Settings } from '../contract/config.ts'
import { type AddressKind, addressesOf, type DeviceKind, deviceAddresses } from '../contract/deviceSettings.ts'
import { canonicalJson, sha256Hex } from './canonical.ts'
import { full } from './database.ts'
import { diskFiles, type Files, partSuffix } from './frameFiles.ts'

/**
 * Settings in `settings.json`, by lowdb through an adapter that survives a power cut: written beside, synced, the old file
 * kept as `settings.previous.json`, renamed, the folder synced. A file whose checksum does not fit is not believed and the
 * previous one is taken. Who edits the file by hand removes its `sha256` line.
 */

export const settingsName = 'settings.json'
export const previousSettingsName = 'settings.previous.json'

export interface SettingsFile {
  readonly current: Settings
  /** Why the previous generation was taken, for the log; undefined when all is well. */
  readonly recovered: string | undefined
  /** Stores `change(current)`; resolves once a power cut cannot take it. Throws `settings/bad` and changes nothing. */
  update(change: (settings: Settings) => Settings): Promise<Settings>
}

/** Reads the settings of a data folder; defaults where there are none. Throws `settings/bad` naming key and fix. */
export async function openSettings(folder: string, files: Files = diskFiles): Promise<SettingsFile> {
  const adapter = new DurableJson(folder, files)
  const low = new Low<unknown>(adapter, {})
  await low.read()
  let current = parseSettings(low.data)
  let queue: Promise<unknown> = Promise.resolve()
  const store = async (change: (settings: Settings) => Settings): Promise<Settings> => {
    const next = parseSettings(change(current))
    low.data = next
    await low.write()
    return (current = next)
  }
  return {
    get current() {
      return current
    },
    recovered: adapter.recovered,
    update(change) {
      const result = queue.then(() => store(change))
      queue = result.catch(() => undefined)
      return result
    },
  }
}

const validator = Compile(Settings)

/** Fills what is missing from the defaults and checks the rest. Throws `settings/bad` naming the key and the fix. */
export function parseSettings(value: unknown): Settings {
  const settings = fill(value, defaultSettings)
  const error = validator.Check(settings) ? undefined : validator.Errors(settings).at(-1)
  if (!error) return settings as Settings
  throw new NightjarError('settings/bad', describe(error, settings))
}

/** Objects are filled key by key; lists and everything else are taken whole. */
function fill(value: unknown, fallback: unknown): unknown {
  if (value === undefined) return fallback
  if (!isPlain(value) || !isPlain(fallback)) return value
  // A device of another kind has other keys: it is taken whole.
  if ('kind' in value) return value
  const filled: Record<string, unknown> = { ...value }
  for (const key of Object.keys(fallback)) filled[key] = fill(value[key], fallback[key])
  return filled
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Complaint = ReturnType<typeof validator.Errors>[number]

function describe(error: Complaint, settings: unknown): string {
  const keys = error.instancePath.split('/').slice(1)
  if (error.keyword === 'additionalProperties') {
    const unknown = [...keys, ...(error.params.additionalProperties as string[]).slice(0, 1)].join('.')
    return `settings: there is no ${unknown}; remove it or correct its spelling`
  }
  if (keys[0] === 'devices' && keys[1] !== undefined && keys[1] in addressesOf)
    return `settings: devices.${keys[1]} must be one of ${choicesFor(keys[1] as DeviceKind)}, with all their fields`
  const found = JSON.stringify(at(settings, keys))
  const usual = at(defaultSettings, keys)
  const fix = usual === undefined ? 'correct it' : `correct it or remove it to get ${JSON.stringify(usual)}`
  return `settings: ${keys.join('.') || 'the file'} ${error.message}, not ${found}; ${fix}`
}

/** The addresses that a device of this kind may have, by their kinds. */
function choicesFor(kind: DeviceKind): string {
  return addressesOf[kind].map((one) => describeAddress(one)).join(', ')
}

function describeAddress(kind: AddressKind): string {
  const fields = Object.keys(deviceAddresses[kind].properties).filter((name) => name !== 'kind')
  return `{${[`"kind":"${kind}"`, ...fields.map((name) => `"${name}":…`)].join(',')}}`
}

function at(value: unknown, keys: readonly string[]): unknown {
  let found = value
  for (const key of keys)
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined
  return found
}

/** The lowdb adapter. */
class DurableJson implements Adapter<unknown> {
  recovered: string | undefined
  readonly #folder: string
  readonly #files: Files
  /** Only a file that was believed may take the place of the previous generation. */
  #currentIsGood = false
  #generation = 0

  constructor(folder: string, files: Files) {
    this.#folder = folder
    this.#files = files
  }

  async read(): Promise<unknown> {
    const current = await this.#load(settingsName)
    if (current.state === 'good') {
      this.#currentIsGood = true
      return this.#take(current)
    }
    const previous = await this.#load(previousSettingsName)
    if (previous.state === 'good') {
      this.recovered = `${settingsName} ${current.reason}; the previous generation was taken`
      return this.#take(previous)
    }
    if (current.state === 'missing' && previous.state === 'missing') return null
    const fix = `restore it, or remove it to start from the defaults`
    throw new NightjarError('settings/torn', `${join(this.#folder, settingsName)} ${current.reason}; ${fix}`)
  }

  async write(settings: unknown): Promise<void> {
    const current = join(this.#folder, settingsName)
    try {
      await this.#writeBeside(`${current}${partSuffix}`, settings)
      if (this.#currentIsGood) await this.#files.rename(current, join(this.#folder, previousSettingsName))
      this.#currentIsGood = false
      await this.#files.rename(`${current}${partSuffix}`, current)
      await this.#files.syncFolder(this.#folder)
      this.#currentIsGood = true
      this.#generation++
    } catch (error) {
      throw nameFailure(error, current)
    }
  }

  #take(loaded: Extract<Loaded, { state: 'good' }>): unknown {
    this.#generation = loaded.generation
    return loaded.settings
  }

  async #writeBeside(part: string, settings: unknown): Promise<void> {
    await this.#files.remove(part)
    const file = await this.#files.create(part)
    try {
      await file.write(new TextEncoder().encode(envelopeText(settings, this.#generation + 1)))
      await file.sync()
    } finally {
      await file.close()
    }
  }

  async #load(name: string): Promise<Loaded> {
    const path = join(this.#folder, name)
    if (!(await this.#files.exists(path))) return { state: 'missing', reason: 'is missing' }
    const chunks: Uint8Array[] = []
    for await (const chunk of this.#files.read(path)) chunks.push(chunk)
    return readEnvelope(Buffer.concat(chunks).toString('utf8'))
  }
}

type Loaded =
  | { readonly state: 'good'; readonly settings: unknown; readonly generation: number }
  | { readonly state: 'missing' | 'torn'; readonly reason: string }

function envelopeText(settings: unknown, generation: number): string {
  const sha256 = sha256Hex(canonicalJson({ generation, settings }))
  return `${JSON.stringify({ generation, sha256, settings }, null, 2)}\n`
}

function readEnvelope(text: string): Loaded {
  let envelope: unknown
  try {
    envelope = JSON.parse(text)
  } catch {
    return { state: 'torn', reason: 'is not whole JSON' }
  }
  if (!isPlain(envelope) || !('settings' in envelope)) return { state: 'torn', reason: 'has no "settings"' }
  const { generation, sha256, settings } = envelope
  if (sha256 !== undefined && sha256 !== sha256Hex(canonicalJson({ generation, settings }))) {
    return { state: 'torn', reason: 'does not fit its checksum (after editing by hand remove the "sha256" line)' }
  }
  return { state: 'good', settings, generation: typeof generation === 'number' ? generation : 0 }
}

function nameFailure(error: unknown, path: string): unknown {
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return full(path, error)
  return error
}

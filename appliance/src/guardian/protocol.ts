/** What the daemon and the guardian tell each other over their unix socket: JSON, one message a line. */
import type { RoofPosition } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Phase } from './decide.ts'

export const protocolVersion = 1

/** How the guardian's process ends. */
export const exitCodes = {
  /** All is down and nobody is here. */
  ended: 0,
  /** Another guardian has this data folder (EX_TEMPFAIL of sysexits.h). */
  running: 75,
  /** The settings are wrong (EX_CONFIG). */
  config: 78,
} as const

/** The daemon beats this often; the guardian answers each beat with a status. */
export const beatMs = 500

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in clock ticks since the boot: field 22 of proc_pid_stat(5). */
  readonly startTicks: string
}

export type ToGuardian =
  | ({ readonly type: 'hello'; readonly version: number } & ProcessIdentity)
  /** `health` is a counter that only the daemon's own work advances. */
  | { readonly type: 'beat'; readonly health: number; readonly mount?: ToldMount | undefined }
  /** The daemon ends of its own will. */
  | { readonly type: 'bye' }

/** What the daemon reads from a mount whose port only it can hold. */
export interface ToldMount {
  readonly parked: boolean
  readonly slewing: boolean
  readonly tracking: boolean
  readonly ageMs: number
}

export interface GuardianStatus extends ProcessIdentity {
  readonly type: 'status'
  readonly version: number
  readonly phase: Phase
  readonly causes: readonly string[]
  readonly alarms: readonly string[]
  readonly mayOpen: boolean
  readonly mountDown: boolean
  /** Ages in milliseconds; null when never heard (JSON has no Infinity). */
  readonly mount: { readonly parked: boolean; readonly ageMs: number | null } | null
  readonly roof: { readonly position: RoofPosition; readonly ageMs: number | null } | null
  readonly inputs: readonly { readonly name: string; readonly ageMs: number | null }[]
  /** The latest, oldest first. */
  readonly actions: readonly { readonly atMs: number; readonly text: string }[]
}

export type FromGuardian = GuardianStatus | { readonly type: 'refused'; readonly reason: string }

/** A line longer than this is no message of ours. */
export const longestLineBytes = 16 * 1024

export const encodeLine = (message: ToGuardian | FromGuardian): string => `${JSON.stringify(message)}\n`

/**
 * Splits a stream into messages. A line that is too long, not JSON, or not an object with a type is handed to `onFault` and
 * passed over.
 */
export function createLineReader(onMessage: (message: { type: string }) => void, onFault: (text: string) => void) {
  let held = ''
  let skipping = false
  const line = (text: string): void => {
    if (text.trim() === '') return
    const message = parseMessage(text)
    if (message) onMessage(message)
    else onFault(text.slice(0, 80))
  }
  return (bytes: Uint8Array): void => {
    held += Buffer.from(bytes).toString('latin1')
    for (let end = held.indexOf('\n'); end >= 0; end = held.indexOf('\n')) {
      const text = held.slice(0, end)
      held = held.slice(end + 1)
      if (skipping) skipping = false
      else line(Buffer.from(text, 'latin1').toString('utf8'))
    }
    if (held.length <= longestLineBytes) return
    if (!skipping) onFault(held.slice(0, 80))
    skipping = true
    held = ''
  }
}

function parseMessage(text: string): { type: string } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && typeof value['type'] === 'string' ? (value as { type: string }) : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The message when every field is what it should be; undefined when it is not one of the daemon's. */
export function checkToGuardian(message: { type: string }): ToGuardian | undefined {
  const fields = message as unknown as Record<string, unknown>
  if (fields['type'] === 'bye') return { type: 'bye' }
  if (fields['type'] === 'hello') {
    const { version, pid, startTicks } = fields
    const isHello = typeof version === 'number' && isPid(pid) && typeof startTicks === 'string'
    return isHello ? { type: 'hello', version, pid, startTicks } : undefined
  }
  if (fields['type'] !== 'beat' || typeof fields['health'] !== 'number') return undefined
  const mount = checkMount(fields['mount'])
  return { type: 'beat', health: fields['health'], ...(mount ? { mount } : {}) }
}

/** Neither a process group (0, negative) nor init. */
const isPid = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 1

function checkMount(value: unknown): ToldMount | undefined {
  if (!isObject(value)) return undefined
  const { parked, slewing, tracking, ageMs } = value
  const areFlags = [parked, slewing, tracking].every((flag) => typeof flag === 'boolean')
  if (!areFlags || typeof ageMs !== 'number' || !(ageMs >= 0)) return undefined
  return { parked: parked === true, slewing: slewing === true, tracking: tracking === true, ageMs }
}

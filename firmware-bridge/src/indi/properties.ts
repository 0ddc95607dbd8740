/**
 * What a server has told, as a value: devices, their properties, the latest log lines. `reduce` is pure: state and message
 * in, new state and the list of changes out. BLOB content is handed on in a change and not kept.
 */
import { type LogEntry, logEntry, logged } from './log.ts'
import type {
  BlobValue,
  DefBlob,
  DefLight,
  DefMessage,
  DefNumber,
  DefSwitch,
  DefText,
  IndiMessage,
  NumberDefinition,
  NumberValue,
  PropertyState,
  SetMessage,
} from './messages.ts'

interface Heard {
  /** When it was last told, Unix ms UTC of this machine. */
  readonly atMs: number
}
export type TextProperty = DefText & Heard
export type NumberProperty = DefNumber & Heard
export type SwitchProperty = DefSwitch & Heard
export type LightProperty = DefLight & Heard
export type BlobProperty = DefBlob & Heard
export type Property = TextProperty | NumberProperty | SwitchProperty | LightProperty | BlobProperty

export type DeviceProperties = ReadonlyMap<string, Property>

export interface IndiState {
  readonly devices: ReadonlyMap<string, DeviceProperties>
  /** Of all devices, oldest first, at most `logLimits.all`. */
  readonly log: readonly LogEntry[]
  /** Of each device ('' is the server), so that one which talks much does not push out the words of another. */
  readonly logs: ReadonlyMap<string, readonly LogEntry[]>
}

export type Change =
  /** `fresh`: it was not there before; else a definition replaced one (also the answer to a narrow `getProperties`). */
  | { readonly type: 'defined'; readonly device: string; readonly name: string; readonly fresh: boolean }
  | { readonly type: 'updated'; readonly device: string; readonly name: string }
  | {
      readonly type: 'blob'
      readonly device: string
      readonly name: string
      readonly state: PropertyState | undefined
      readonly blobs: readonly BlobValue[]
    }
  | { readonly type: 'deleted'; readonly device: string; readonly name: string }
  | { readonly type: 'deviceLost'; readonly device: string }
  | { readonly type: 'logged'; readonly entry: LogEntry }

export interface Reduced {
  readonly state: IndiState
  readonly changes: readonly Change[]
}

/** A server beyond these is broken; what exceeds them is ignored. */
export const stateLimits = { devices: 256, propertiesPerDevice: 4096 } as const

export const emptyState: IndiState = { devices: new Map(), log: [], logs: new Map() }

/** The state after `message`, which was heard at `atMs` (Unix ms UTC). */
export function reduce(state: IndiState, message: IndiMessage, atMs: number): Reduced {
  switch (message.type) {
    case 'def':
      return withLog(define(state, message, atMs), message, atMs)
    case 'set':
      return withLog(update(state, message, atMs), message, atMs)
    case 'delProperty':
      return withLog(remove(state, message.device, message.name), message, atMs)
    case 'message':
      return withLog({ state, changes: [] }, message, atMs)
    default:
      return { state, changes: [] }
  }
}

function define(state: IndiState, message: DefMessage, atMs: number): Reduced {
  const { device, name } = message
  const known = state.devices.get(device)
  const fresh = !known?.has(name)
  const full = known ? known.size >= stateLimits.propertiesPerDevice : state.devices.size >= stateLimits.devices
  if (fresh && full) return { state, changes: [] }
  const { timestamp: _, message: __, ...definition } = message
  const properties = new Map(known).set(name, { ...definition, atMs } as Property)
  return { state: withDevice(state, device, properties), changes: [{ type: 'defined', device, name, fresh }] }
}

function withDevice(state: IndiState, device: string, properties: DeviceProperties): IndiState {
  return { ...state, devices: new Map(state.devices).set(device, properties) }
}

/** A `set` of a property that has not been defined changes nothing, but its BLOBs are still handed on. */
function update(state: IndiState, message: SetMessage, atMs: number): Reduced {
  const { device, name } = message
  const changes: Change[] = []
  const known = state.devices.get(device)
  const property = known?.get(name)
  let next = state
  if (known && property && property.kind === message.kind) {
    next = withDevice(state, device, new Map(known).set(name, updated(property, message, atMs)))
    changes.push({ type: 'updated', device, name })
  }
  if (message.kind === 'blob') {
    const blobs = message.elements.filter((blob) => blob.bytes.length > 0)
    if (blobs.length > 0) changes.push({ type: 'blob', device, name, state: message.state, blobs })
  }
  return { state: next, changes }
}

function updated(property: Property, message: SetMessage, atMs: number): Property {
  const timeoutSeconds = message.timeoutSeconds
  const head = {
    state: message.state ?? property.state,
    ...(timeoutSeconds === undefined || property.kind === 'light' ? {} : { timeoutSeconds }),
    atMs,
  }
  if (property.kind === 'blob' || message.kind === 'blob') return { ...property, ...head } as Property
  const told: readonly SetMessage['elements'][number][] = message.elements
  let byName: Map<string, SetMessage['elements'][number]> | undefined
  // Nearly always the same elements in the same order.
  const find = (name: string, i: number): SetMessage['elements'][number] | undefined => {
    if (told[i]?.name === name) return told[i]
    byName ??= new Map(told.map((item) => [item.name, item]))
    return byName.get(name)
  }
  const elements = property.elements.map((element, i) => {
    const value = find(element.name, i)
    if (!value) return element
    return property.kind === 'number'
      ? updatedNumber(element as NumberDefinition, value as NumberValue)
      : { ...element, ...value }
  })
  return { ...property, ...head, elements } as Property
}

function updatedNumber(element: NumberDefinition, told: NumberValue): NumberDefinition {
  const { value, min = element.min, max = element.max, step = element.step } = told
  return { ...element, value, min, max, step }
}

function remove(state: IndiState, device: string | undefined, name: string | undefined): Reduced {
  if (device === undefined) return removeAll(state)
  const known = state.devices.get(device)
  if (!known) return { state, changes: [] }
  if (name === undefined) {
    const devices = new Map(state.devices)
    devices.delete(device)
    return { state: { ...state, devices }, changes: [{ type: 'deviceLost', device }] }
  }
  if (!known.has(name)) return { state, changes: [] }
  const properties = new Map(known)
  properties.delete(name)
  return { state: withDevice(state, device, properties), changes: [{ type: 'deleted', device, name }] }
}

/** Every device is lost: the server said so, or the wire closed. The log stays. */
export function removeAll(state: IndiState): Reduced {
  const changes = [...state.devices.keys()].map((device): Change => ({ type: 'deviceLost', device }))
  return { state: { ...state, devices: new Map() }, changes }
}

function withLog(
  { state, changes }: Reduced,
  message: {
    readonly device?: string | undefined
    readonly message?: string | undefined
    readonly timestamp?: string | undefined
  },
  atMs: number,
): Reduced {
  if (!message.message) return { state, changes }
  const entry = logEntry(message, atMs)
  return { state: { ...state, ...logged(state, entry) }, changes: [...changes, { type: 'logged', entry }] }
}

export function findProperty(state: IndiState, device: string, name: string): Property | undefined {
  return state.devices.get(device)?.get(name)
}

/** A number that the device has told; undefined when it is not there or not finite. */
export function findNumber(state: IndiState, device: string, name: string, element: string): number | undefined {
  const property = findProperty(state, device, name)
  if (property?.kind !== 'number') return undefined
  const value = property.elements.find((item) => item.name === element)?.value
  return value !== undefined && Number.isFinite(value) ? value : undefined
}

export function findSwitch(state: IndiState, device: string, name: string, element: string): boolean | undefined {
  const property = findProperty(state, device, name)
  return property?.kind === 'switch' ? property.elements.find((item) => item.name === element)?.value : undefined
}

export function findText(state: IndiState, device: string, name: string, element: string): string | undefined {
  const property = findProperty(state, device, name)
  return property?.kind === 'text' ? property.elements.find((item) => item.name === element)?.value : undefined
}

/** The last thing that the device (or the server) said since `sinceMs`. */
export function lastWords(state: IndiState, device: string, sinceMs: number): string | undefined {
  return state.logs.get(device)?.findLast((entry) => entry.atMs >= sinceMs)?.text
}

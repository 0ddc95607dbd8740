/**
 * The generic property panel, free of any transport: what a client knows as a tree that can be sent as JSON, and a change
 * that came back as JSON, checked before it is sent. It keeps drivers usable that no interface of ours knows.
 */
import { failure, type Outcome } from '../outcome.ts'
import type { IndiClient } from './client.ts'
import { judgeAccepted, type Value } from './command.ts'
import { type LogEntry, queryLog } from './log.ts'
import type { Kind, NumberDefinition, Permission, PropertyState, SwitchRule } from './messages.ts'
import { type DeviceProperties, findProperty, type IndiState, type Property } from './properties.ts'
import { formatNumber, parseNumber } from './sexagesimal.ts'

export interface PanelElement {
  readonly name: string
  readonly label: string
  /** Text, number (null when the device tells none), On = true, or the state of a light; absent for BLOBs. */
  readonly value?: string | number | boolean | null
  /** A number in the device's own format, such as `3:47:24`. */
  readonly shown?: string
  readonly format?: string
  /** Absent when the device sets no limits. */
  readonly min?: number
  readonly max?: number
  readonly step?: number
}

export interface PanelProperty {
  readonly name: string
  readonly label: string
  readonly kind: Kind
  readonly state: PropertyState
  /** Lights are read-only. */
  readonly permission: Permission
  readonly rule?: SwitchRule
  readonly timeoutSeconds?: number
  /** When it was last told, Unix ms UTC. */
  readonly atMs: number
  readonly elements: readonly PanelElement[]
}

export interface PanelGroup {
  readonly name: string
  readonly properties: readonly PanelProperty[]
}

export interface PanelDevice {
  readonly name: string
  readonly connected: boolean
  readonly groups: readonly PanelGroup[]
  /** The latest lines that the device said, oldest first. */
  readonly log: readonly LogEntry[]
}

export interface PanelTree {
  readonly devices: readonly PanelDevice[]
}

const shownLogLines = 20
/** Longest text that is taken from the panel, and how many elements a change may name. */
export const panelLimits = { textCharacters: 2_000, elements: 4_096 } as const

/** Everything in the order in which the server told it. Groups without a name are called `Main`. */
export function panelTree(state: IndiState): PanelTree {
  return { devices: [...state.devices].map(([name, properties]) => panelDevice(state, name, properties)) }
}

function panelDevice(state: IndiState, name: string, properties: DeviceProperties): PanelDevice {
  const groups = new Map<string, PanelProperty[]>()
  for (const property of properties.values()) {
    const group = property.group === '' ? 'Main' : property.group
    const members = groups.get(group)
    if (members) members.push(panelProperty(property))
    else groups.set(group, [panelProperty(property)])
  }
  const connection = properties.get('CONNECTION')
  const connected =
    connection?.kind === 'switch' && connection.elements.some((item) => item.name === 'CONNECT' && item.value)
  return {
    name,
    connected,
    groups: [...groups].map(([group, members]) => ({ name: group, properties: members })),
    log: queryLog(state, { device: name, most: shownLogLines }),
  }
}

export function panelProperty(property: Property): PanelProperty {
  const { name, label, kind, state, atMs } = property
  const head = { name, label: label || name, kind, state, atMs }
  if (property.kind === 'light') {
    return {
      ...head,
      permission: 'ro',
      elements: property.elements.map((item) => ({ ...named(item), value: item.value })),
    }
  }
  const { permission, timeoutSeconds } = property
  const writable = { ...head, permission, timeoutSeconds }
  switch (property.kind) {
    case 'blob':
      return { ...writable, elements: property.elements.map(named) }
    case 'number':
      return { ...writable, elements: property.elements.map(panelNumber) }
    case 'switch':
      return {
        ...writable,
        rule: property.rule,
        elements: property.elements.map((item) => ({ ...named(item), value: item.value })),
      }
    case 'text':
      return { ...writable, elements: property.elements.map((item) => ({ ...named(item), value: item.value })) }
  }
}

function named({ name, label }: { readonly name: string; readonly label: string }): PanelElement {
  return { name, label: label || name }
}

/** NaN and infinities have no place in JSON; `min` ≥ `max` means no limits, a step of 0 none. */
function panelNumber(item: NumberDefinition): PanelElement {
  const { value, format, min, max, step } = item
  const known = Number.isFinite(value)
  return {
    ...named(item),
    value: known ? value : null,
    shown: known ? formatNumber(format || '%g', value).trim() : '—',
    format,
    ...(max > min && Number.isFinite(min) && Number.isFinite(max) ? { min, max } : {}),
    ...(step > 0 && Number.isFinite(step) ? { step } : {}),
  }
}

/** A change as it comes from a browser: nothing about it is believed. */
export interface PanelChange {
  readonly device: string
  readonly property: string
  readonly values: Readonly<Record<string, unknown>>
}

/**
 * Sends a change from the panel and waits until the device has taken or refused it. Numbers may be given as text, also
 * sexagesimal (`-12:30:00`). Never rejects: what is wrong with the change is the reason.
 */
export async function setFromPanel(client: IndiClient, change: unknown): Promise<Outcome> {
  const checked = checkChange(change)
  if (typeof checked === 'string') return failure(checked)
  const { device, property: name, values } = checked
  const property = findProperty(client.state, device, name)
  if (!property) return failure(`${device} has no ${name}`)
  const wanted: Record<string, Value> = {}
  for (const [element, given] of Object.entries(values)) {
    const value = valueFor(property, element, given)
    if (typeof value === 'object') return failure(`${device}.${name}.${element} ${value.wrong}`)
    wanted[element] = value
  }
  const timeoutSeconds = property.kind === 'light' ? 0 : property.timeoutSeconds
  const timed = timeoutSeconds > 0 ? { timeoutMs: timeoutSeconds * 1000 } : {}
  return client.set(device, name, wanted, { judge: judgeAccepted, ...timed })
}

function checkChange(change: unknown): PanelChange | string {
  if (typeof change !== 'object' || change === null) return 'a change is an object of device, property and values'
  const { device, property, values } = change as Record<string, unknown>
  if (typeof device !== 'string' || typeof property !== 'string') return 'a change names its device and property'
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return 'values is an object by element'
  const count = Object.keys(values).length
  if (count === 0 || count > panelLimits.elements)
    return `a change has 1 to ${panelLimits.elements} values, not ${count}`
  return { device, property, values: values as PanelChange['values'] }
}

function valueFor(property: Property, element: string, given: unknown): Value | { readonly wrong: string } {
  if (!property.elements.some((item) => item.name === element)) return { wrong: 'does not exist' }
  switch (property.kind) {
    case 'number': {
      const value = typeof given === 'string' ? parseNumber(given) : given
      return typeof value === 'number' && Number.isFinite(value) ? value : { wrong: 'takes a number' }
    }
    case 'switch':
      return typeof given === 'boolean' ? given : { wrong: 'takes true or false' }
    case 'text':
      if (typeof given !== 'string') return { wrong: 'takes a text' }
      return given.length <= panelLimits.textCharacters
        ? given
        : { wrong: `takes at most ${panelLimits.textCharacters} characters` }
    default:
      return { wrong: 'cannot be set' }
  }
}

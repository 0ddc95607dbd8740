/** What a client puts back when a device or a whole server has gone and come again: connections, settings, BLOB policies. */
import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { ClientEvent, Wanted } from './client.ts'
import { createCommand, holds, type Values } from './command.ts'
import type { BlobPolicy, IndiMessage } from './messages.ts'
import { findProperty, findSwitch, type IndiState, lastWords } from './properties.ts'

export interface RestorerParts {
  readonly clock: Clock
  /** How often a device that should be connected and is not is asked again. */
  readonly reviveMs: number
  state(): IndiState
  send(message: IndiMessage): void
  tell(event: ClientEvent): void
}

export class Restorer {
  readonly #parts: RestorerParts
  readonly #connections = new Map<string, { askedAt: number }>()
  readonly #wanted = new Map<string, Map<string, Wanted>>()
  readonly #blobs = new Map<string, BlobPolicy>()

  constructor(parts: RestorerParts) {
    this.#parts = parts
  }

  /** The devices that shall be connected. */
  connected(): Iterable<string> {
    return this.#connections.keys()
  }

  connect(device: string): void {
    if (!this.#connections.has(device)) this.#connections.set(device, { askedAt: Number.NEGATIVE_INFINITY })
    this.revive(device)
  }

  forgetConnection(device: string): void {
    this.#connections.delete(device)
  }

  /** In the device's own words where it has said some within the last `withinMs`. */
  whyNotConnected(device: string, withinMs: number): Failure {
    const known = findProperty(this.#parts.state(), device, 'CONNECTION')
    if (!known) return failure(`${device} is not on the server`)
    return failure(lastWords(this.#parts.state(), device, known.atMs - withinMs) ?? `${device} does not connect`)
  }

  want(device: string, property: string, values: Wanted): void {
    this.#ofDevice(device).set(property, values)
    this.#restore(device, property)
  }

  wanted(device: string, property: string): Values | undefined {
    const wanted = this.#wanted.get(device)?.get(property)
    return typeof wanted === 'function' ? wanted() : wanted
  }

  /** Adds values that were set to what is wanted. */
  keep(device: string, property: string, values: Values): void {
    const before = this.#wanted.get(device)?.get(property)
    const exclusive = findProperty(this.#parts.state(), device, property)?.kind === 'switch'
    const merged = typeof before === 'object' && !exclusive ? { ...before, ...values } : values
    this.#ofDevice(device).set(property, merged)
  }

  wantBlobs(device: string, property: string, policy: BlobPolicy): void {
    this.#blobs.set(`${device}\n${property}`, policy)
    if (findProperty(this.#parts.state(), device, property)) this.#enableBlobs(device, property)
  }

  onAppeared(device: string, name: string): void {
    this.#enableBlobs(device, name)
    const connection = this.#connections.get(device)
    if (name === 'CONNECTION' && connection) {
      connection.askedAt = Number.NEGATIVE_INFINITY
      this.revive(device)
    }
    this.#restore(device, name)
  }

  /** Asks a device that should be connected and is not, but not more often than `reviveMs`. */
  revive(device: string): void {
    const state = this.#parts.state()
    const connection = this.#connections.get(device)
    const property = findProperty(state, device, 'CONNECTION')
    if (!connection || !property || property.state === 'Busy' || isConnected(state, device)) return
    const now = this.#parts.clock.monotonic()
    if (now - connection.askedAt < this.#parts.reviveMs) return
    connection.askedAt = now
    const command = createCommand(property, { CONNECT: true, DISCONNECT: false })
    if ('refused' in command) return
    this.#parts.send(command)
    this.#parts.tell({ type: 'restored', device, name: 'CONNECTION' })
  }

  #ofDevice(device: string): Map<string, Wanted> {
    const ofDevice = this.#wanted.get(device) ?? new Map<string, Wanted>()
    this.#wanted.set(device, ofDevice)
    return ofDevice
  }

  /** Always with the property's name: without one indiserver changes the policy of the whole connection. */
  #enableBlobs(device: string, name: string): void {
    const policy = this.#blobs.get(`${device}\n${name}`)
    if (policy) this.#parts.send({ type: 'enableBLOB', device, name, policy })
  }

  /** Sends what is wanted of a property that holds something else. Elements that this device does not have are left out. */
  #restore(device: string, name: string): void {
    const all = this.wanted(device, name)
    const property = findProperty(this.#parts.state(), device, name)
    if (!all || !property) return
    const has = (element: string): boolean => property.elements.some((item) => item.name === element)
    const values = Object.fromEntries(Object.entries(all).filter(([element]) => has(element)))
    if (Object.keys(values).length === 0 || holds(property, values)) return
    const command = createCommand(property, values)
    if ('refused' in command) return
    this.#parts.send(command)
    this.#parts.tell({ type: 'restored', device, name })
  }
}

export function isConnected(state: IndiState, device: string): boolean {
  const property = findProperty(state, device, 'CONNECTION')
  return findSwitch(state, device, 'CONNECTION', 'CONNECT') === true && property?.state !== 'Busy'
}

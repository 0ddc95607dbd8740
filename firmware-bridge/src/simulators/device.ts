import type {
  DefMessage,
  DefNumber,
  DefSwitch,
  DefText,
  IndiMessage,
  NewMessage,
  NumberDefinition,
  Permission,
  PropertyState,
  SetMessage,
  SwitchRule,
} from '../indi/messages.ts'
import type { ServedDevice } from '../indi/server.ts'

/** What a client may write, after the checks that libindi makes. */
export type Values<T> = Readonly<Record<string, T>>

interface Property {
  definition: DefMessage
  /** Shown only while connected. */
  readonly always: boolean
  readonly onNew: ((values: Values<never>) => void) | undefined
}

interface Options<T> {
  /** Of elements; their names by default. Drivers write units here. */
  readonly labels?: Readonly<Record<string, string>>
  readonly label?: string
  readonly group?: string
  readonly permission?: Permission
  readonly state?: PropertyState
  readonly always?: boolean
  readonly onNew?: (values: Values<T>) => void
}

/** name → [value, min, max, format?] */
export type Numbers = Readonly<Record<string, readonly [value: number, min: number, max: number, format?: string]>>

/**
 * The part that every INDI driver shares: properties that appear on CONNECT and go on DISCONNECT, values checked against
 * their limits and rules, changes told to every client. Behaves as libindi's DefaultDevice does on the wire.
 */
export class SimulatedDevice implements ServedDevice {
  readonly name: string
  readonly #properties = new Map<string, Property>()
  readonly #refusals = new Map<string, string>()
  #send: (message: IndiMessage) => void = () => undefined
  #silent = false
  #connected = false
  readonly #onConnection: (connected: boolean) => void

  constructor(
    name: string,
    driver: { readonly exec: string; readonly interface: number },
    onConnection: (connected: boolean) => void,
  ) {
    this.name = name
    this.#onConnection = onConnection
    this.switches('CONNECTION', { CONNECT: false, DISCONNECT: true }, 'OneOfMany', {
      always: true,
      onNew: (values) => this.#connect(values['CONNECT'] === true),
    })
    const facts = {
      DRIVER_NAME: name,
      DRIVER_EXEC: driver.exec,
      DRIVER_VERSION: '1.0',
      DRIVER_INTERFACE: String(driver.interface),
    }
    this.texts('DRIVER_INFO', facts, { always: true, permission: 'ro', group: 'General Info' })
  }

  get connected(): boolean {
    return this.#connected
  }

  attach(publish: (message: IndiMessage) => void): void {
    this.#send = publish
  }

  /** A fault for tests: the driver hangs. It hears nothing and says nothing until it is no longer silent. */
  setSilent(silent: boolean): void {
    this.#silent = silent
  }

  /** A fault for tests: changes of this property are refused with these words; `undefined` ends it. */
  refuse(property: string, reason: string | undefined): void {
    if (reason === undefined) this.#refusals.delete(property)
    else this.#refusals.set(property, reason)
  }

  #publish(message: IndiMessage): void {
    if (!this.#silent) this.#send(message)
  }

  *definitions(): Iterable<DefMessage> {
    if (this.#silent) return
    for (const property of this.#properties.values()) {
      if (property.always || this.#connected) yield property.definition
    }
  }

  texts(name: string, values: Values<string>, options: Options<string> = {}): void {
    this.#define({ ...this.#head(name, options), type: 'def', kind: 'text', elements: named(values, options) }, options)
  }

  numbers(name: string, values: Numbers, options: Options<number> = {}): void {
    const elements = Object.entries(values).map(([element, [value, min, max, format = '%g']]) => ({
      name: element,
      label: options.labels?.[element] ?? element,
      value,
      min,
      max,
      step: 0,
      format,
    }))
    this.#define({ ...this.#head(name, options), type: 'def', kind: 'number', elements }, options)
  }

  switches(name: string, values: Values<boolean>, rule: SwitchRule, options: Options<boolean> = {}): void {
    const elements = named(values, options)
    this.#define({ ...this.#head(name, options), type: 'def', kind: 'switch', rule, elements }, options)
  }

  lights(name: string, values: Values<PropertyState>, options: Options<PropertyState> = {}): void {
    const { device, label, group, state } = this.#head(name, options)
    const elements = named(values, options)
    this.#define({ device, name, label, group, state, type: 'def', kind: 'light', elements }, options)
  }

  blob(name: string): void {
    const options = { permission: 'ro', group: 'Image Info' } as const
    this.#define(
      { ...this.#head(name, options), type: 'def', kind: 'blob', elements: [{ name, label: name }] },
      options,
    )
  }

  number(property: string, element: string): number {
    const { definition } = this.#get(property)
    const found = definition.kind === 'number' ? definition.elements.find((item) => item.name === element) : undefined
    return found?.value ?? Number.NaN
  }

  /** The switch that is on, of a property where at most one is. */
  chosen(property: string): string | undefined {
    const { definition } = this.#get(property)
    return definition.kind === 'switch' ? definition.elements.find((item) => item.value)?.name : undefined
  }

  isOn(property: string, element: string): boolean {
    const { definition } = this.#get(property)
    return definition.kind === 'switch' && definition.elements.some((item) => item.name === element && item.value)
  }

  /** New values, state and message of a property, told to all clients. */
  update(
    property: string,
    values: Values<string | number | boolean>,
    state: PropertyState = 'Ok',
    message?: string,
  ): void {
    const held = this.#get(property)
    const { definition } = held
    if (definition.kind === 'blob') return
    const elements = definition.elements.map((item) => ({ ...item, value: values[item.name] ?? item.value }))
    held.definition = { ...definition, state, elements } as DefMessage
    const told = elements.map((item) => ({ name: item.name, value: item.value }))
    const { kind } = definition
    this.#publish({
      type: 'set',
      kind,
      device: this.name,
      name: property,
      state,
      message,
      elements: told,
    } as SetMessage)
  }

  sendBlob(property: string, format: string, bytes: Uint8Array): void {
    const elements = [{ name: property, format, sizeBytes: bytes.length, bytes }]
    this.#publish({ type: 'set', kind: 'blob', device: this.name, name: property, state: 'Ok', elements })
  }

  say(message: string): void {
    this.#publish({ type: 'message', device: this.name, message })
  }

  receive(message: NewMessage): void {
    if (this.#silent) return
    const property = this.#properties.get(message.name)
    if (!property?.onNew || !(property.always || this.#connected)) return
    const { definition } = property
    if (definition.kind === 'light' || definition.kind === 'blob') return
    if (definition.kind !== message.kind) return
    const values: Values<string | number | boolean> = Object.fromEntries(
      message.elements.map((item) => [item.name, item.value]),
    )
    const problem = this.#refusals.get(message.name) ?? check(definition, values)
    if (problem !== undefined) {
      this.say(`[ERROR] ${message.name}: ${problem}`)
      return this.update(message.name, {}, 'Alert', problem)
    }
    property.onNew(
      (definition.kind === 'switch' ? settled(definition, values as Values<boolean>) : values) as Values<never>,
    )
  }

  #head<T>(name: string, options: Options<T>): Omit<DefText, 'type' | 'kind' | 'elements'> {
    const { group = 'Main Control', permission = 'rw', state = 'Idle' } = options
    const label = options.label ?? name
    return { device: this.name, name, label, group, state, permission, timeoutSeconds: 60 }
  }

  #define<T>(definition: DefMessage, options: Options<T>): void {
    const always = options.always === true
    this.#properties.set(definition.name, { definition, always, onNew: options.onNew as Property['onNew'] })
    if (always || this.#connected) this.#publish(definition)
  }

  #get(name: string): Property {
    const property = this.#properties.get(name)
    if (!property) throw new TypeError(`${this.name} has no ${name}`)
    return property
  }

  #connect(connect: boolean): void {
    const changed = connect !== this.#connected
    this.#connected = connect
    this.update('CONNECTION', { CONNECT: connect, DISCONNECT: !connect }, connect ? 'Ok' : 'Idle')
    if (!changed) return
    for (const property of this.#properties.values()) {
      if (property.always) continue
      if (connect) this.#publish(property.definition)
      else this.#publish({ type: 'delProperty', device: this.name, name: property.definition.name })
    }
    this.#onConnection(connect)
  }
}

function named<T>(
  values: Values<T>,
  { labels }: { readonly labels?: Readonly<Record<string, string>> },
): { name: string; label: string; value: T }[] {
  return Object.entries(values).map(([name, value]) => ({ name, label: labels?.[name] ?? name, value }))
}

/** What libindi refuses: unknown elements, values out of limits or not a number, switches against their rule. */
function check(
  definition: Exclude<DefMessage, { kind: 'light' | 'blob' }>,
  values: Values<string | number | boolean>,
): string | undefined {
  const known = new Map<string, unknown>(definition.elements.map((item) => [item.name, item]))
  for (const name of Object.keys(values)) if (!known.has(name)) return `there is no ${name}`
  if (definition.kind === 'number') return checkNumbers(definition, values as Values<number>)
  if (definition.kind === 'switch') return checkSwitches(definition, values as Values<boolean>)
  return undefined
}

function checkNumbers(definition: DefNumber, values: Values<number>): string | undefined {
  for (const [name, value] of Object.entries(values)) {
    const { min, max } = definition.elements.find((item) => item.name === name) as NumberDefinition
    if (!Number.isFinite(value)) return `${name} is not a number`
    if (min < max && (value < min || value > max)) return `${name} ${value} is out of range ${min} to ${max}`
  }
  return undefined
}

function checkSwitches(definition: DefSwitch, values: Values<boolean>): string | undefined {
  const on = Object.values(settled(definition, values)).filter(Boolean).length
  if (definition.rule === 'OneOfMany' && on !== 1) return 'exactly one switch must be on'
  if (definition.rule === 'AtMostOne' && on > 1) return 'at most one switch may be on'
  return undefined
}

/** Every switch of the property after this change: under a one-of rule, turning one on turns the others off. */
function settled(definition: DefSwitch, values: Values<boolean>): Values<boolean> {
  const exclusive = definition.rule !== 'AnyOfMany' && Object.values(values).some(Boolean)
  return Object.fromEntries(
    definition.elements.map((item) => [item.name, values[item.name] ?? (exclusive ? false : item.value)]),
  )
}

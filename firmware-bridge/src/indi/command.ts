/** A change that a client asks for: checked against the property before it is sent, and judged by what comes back. */
import type { NewMessage, NumberDefinition } from './messages.ts'
import type { NumberProperty, Property, SwitchProperty } from './properties.ts'

export type Value = string | number | boolean
export type Values = Readonly<Record<string, Value>>

/** `wait`: not decided yet. */
export type Verdict = 'wait' | 'done' | { readonly refused: string }

/** Decides from the property as the device told it after the command. */
export type Judge = (property: Property, asked: Values) => Verdict

const refused = (reason: string): { readonly refused: string } => ({ refused: reason })

/**
 * The `new` message with every element of the vector filled in (drivers may take a missing one as zero), or why it would
 * be wrong to send it: an unknown element starts an exposure with the old value, and NaN is Busy for ever (both measured
 * with libindi's CCD simulator).
 */
export function createCommand(property: Property, values: Values): NewMessage | { readonly refused: string } {
  const where = `${property.device}.${property.name}`
  const unknown = Object.keys(values).find((name) => !property.elements.some((element) => element.name === name))
  if (unknown !== undefined) return refused(`${where} has no element ${unknown}`)
  const head = { type: 'new', device: property.device, name: property.name } as const
  switch (property.kind) {
    case 'light':
    case 'blob':
      return refused(`${where} cannot be set`)
    case 'text':
      if (property.permission === 'ro') return refused(`${where} is read-only`)
      for (const [name, value] of Object.entries(values)) {
        if (hasControlCharacter(String(value))) return refused(`${where}.${name} must not contain control characters`)
      }
      return {
        ...head,
        kind: 'text',
        elements: property.elements.map(({ name, value }) => ({ name, value: String(values[name] ?? value) })),
      }
    case 'number': {
      if (property.permission === 'ro') return refused(`${where} is read-only`)
      const wrong = wrongNumber(property, values)
      if (wrong) return refused(`${where}.${wrong}`)
      const elements = property.elements.map(({ name, value }) => ({ name, value: Number(values[name] ?? value) }))
      return { ...head, kind: 'number', elements: elements.filter(({ value }) => Number.isFinite(value)) }
    }
    case 'switch':
      if (property.permission === 'ro') return refused(`${where} is read-only`)
      return switchCommand(property, values)
  }
}

/** Every switch of the vector, after the rule has been kept: what breaks it is not sent. */
function switchCommand(property: SwitchProperty, values: Values): NewMessage | { readonly refused: string } {
  const { device, name, rule } = property
  const wrong = Object.entries(values).find(([, value]) => typeof value !== 'boolean')
  if (wrong) return refused(`${device}.${name}.${wrong[0]} is a switch: true or false, not ${wrong[1]}`)
  const elements = switchElements(property, values)
  const on = elements.filter(({ value }) => value).length
  if (rule === 'OneOfMany' && on !== 1 && elements.length > 1) {
    return refused(`${device}.${name}: exactly one switch must be on, not ${on}`)
  }
  if (rule !== 'AnyOfMany' && on > 1) return refused(`${device}.${name}: at most one switch may be on, not ${on}`)
  return { type: 'new', kind: 'switch', device, name, elements }
}

/** Drivers pass such bytes on to every client and save them, and a strict client or the driver's next start fails on them. */
function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 32 && code !== 9 && code !== 10) return true
  }
  return false
}

function wrongNumber(property: NumberProperty, values: Values): string | undefined {
  for (const element of property.elements) {
    const value = values[element.name]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isFinite(value)) return `${element.name} = ${value} is not a finite number`
    if (!inRange(element, value)) return `${element.name} = ${value} is outside ${element.min} to ${element.max}`
  }
  return undefined
}

/** min = max, or max < min, means no limits. */
function inRange({ min, max }: NumberDefinition, value: number): boolean {
  if (!(max > min)) return true
  const slack = 1e-9 * Math.max(Math.abs(min), Math.abs(max))
  return value >= min - slack && value <= max + slack
}

/** With at most one switch on, turning one on turns the others off. */
function switchElements(property: SwitchProperty, values: Values): { name: string; value: boolean }[] {
  const exclusive = property.rule !== 'AnyOfMany' && Object.values(values).some((value) => value === true)
  return property.elements.map(({ name, value }) => ({
    name,
    value: name in values ? values[name] === true : exclusive ? false : value,
  }))
}

/** True when the property holds what was asked for; numbers may be rounded by the device's own format or step. */
export function holds(property: Property, asked: Values): boolean {
  return Object.entries(asked).every(([name, value]) => {
    const element = property.elements.find((item) => item.name === name)
    if (!element || !('value' in element)) return false
    if (property.kind !== 'number') return element.value === value
    const { step } = element as NumberDefinition
    const tolerance = Math.max(1e-6 * Math.abs(Number(value)), 1e-6, step > 0 && step < 1 ? step / 2 : 0)
    return Math.abs(Number(element.value) - Number(value)) <= tolerance
  })
}

/**
 * The usual judge: Alert refuses, Busy waits, and then the values decide, because a driver may answer Ok and keep the old
 * ones.
 */
export const judgeValues: Judge = (property, asked) => {
  if (property.state === 'Alert') return refused('the device reports Alert')
  if (property.state === 'Busy') return 'wait'
  return holds(property, asked) ? 'done' : refused(`the device kept ${describeValues(property, asked)}`)
}

/** For switches that stay Busy while they are on (tracking), and values that take time (a cooler's set point). */
export const judgeAccepted: Judge = (property) =>
  property.state === 'Alert' ? refused('the device reports Alert') : 'done'

function describeValues(property: Property, asked: Values): string {
  const held = property.elements.filter((element) => element.name in asked && 'value' in element)
  return held.map((element) => `${element.name} = ${'value' in element ? element.value : ''}`).join(', ')
}

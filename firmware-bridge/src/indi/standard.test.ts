import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseTape } from '../wire/tape.ts'
import { createDecoder } from './decode.ts'
import type { DefMessage, DefNumber } from './messages.ts'
import { describeProperty, labelUnit, standardProperties, standardProperty, unitOf } from './standard.ts'

const tapes = fileURLToPath(new URL('../../tapes/', import.meta.url))

/** Every definition that Debian's drivers sent while the tapes were recorded. */
function definitions(): DefMessage[] {
  const found: DefMessage[] = []
  for (const file of globSync('indi-*.jsonl', { cwd: tapes })) {
    const decoder = createDecoder({
      onMessage: (message) => message.type === 'def' && found.push(message),
      onFault: () => undefined,
    })
    for (const { direction, bytes } of parseTape(readFileSync(tapes + file, 'utf8')).entries) {
      if (direction === 'in') decoder.feed(bytes)
    }
  }
  return found
}

describe('the table of standard properties', () => {
  it('has the kinds of vectors and the elements that Debian’s drivers have', () => {
    const wrong = new Set<string>()
    let compared = 0
    for (const definition of definitions()) {
      const known = standardProperty(definition.name)
      if (!known) continue
      compared++
      if (known.type !== definition.kind) wrong.add(`${definition.name} is a ${definition.kind}`)
      for (const { name } of definition.elements) {
        if (!(name in known.elements) && known.more === undefined) wrong.add(`${definition.name}.${name}`)
      }
    }
    expect([...wrong]).toEqual([])
    expect(compared).toBeGreaterThan(200)
  })

  it('names a unit for every number, but for counts and the devices’ own steps', () => {
    const bare = Object.entries(standardProperties)
      .filter(([, { type }]) => type === 'number')
      .flatMap(([name, { elements }]) =>
        Object.entries(elements).flatMap(([element, [unit]]) => (unit === '' ? [`${name}.${element}`] : [])),
      )
    expect(bare.sort()).toEqual([
      'DOME_SPEED.DOME_SPEED_VALUE',
      'FILTER_SLOT.FILTER_SLOT_VALUE',
      'FOCUS_SPEED.FOCUS_SPEED_VALUE',
      'RECEIVER_SETTINGS.RECEIVER_ANTENNA',
      'RECEIVER_SETTINGS.RECEIVER_GAIN',
      'SKY_QUALITY.SENSOR_COUNTS',
      'STREAMING_EXPOSURE.STREAMING_DIVISOR_VALUE',
      'WEATHER_PARAMETERS.WEATHER_FORECAST',
      'WEATHER_PARAMETERS.WEATHER_RAIN',
    ])
  })

  it('gives units to the elements of ports that have no names of their own', () => {
    expect(unitOf('POWER_CURRENTS', 'POWER_CHANNEL_7')).toBe('A')
    expect(unitOf('EQUATORIAL_EOD_COORD', 'RA')).toBe('h')
    expect(unitOf('HARRYS_OWN', 'THING', 'Tension (kN)')).toBe('kN')
    expect(unitOf('HARRYS_OWN', 'THING', 'Tension')).toBe('')
    expect(labelUnit('Noise [dB]')).toBe('dB')
  })

  it('describes a property that it does not know from its own labels', () => {
    const number = { format: '%g', min: 0, max: 0, step: 0, value: 1 }
    const unknown: DefNumber & { atMs: number } = {
      type: 'def',
      kind: 'number',
      device: 'X',
      name: 'HARRYS_OWN',
      label: 'Harry’s',
      group: '',
      state: 'Ok',
      permission: 'ro',
      timeoutSeconds: 0,
      elements: [{ name: 'A', label: 'Tension (kN)', ...number }],
      atMs: 0,
    }
    expect(describeProperty(unknown)).toEqual({
      label: 'Harry’s',
      meaning: '',
      kinds: [],
      elements: [{ name: 'A', label: 'Tension (kN)', unit: 'kN', meaning: '' }],
    })
    expect(standardProperty('constructor')).toBeUndefined()
  })
})

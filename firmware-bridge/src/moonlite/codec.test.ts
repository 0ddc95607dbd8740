import { describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import {
  decodeMoonlite,
  encodeMoonlite,
  formatMoonlite,
  type MoonliteCommand,
  moonliteQueries,
  parseMoonlite,
} from './codec.ts'

describe('Moonlite’s protocol', () => {
  // As indi_moonlite_focus and a real controller exchange them (the tape in tapes/ has the driver's half).
  it('writes hexadecimal, and temperatures and coefficients in halves with a sign', () => {
    expect(encodeMoonlite({ type: 'setTarget', steps: 1500 })).toBe(':SN05DC#')
    expect(encodeMoonlite({ type: 'setCoefficient', halfSteps: -5 })).toBe(':SCFB#')
    expect(parseMoonlite('temperature', '0014#')).toBe(10)
    expect(parseMoonlite('temperature', 'FFF9#')).toBe(-3.5)
    expect(parseMoonlite('position', '05DC#')).toBe(1500)
    expect(parseMoonlite('moving', '01#')).toBe(1)
    expect(parseMoonlite('halfStep', 'FF#')).toBe(255)
    expect(formatMoonlite('temperature', -3.5)).toBe('FFF9#')
  })

  it('refuses the answer of another question', () => {
    expect(parseMoonlite('position', '01#')).toBeUndefined()
    expect(parseMoonlite('moving', '05DC#')).toBeUndefined()
    expect(parseMoonlite('position', '05 C#')).toBeUndefined()
    expect(parseMoonlite('position', '#')).toBeUndefined()
  })

  it('reads back what it writes', () => {
    const commands: MoonliteCommand[] = [
      ...Object.keys(moonliteQueries).map((what) => ({ type: 'query', what }) as MoonliteCommand),
      { type: 'setTarget', steps: 65535 },
      { type: 'setPosition', steps: 0 },
      { type: 'go' },
      { type: 'halt' },
      { type: 'measureTemperature' },
      { type: 'setHalfStep', on: true },
      { type: 'setHalfStep', on: false },
      { type: 'compensate', on: true },
      { type: 'compensate', on: false },
      { type: 'setSpeed', speed: 0x20 },
      { type: 'setCoefficient', halfSteps: -128 },
      { type: 'setTemperatureOffset', halfDegrees: 3 },
    ]
    for (const command of commands) expect(decodeMoonlite(encodeMoonlite(command).slice(1, -1))).toEqual(command)
  })

  it('takes noise for nothing', () => {
    const random = createRandom('moonlite noise')
    for (let n = 0; n < 100_000; n++) {
      const text = String.fromCharCode(...Array.from({ length: random.integer(7) }, () => random.integer(256)))
      const value = parseMoonlite('position', text)
      if (value !== undefined) expect(text).toMatch(/^[0-9A-Fa-f]{4}#?$/)
      decodeMoonlite(text)
    }
  })
})

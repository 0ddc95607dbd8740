/** A Moonlite controller with its motor; Debian's indi_moonlite_focus takes it for one. It needs no timer. */
import type { Clock } from '../clock.ts'
import {
  decodeMoonlite,
  formatMoonlite,
  type MoonliteCommand,
  type MoonliteQuery,
  mostMoonliteSteps,
} from '../moonlite/codec.ts'
import { createLineReader, toBytes } from '../wire/line.ts'
import type { Accept } from '../wire/serialServe.ts'
import type { Wire } from '../wire/wire.ts'

export interface MoonliteSimulatorOptions {
  readonly clock: Clock
  readonly startSteps?: number
  readonly temperatureC?: number
  /** A real one makes 250 at its fastest. */
  readonly stepsPerSecond?: number
}

export interface MoonliteTrouble {
  readonly silent?: boolean
  /** So many of the next commands are lost on the way. */
  readonly loses?: number
  /** Stops there. */
  readonly jamsAtSteps?: number
}

export interface MoonliteSimulator {
  readonly accept: Accept
  steps(): number
  moving(): boolean
  temperature(degreesC: number): void
  trouble(what: MoonliteTrouble): void
  readonly heard: readonly string[]
}

const longestCommandBytes = 16
const mostHeard = 10_000

export function createMoonliteSimulator(options: MoonliteSimulatorOptions): MoonliteSimulator {
  const { clock, stepsPerSecond = 250 } = options
  const heard: string[] = []
  let trouble: MoonliteTrouble = {}
  let lost = 0
  let position = options.startSteps ?? 5_000
  let target = position
  let [halfStep, speed, coefficient, offset] = [false, 0x02, 0, 0]
  let temperatureC = options.temperatureC ?? 10
  let going = false
  let updatedAt = clock.monotonic()

  function advance(): void {
    const now = clock.monotonic()
    const seconds = (now - updatedAt) / 1000
    updatedAt = now
    if (!going) return
    const reach = ((stepsPerSecond * 2) / speed) * seconds
    const way = target - position
    position += Math.sign(way) * Math.min(Math.abs(way), reach)
    const jam = trouble.jamsAtSteps
    if (jam !== undefined && Math.sign(way) * (position - jam) >= 0) [position, going] = [jam, false]
    if (position === target) going = false
  }

  const values: Readonly<Record<MoonliteQuery, () => number>> = {
    position: () => Math.round(position),
    target: () => target,
    moving: () => (going ? 1 : 0),
    temperature: () => temperatureC + offset / 2,
    halfStep: () => (halfStep ? 0xff : 0),
    speed: () => speed,
    firmware: () => 0x13,
    coefficient: () => coefficient / 2,
    backlight: () => 0x3d,
  }

  function obey(command: MoonliteCommand): void {
    switch (command.type) {
      case 'setTarget':
        target = Math.min(mostMoonliteSteps, command.steps)
        return
      case 'setPosition':
        position = Math.min(mostMoonliteSteps, command.steps)
        target = position
        return
      case 'go':
        going = position !== target
        return
      case 'halt':
        going = false
        position = Math.round(position)
        target = position
        return
      case 'setHalfStep':
        halfStep = command.on
        return
      case 'setSpeed':
        speed = command.speed || 0x02
        return
      case 'setCoefficient':
        coefficient = command.halfSteps
        return
      case 'setTemperatureOffset':
        offset = command.halfDegrees
        return
      default:
    }
  }

  function hear(text: string, wire: Wire): void {
    advance()
    const command = decodeMoonlite(text)
    if (heard.length < mostHeard) heard.push(command.type === 'query' ? command.what : command.type)
    if (lost < (trouble.loses ?? 0)) {
      lost++
      return
    }
    if (command.type !== 'query') return obey(command)
    if (trouble.silent) return
    const reply = formatMoonlite(command.what, values[command.what]())
    void wire.write(toBytes(reply)).catch(() => undefined)
  }

  return {
    heard,
    accept(open) {
      const reader = createLineReader({
        terminators: '#',
        mostBytes: longestCommandBytes,
        onLine: (line) => hear(line.slice(line.lastIndexOf(':') + 1), wire),
      })
      const wire = open({ onBytes: (bytes) => reader.push(bytes), onClose: () => reader.reset() })
    },
    steps() {
      advance()
      return Math.round(position)
    },
    moving() {
      advance()
      return going
    },
    temperature(degreesC) {
      temperatureC = degreesC
    },
    trouble(what) {
      trouble = what
      lost = 0
    },
  }
}

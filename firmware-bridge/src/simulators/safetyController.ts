/**
 * The safety controller without its hardware: the firmware's protocol on any wire and its state machine, over a roof that
 * takes its time from end to end. Steps of 10 ms are worked off in one go when somebody looks, so a night costs little.
 */
import type { Clock } from '../clock.ts'
import { createLineReader, encodeLine, mostRequestBytes } from '../safety-controller/codec.ts'
import { protocolVersion, type ResetCause, type SettingName } from '../safety-controller/commands.ts'
import type { Accept } from '../wire/serialServe.ts'
import type { Wire } from '../wire/wire.ts'
import {
  answerRequest,
  type ControllerMemory,
  memoryAfterReset,
  roofWords,
  startMemory,
} from './safetyControllerAnswers.ts'
import { type RoofMotor, stepRoof, stepsPerSecond } from './safetyControllerRoof.ts'

/** The world around the controller. */
export interface ControllerSurroundings {
  readonly rain: boolean
  readonly mainsLost: boolean
  readonly parked: boolean
  /** What the motor draws while it runs. */
  readonly motorAmps: number
  readonly outsideC: number
  readonly insideC: number
  readonly humidityPercent: number
  /** The contact reads so whatever the roof does. */
  readonly openSwitch?: boolean | undefined
  readonly closedSwitch?: boolean | undefined
}

export interface SafetyControllerSimulatorOptions {
  readonly clock: Clock
  /** From end to end; 20 s by default. */
  readonly travelSeconds?: number
  /** How often it works off its steps by itself, and so how late an event comes at most. */
  readonly tickMs?: number
  readonly settings?: Partial<Record<SettingName, number>>
  /** Another than ours, to see what a client says. */
  readonly protocol?: number
  /** 0 closed, 1 open. */
  readonly startsAt?: number
}

export interface SafetyControllerSimulator extends AsyncDisposable {
  readonly accept: Accept
  set(change: Partial<ControllerSurroundings>): void
  /** Where the roof stands now, 0 closed to 1 open, and what the motor does. */
  roof(): { readonly position: number; readonly motor: RoofMotor }
  /** As the chip resets: the EEPROM and the roof stay as they are. */
  reset(cause: ResetCause): void
  /** Pulls the cable of every client. */
  unplug(): Promise<void>
}

const calm: ControllerSurroundings = {
  rain: false,
  mainsLost: false,
  parked: true,
  motorAmps: 3,
  outsideC: 10,
  insideC: 10,
  humidityPercent: 60,
}

export function createSafetyControllerSimulator(options: SafetyControllerSimulatorOptions): SafetyControllerSimulator {
  const { clock, travelSeconds = 20, tickMs = 500, protocol = protocolVersion } = options
  const over = new AbortController()
  const wires = new Set<Wire>()
  let memory = startMemory(protocol, options.settings ?? {})
  let surroundings = calm
  let position = options.startsAt ?? 0
  let steppedToMs = clock.monotonic()
  let told = ''

  const inputs = (): ControllerMemory['inputs'] => ({
    atOpen: surroundings.openSwitch ?? position >= 1,
    atClosed: surroundings.closedSwitch ?? position <= 0,
    rain: surroundings.rain,
    mainsLost: surroundings.mainsLost,
    parked: surroundings.parked,
    overCurrent: overCurrent(),
    heartbeat: memory.heartbeat,
  })

  function milliamps(): number {
    return memory.roof.motor === 'still' ? 0 : Math.round(surroundings.motorAmps * 1000)
  }

  function overCurrent(): boolean {
    const limit = memory.settings['over-ma']
    return limit > 0 && milliamps() > limit
  }

  function step(): void {
    memory.inputs = inputs()
    memory.heartbeat = false
    stepRoof(memory.limits, memory.roof, memory.inputs)
    memory.steps++
    const perStep = 1 / (travelSeconds * stepsPerSecond)
    if (memory.roof.motor === 'opening') position = Math.min(1, position + perStep)
    if (memory.roof.motor === 'closing') position = Math.max(0, position - perStep)
    tell()
  }

  function tell(): void {
    const news = roofWords(memory)
    // What the roof waits for is told with the rest, but its change alone is no news.
    const key = news.filter((_, index) => index !== 3).join(' ')
    if (key !== told) send(`!ROOF ${news.join(' ')}`)
    told = key
  }

  function send(body: string): void {
    for (const wire of wires) wire.write(encodeLine(body)).catch(() => undefined)
  }

  const stepMs = 1000 / stepsPerSecond
  function catchUp(): void {
    const nowMs = clock.monotonic()
    for (; steppedToMs + stepMs <= nowMs; steppedToMs += stepMs) step()
    memory.readings = {
      milliamps: milliamps(),
      outsideC: surroundings.outsideC,
      insideC: surroundings.insideC,
      humidityPercent: surroundings.humidityPercent,
    }
  }

  function reset(cause: ResetCause): void {
    catchUp()
    memory = memoryAfterReset(memory, cause)
    told = ''
    send(`!BOOT ${memory.identity.join(' ')}`)
  }

  const accept: Accept = (open) => {
    const reader = createLineReader(mostRequestBytes)
    const wire = open({
      onBytes(bytes) {
        for (const body of reader.push(bytes)) {
          catchUp()
          const reply = answerRequest(memory, body, reader.bad)
          if (reply !== undefined) wire.write(encodeLine(reply)).catch(() => undefined)
        }
      },
      onClose: () => void wires.delete(wire),
    })
    wires.add(wire)
  }

  async function run(): Promise<void> {
    while (!over.signal.aborted) {
      catchUp()
      await clock.sleep(tickMs, over.signal).catch(() => undefined)
    }
  }

  const unplug = async (): Promise<void> => {
    await Promise.all([...wires].map((wire) => wire.close()))
  }

  const running = run()
  return {
    accept,
    set(change) {
      catchUp()
      surroundings = { ...surroundings, ...change }
    },
    roof() {
      catchUp()
      return { position, motor: memory.roof.motor }
    },
    reset,
    unplug,
    async [Symbol.asyncDispose]() {
      over.abort(new Error('disposed'))
      await running
      await unplug()
    },
  }
}

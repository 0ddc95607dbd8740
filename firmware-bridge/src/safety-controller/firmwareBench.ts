/** A test bench for the firmware in simavr: lines on its wire, and time that moves in small steps until it answers. */
import type { VirtualClock } from '../clock.ts'
import { NightjarError } from '../errors.ts'
import type { Wire } from '../wire/wire.ts'
import { createLineReader, encodeLine } from './codec.ts'
import type { MotorChange, Simavr } from './simavr.ts'
import { startSimavr } from './simavr.ts'

export interface FirmwareBench extends AsyncDisposable {
  readonly chip: Simavr
  readonly wire: Wire
  /** Events and replies, all since the start. */
  readonly lines: readonly string[]
  /** Bytes that came but were no right lines. */
  readonly badLines: () => number
  /** The chip's time, ms. */
  now(): number
  run(ms: number): Promise<void>
  /** Sends a request and lets time pass until its reply; gives that without mark and number refused or not. */
  ask(words: string): Promise<string>
  /** Runs on with a heartbeat every two seconds. */
  watchedFor(ms: number): Promise<void>
  /** What the motor does now. */
  motor(): MotorChange['motor']
  /** When the motor changed to that, after `sinceMs`; throws when it did not. */
  since(motor: MotorChange['motor'], sinceMs: number): number
}

const answerMs = 800
const stepMs = 10
const heartbeatMs = 2_000

export async function openFirmwareBench(host: string, elf: string): Promise<FirmwareBench> {
  const chip = await startSimavr(host, elf)
  const reader = createLineReader()
  const lines: string[] = []
  const wire = await chip.connect({
    onBytes: (bytes) => void lines.push(...reader.push(bytes)),
    onClose: () => undefined,
  })
  let nowMs = 0
  let sequence = 0

  async function run(ms: number): Promise<void> {
    nowMs = await chip.run(ms)
  }

  async function ask(words: string): Promise<string> {
    sequence = (sequence + 1) & 0xff
    const number = sequence.toString(16).toUpperCase().padStart(2, '0')
    await wire.write(encodeLine(`@${number} ${words}`))
    for (let waited = 0; waited < answerMs; waited += stepMs) {
      await run(stepMs)
      const reply = lines.find((line) => line.startsWith(`=${number} `) || line.startsWith(`?${number} `))
      if (!reply) continue
      lines.splice(lines.indexOf(reply), 1)
      return reply[0] + reply.slice(3)
    }
    throw new NightjarError('bench/silent', `no reply to ${words} within ${answerMs} ms`)
  }

  const bench: FirmwareBench = {
    chip,
    wire,
    lines,
    badLines: () => reader.bad,
    now: () => nowMs,
    run,
    ask,
    async watchedFor(ms) {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        await ask('HEART')
        if (nowMs < endMs) await run(Math.min(heartbeatMs, endMs - nowMs))
      }
    },
    motor: () => chip.motor.at(-1)?.motor ?? 'still',
    since(motor, sinceMs) {
      const change = chip.motor.find((one) => one.ms >= sinceMs && one.motor === motor)
      if (!change) throw new NightjarError('bench/motor', `the motor was not ${motor} after ${sinceMs} ms`)
      return change.ms
    },
    async [Symbol.asyncDispose]() {
      await wire.close()
      await chip.kill()
    },
  }
  return bench
}

/** Greeted, watched, and the roof open after its real way. The roof takes 2 s from end to end. */
export async function openedBench(host: string, elf: string): Promise<FirmwareBench> {
  const bench = await openFirmwareBench(host, elf)
  bench.chip.tell('ROOF 2000 0')
  await bench.run(2_100)
  await expectReply(bench, 'HELLO 1', '= HELLO 1 1.0.0 power defaults')
  await expectReply(bench, 'HEART', '= HEART')
  await expectReply(bench, 'OPEN', '= OPEN')
  // 2 s of way and 1 s of break.
  await bench.run(3_500)
  return bench
}

async function expectReply(bench: FirmwareBench, words: string, reply: string): Promise<void> {
  const got = await bench.ask(words)
  if (got !== reply) throw new NightjarError('bench/reply', `${words} was answered ${got}, not ${reply}`)
}

const paceStepMs = 50

/** Lets the chip and a client on a virtual clock go on together. */
export async function paceChip(chip: Simavr, clock: VirtualClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= paceStepMs) {
    const step = Math.min(paceStepMs, left)
    await chip.run(step)
    await clock.advance(step)
  }
}

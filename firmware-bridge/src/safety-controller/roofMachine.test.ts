import { execFile, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../random.ts'
import { findProgram } from '../simulators/realPeers.ts'
import {
  obeyRoof,
  type RoofCommand,
  type RoofInputs,
  type RoofLimits,
  roofDemand,
  roofWait,
  startRoof,
  stepRoof,
} from '../simulators/safetyControllerRoof.ts'
import { type FirmwareBuild, openFirmwareBuild } from './simavr.ts'

const run = promisify(execFile)
const sources = fileURLToPath(new URL('../../firmware/', import.meta.url))
const hasGcc = findProgram('gcc') !== undefined
if (!hasGcc) console.log('skipped: no gcc (apt-get install gcc libc6-dev)')

/** A roof.c with one thought forgotten, and the rule that must find it out. */
const mistakes: readonly (readonly [string, string, string])[] = [
  ['the mount is not looked at', 'return in->parked ||', 'return true ||'],
  ['opening does not stop when the mount leaves', '(demand || !in->parked || in->at_open)', '(demand || in->at_open)'],
  ['opening goes on in rain', '(demand || !in->parked || in->at_open)', '(!in->parked || in->at_open)'],
  ['no break between the directions', 'roof->pause = limits->pause;', ''],
  [
    'the motor reverses at once',
    'if (roof->motor != MOTOR_STILL) {\n    roof->motor = MOTOR_STILL;',
    'if (roof->motor != MOTOR_STILL) {\n    roof->motor = wanted;',
  ],
  [
    'both switches are no fault',
    'if (in->at_open && in->at_closed) return FAULT_BOTH_SWITCHES;\n  if (roof->motor',
    'if (roof->motor',
  ],
  ['no motor time-out', 'if (roof->run >= limits->travel) return FAULT_MOTOR_TIMEOUT;', ''],
  ['no over-current', 'if (roof->over >= limits->over) return FAULT_OVER_CURRENT;', ''],
  ['the fault is not latched', 'if (roof->fault == FAULT_NONE) roof->fault =', 'roof->fault ='],
  [
    'the closed switch does not stop it',
    'if (roof->order == ORDER_CLOSE && in->at_closed) roof->order = ORDER_NONE;',
    '',
  ],
  ['a STOP holds for ever', 'if (roof->hold == 0) roof->hold', 'roof->hold'],
  ['rain does not close', 'if (in->rain) demand |= DEMAND_RAIN;', ''],
  ['a lost mains does not close', 'if (in->mains_lost && roof->mains >= limits->mains) demand', 'if (0) demand'],
  ['silence does not close', 'if (roof->silence >= limits->silence) demand |= DEMAND_SILENCE;', ''],
]

describe.skipIf(!hasGcc)('the roof’s state machine in C', () => {
  let build: FirmwareBuild
  beforeAll(() => {
    build = openFirmwareBuild()
  })
  afterAll(() => build?.[Symbol.dispose]())

  it('keeps every rule in every state that can be reached, under every input and command', async () => {
    const program = await build.native('enumerate', ['test/enumerate.c', 'roof.c'])
    const { stdout } = await run(program)
    console.log(stdout.trim())
    const counts = [...stdout.matchAll(/: (\d+) states, (\d+) transitions, 0 broken rules/g)]
    expect(counts).toHaveLength(3)
    expect(counts.reduce((sum, [, , transitions]) => sum + Number(transitions), 0)).toBeGreaterThan(5_000_000)
  })

  it.each(mistakes)('would not pass if %s', async (name, from, to) => {
    const right = readFileSync(join(sources, 'roof.c'), 'utf8')
    expect(right).toContain(from)
    const folder = join(build.folder, name.replaceAll(' ', '-'))
    mkdirSync(join(folder, 'test'), { recursive: true })
    writeFileSync(join(folder, 'roof.c'), right.replace(from, to))
    for (const file of ['roof.h', 'test/enumerate.c']) copyFileSync(join(sources, file), join(folder, file))
    const files = [join(folder, 'test/enumerate.c'), join(folder, 'roof.c')]
    const program = await build.native(join(folder.slice(dirname(folder).length + 1), 'enumerate'), files, [
      '-Wno-unused-function',
      '-Wno-unused-parameter',
    ])
    await expect(run(program)).rejects.toMatchObject({ code: 1, stdout: expect.stringMatching(/^broken: /) as string })
  })

  it('and the simulator’s are the same in each of 300 000 random steps', async () => {
    const program = await build.native('compare', ['test/compare.c', 'roof.c'])
    const sites: readonly RoofLimits[] = [
      { silence: 40, travel: 60, leave: 12, over: 5, inrush: 4, pause: 6, mains: 8, wet: 0, hold: 15 },
      { silence: 25, travel: 20, leave: 5, over: 3, inrush: 0, pause: 1, mains: 0, wet: 10, hold: 0 },
      { silence: 3000, travel: 6000, leave: 500, over: 20, inrush: 50, pause: 100, mains: 300, wet: 400, hold: 600 },
    ]
    const seen = new Set<string>()
    for (const [index, limits] of sites.entries()) {
      const history = randomHistory(`site ${index}`, 100_000)
      const expected = await feed(program, limits, history)
      const got = simulate(limits, history)
      const first = got.findIndex((line, step) => line !== expected[step])
      expect(first < 0 ? 'the same' : `step ${first}: ${got[first]} and not ${expected[first]}`).toBe('the same')
      for (const line of got) seen.add(line.split(' ').slice(1, 4).join(' '))
    }
    // Every motion and every fault was among them.
    for (const state of ['1 1 0', '2 2 0', '0 0 1', '0 0 2', '0 0 3', '0 0 4']) expect(seen).toContain(state)
  })
})

/** Two bytes a step: input bits, each of which changes now and then, and a command now and then. */
function randomHistory(seed: string, steps: number): Uint8Array {
  const random = createRandom(seed)
  const history = new Uint8Array(steps * 2)
  /** Chance in a thousand that a bit is set, and that it changes at all in a step. */
  const likely = [300, 300, 150, 150, 850, 150, 500]
  const changes = [40, 40, 10, 20, 10, 40, 100]
  let bits = 0x10
  for (let step = 0; step < steps; step++) {
    for (let bit = 0; bit < 7; bit++) {
      if (random.integer(1000) >= (changes[bit] ?? 0)) continue
      bits = random.integer(1000) < (likely[bit] ?? 0) ? bits | (1 << bit) : bits & ~(1 << bit)
    }
    // Both switches at once are rare, or there would be nothing but this fault.
    if ((bits & 3) === 3 && random.integer(20) > 0) bits &= ~(1 << random.integer(2))
    history[2 * step] = bits
    history[2 * step + 1] = random.integer(8) === 0 ? 1 + random.integer(4) : 0
  }
  return history
}

async function feed(program: string, limits: RoofLimits, history: Uint8Array): Promise<string[]> {
  const { silence, travel, leave, over, inrush, pause, mains, wet, hold } = limits
  const numbers = [silence, travel, leave, over, inrush, pause, mains, wet, hold].map(String)
  const child = spawn(program, numbers, { stdio: ['pipe', 'pipe', 'inherit'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (part: Buffer) => void parts.push(part))
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.stdin.end(history)
  await ended
  return Buffer.concat(parts).toString().trim().split('\n')
}

const motors = ['still', 'opening', 'closing']
const orders = ['none', 'open', 'close']
const faults = ['none', 'both-switches', 'motor-timeout', 'over-current', 'stuck-switch']
const waits = ['none', 'park', 'hold', 'pause']
const answers = ['ok', 'fault', 'rain', 'mains', 'silence', 'park']
const commands: readonly RoofCommand[] = ['OPEN', 'CLOSE', 'STOP', 'CLEAR']

function inputsOf(bits: number): RoofInputs {
  const bit = (n: number): boolean => (bits & (1 << n)) !== 0
  const [atOpen, atClosed, rain, mainsLost, parked, overCurrent, heartbeat] = [0, 1, 2, 3, 4, 5, 6].map(bit)
  return {
    atOpen: atOpen === true,
    atClosed: atClosed === true,
    rain: rain === true,
    mainsLost: mainsLost === true,
    parked: parked === true,
    overCurrent: overCurrent === true,
    heartbeat: heartbeat === true,
  }
}

function simulate(limits: RoofLimits, history: Uint8Array): string[] {
  const roof = startRoof(2)
  const lines: string[] = []
  let inputs = inputsOf(0)
  for (let at = 0; at < history.length; at += 2) {
    const command = commands[(history[at + 1] ?? 0) - 1]
    const answer = command ? answers.indexOf(obeyRoof(limits, roof, inputs, command)) : 0
    inputs = inputsOf(history[at] ?? 0)
    stepRoof(limits, roof, inputs)
    const { heard, silence, run: ran, over, pause, mains, wet, hold } = roof
    const words = [motors.indexOf(roof.motor), orders.indexOf(roof.order), faults.indexOf(roof.fault), Number(heard)]
    const last = [roofDemand(limits, roof, inputs), waits.indexOf(roofWait(limits, roof, inputs))]
    lines.push([answer, ...words, silence, ran, over, pause, mains, wet, hold, ...last].join(' '))
  }
  return lines
}

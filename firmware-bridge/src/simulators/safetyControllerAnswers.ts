/** The simulated controller's memory and its answers, as firmware/controller.c and firmware/answers.c give them. */
import { type ResetCause, type SettingName, settingNames } from '../safety-controller/commands.ts'
import {
  demandBits,
  obeyRoof,
  type RoofCommand,
  type RoofInputs,
  type RoofLimits,
  type RoofMachine,
  roofDemand,
  roofWait,
  startRoof,
  stepsPerSecond,
} from './safetyControllerRoof.ts'

/** Usual, least and most of each setting, as in firmware/settings.c; a test compares the two. */
export const settingRules: Readonly<Record<SettingName, readonly [number, number, number]>> = {
  'heartbeat-s': [30, 5, 30],
  'travel-s': [60, 2, 600],
  'leave-s': [5, 1, 60],
  'over-ma': [8000, 0, 20000],
  'over-ms': [200, 20, 2000],
  'inrush-ms': [500, 0, 3000],
  'pause-ms': [1000, 100, 10000],
  'mains-s': [3, 0, 600],
  'wet-s': [0, 0, 600],
  'hold-s': [60, 0, 300],
  invert: [0, 0, 31],
}

const settleSteps = 2 * stepsPerSecond
const firmware = '1.0.0'

export interface ControllerMemory {
  readonly protocol: number
  identity: readonly string[]
  /** The EEPROM has been written. */
  stored: boolean
  settings: Record<SettingName, number>
  limits: RoofLimits
  roof: RoofMachine
  inputs: RoofInputs
  heartbeat: boolean
  heartbeatLast: number
  greeted: boolean
  dewPercent: [number, number]
  steps: number
  readings: {
    readonly milliamps: number
    readonly outsideC: number
    readonly insideC: number
    readonly humidityPercent: number
  }
}

export function startMemory(protocol: number, changes: Partial<Record<SettingName, number>>): ControllerMemory {
  const usual = Object.fromEntries(settingNames.map((name) => [name, settingRules[name][0]]))
  const stored = Object.keys(changes).length > 0
  return freshMemory(protocol, { ...usual, ...changes } as Record<SettingName, number>, 'power', stored)
}

/** As the chip wakes up: only the EEPROM's settings are kept. */
export const memoryAfterReset = (memory: ControllerMemory, cause: ResetCause): ControllerMemory =>
  freshMemory(memory.protocol, memory.settings, cause, memory.stored)

function freshMemory(
  protocol: number,
  settings: Record<SettingName, number>,
  cause: ResetCause,
  stored: boolean,
): ControllerMemory {
  return {
    protocol,
    identity: [String(protocol), firmware, cause, stored ? 'first' : 'defaults'],
    stored,
    settings,
    limits: limitsOf(settings),
    roof: startRoof(settleSteps),
    inputs: {
      atOpen: false,
      atClosed: false,
      rain: false,
      mainsLost: false,
      parked: false,
      overCurrent: false,
      heartbeat: false,
    },
    heartbeat: false,
    heartbeatLast: -1,
    greeted: false,
    dewPercent: [0, 0],
    steps: 0,
    readings: { milliamps: 0, outsideC: 10, insideC: 10, humidityPercent: 60 },
  }
}

function limitsOf(settings: Readonly<Record<SettingName, number>>): RoofLimits {
  const seconds = (name: SettingName): number => settings[name] * stepsPerSecond
  const milliseconds = (name: SettingName): number => Math.floor((settings[name] + 9) / 10)
  return {
    silence: seconds('heartbeat-s'),
    travel: seconds('travel-s'),
    leave: seconds('leave-s'),
    over: milliseconds('over-ms'),
    inrush: milliseconds('inrush-ms'),
    pause: milliseconds('pause-ms'),
    mains: seconds('mains-s'),
    wet: seconds('wet-s'),
    hold: seconds('hold-s'),
  }
}

const demandOf = (memory: ControllerMemory): number => roofDemand(memory.limits, memory.roof, memory.inputs)
const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0')

function positionWord({ atOpen, atClosed }: RoofInputs): string {
  if (atOpen && atClosed) return 'both'
  if (atOpen) return 'open'
  return atClosed ? 'closed' : 'between'
}

function inputBits(inputs: RoofInputs): number {
  const order = [inputs.atOpen, inputs.atClosed, inputs.rain, inputs.mainsLost, inputs.parked, inputs.overCurrent]
  return order.reduce((bits, on, index) => bits | (on ? 1 << index : 0), 0)
}

/** The words that STATE begins with and the event ROOF has. */
export function roofWords(memory: ControllerMemory): string[] {
  const { roof, inputs, limits } = memory
  return [
    positionWord(inputs),
    roof.motor,
    roof.fault,
    roofWait(limits, roof, inputs),
    hex(demandOf(memory)),
    hex(inputBits(inputs)),
  ]
}

/** The body of the reply to a request's body; undefined when that is no request. */
export function answerRequest(memory: ControllerMemory, body: string, badLines: number): string | undefined {
  const match = /^@([0-9A-F]{2})((?: [^ ]+){1,4})$/.exec(body)
  if (!match) return undefined
  const sequence = Number.parseInt(match[1] ?? '', 16)
  const [verb = '', ...words] = (match[2] ?? '').slice(1).split(' ')
  const answer = verb === 'HELLO' ? answerHello(memory, words) : answerGreeted(memory, verb, words, sequence, badLines)
  const mark = answer.refused ? '?' : '='
  return [`${mark}${match[1]}`, verb, ...answer.words].join(' ')
}

interface Words {
  readonly refused: boolean
  readonly words: readonly (string | number)[]
}
const accepted = (...words: (string | number)[]): Words => ({ refused: false, words })
const refused = (...words: (string | number)[]): Words => ({ refused: true, words })

function answerHello(memory: ControllerMemory, words: readonly string[]): Words {
  const version = parseNumber(words[0])
  if (words.length !== 1 || version === undefined) return refused('arguments')
  if (version !== memory.protocol) return refused('version', memory.protocol)
  memory.greeted = true
  return accepted(...memory.identity)
}

function answerGreeted(
  memory: ControllerMemory,
  verb: string,
  words: readonly string[],
  sequence: number,
  badLines: number,
): Words {
  if (!memory.greeted) return refused('hello')
  if (verb === 'GET') return answerGet(memory, words)
  if (verb === 'SET') return answerSet(memory, words)
  if (verb === 'DEW') return answerDew(memory, words)
  if (words.length > 0) return refused('arguments')
  if (verb === 'STATE') return answerState(memory, badLines)
  if (verb === 'HEART') return answerHeartbeat(memory, sequence)
  if (!isRoofCommand(verb)) return refused('verb')
  const answer = obeyRoof(memory.limits, memory.roof, memory.inputs, verb)
  return answer === 'ok' ? accepted() : refused(answer)
}

const isRoofCommand = (verb: string): verb is RoofCommand => ['OPEN', 'CLOSE', 'STOP', 'CLEAR'].includes(verb)

function parseNumber(word: string | undefined): number | undefined {
  if (word === undefined || !/^\d+$/.test(word)) return undefined
  const value = Number(word)
  return value <= 0xffff ? value : undefined
}

function answerState(memory: ControllerMemory, badLines: number): Words {
  const { readings, roof, steps } = memory
  const off = (demandOf(memory) & (demandBits.mains | demandBits.silence)) !== 0
  return accepted(
    ...roofWords(memory),
    Math.floor(roof.silence / stepsPerSecond),
    readings.milliamps,
    sumOfTemperature(readings.outsideC),
    sumOfTemperature(readings.insideC),
    sumOfHumidity(readings.humidityPercent, readings.outsideC),
    ...memory.dewPercent.map((percent) => (off ? 0 : percent)),
    Math.floor(steps / stepsPerSecond),
    badLines,
  )
}

function answerHeartbeat(memory: ControllerMemory, sequence: number): Words {
  if (sequence === memory.heartbeatLast) return refused('repeated')
  memory.heartbeatLast = sequence
  memory.heartbeat = true
  return accepted()
}

function answerDew(memory: ControllerMemory, words: readonly string[]): Words {
  const heater = parseNumber(words[0])
  const percent = parseNumber(words[1])
  if (words.length !== 2 || heater === undefined || percent === undefined) return refused('arguments')
  if (heater < 1 || heater > 2 || percent > 100) return refused('range')
  memory.dewPercent[heater - 1] = percent
  return accepted()
}

const findSetting = (word: string | undefined): SettingName | undefined => settingNames.find((name) => name === word)

function tellSetting(memory: ControllerMemory, name: SettingName): Words {
  const [usual, least, most] = settingRules[name]
  return accepted(name, memory.settings[name], least, most, usual)
}

function answerGet(memory: ControllerMemory, words: readonly string[]): Words {
  const name = findSetting(words[0])
  if (words.length !== 1) return refused('arguments')
  return name === undefined ? refused('name') : tellSetting(memory, name)
}

function answerSet(memory: ControllerMemory, words: readonly string[]): Words {
  const name = findSetting(words[0])
  const value = parseNumber(words[1])
  if (words.length !== 2 || value === undefined) return refused('arguments')
  if (name === undefined) return refused('name')
  const [, least, most] = settingRules[name]
  if (value < least || value > most) return refused('range')
  if (memory.roof.motor !== 'still') return refused('moving')
  memory.settings = { ...memory.settings, [name]: value }
  memory.limits = limitsOf(memory.settings)
  memory.stored = true
  return tellSetting(memory, name)
}

/** Vishay NTCLE100E3103: ln(R/R25) = A + B/T + C/T² + D/T³, the data sheet's other set of coefficients. */
function sumOfTemperature(celsius: number): number {
  const t = celsius + 273.15
  const ratio = Math.exp(-14.6337 + 4791.842 / t - 115334 / t ** 2 - 3.730535e6 / t ** 3)
  return Math.round((16 * 1024 * ratio) / (1 + ratio))
}

/** HIH-4030: Vout/Vsupply = 0.0062 sensorRH + 0.16, sensorRH = RH (1.0546 − 0.00216 T). */
function sumOfHumidity(percent: number, celsius: number): number {
  return Math.round(16 * 1024 * (0.0062 * percent * (1.0546 - 0.00216 * celsius) + 0.16))
}

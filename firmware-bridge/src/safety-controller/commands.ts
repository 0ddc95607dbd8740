/** What is said on the safety controller's line, in both directions: docs/safety-controller.md, "Protocol". */

export const protocolVersion = 1

export const settingNames = [
  'heartbeat-s',
  'travel-s',
  'leave-s',
  'over-ma',
  'over-ms',
  'inrush-ms',
  'pause-ms',
  'mains-s',
  'wet-s',
  'hold-s',
  'invert',
] as const
export type SettingName = (typeof settingNames)[number]

export type Request =
  | { readonly verb: 'HELLO'; readonly version: number }
  | { readonly verb: 'STATE' | 'HEART' | 'OPEN' | 'CLOSE' | 'STOP' | 'CLEAR' }
  | { readonly verb: 'DEW'; readonly heater: 1 | 2; readonly percent: number }
  | { readonly verb: 'GET'; readonly name: SettingName }
  | { readonly verb: 'SET'; readonly name: SettingName; readonly value: number }

export interface Identity {
  readonly protocol: number
  readonly firmware: string
  readonly resetCause: ResetCause
  /** Which EEPROM copy counted at the reset; `defaults` when neither was whole. */
  readonly settingsSource: SettingsSource
}

export interface RoofReport {
  readonly position: Position
  readonly motor: Motor
  readonly fault: Fault
  /** What a wanted motion waits for. */
  readonly waitsFor: WaitsFor
  /** Why the controller wants the roof closed by itself. */
  readonly demand: { readonly rain: boolean; readonly mains: boolean; readonly silence: boolean }
  readonly inputs: {
    readonly atOpen: boolean
    readonly atClosed: boolean
    readonly rain: boolean
    readonly mainsLost: boolean
    readonly parked: boolean
    readonly overCurrent: boolean
  }
}

export interface ControllerReport extends RoofReport {
  /** Since the last valid heartbeat, or the reset; stops counting at the limit. */
  readonly silenceSeconds: number
  readonly motorMilliamps: number
  /** Sums of 16 ADC results, 0..16368; sensors.ts has the formulas. */
  readonly outsideSum: number
  readonly insideSum: number
  readonly humiditySum: number
  /** What the heaters get now. */
  readonly dewPercent: readonly [number, number]
  readonly uptimeSeconds: number
  /** Lines that the controller dropped. */
  readonly badLines: number
}

export interface Setting {
  readonly name: SettingName
  readonly value: number
  readonly least: number
  readonly most: number
  readonly usual: number
}

export type Answer =
  | { readonly type: 'accepted'; readonly sequence: number; readonly verb: string; readonly words: readonly string[] }
  | { readonly type: 'refused'; readonly sequence: number; readonly verb: string; readonly words: readonly string[] }
  | { readonly type: 'boot'; readonly identity: Identity }
  | { readonly type: 'roof'; readonly report: RoofReport }

const positions = ['open', 'closed', 'between', 'both'] as const
const motors = ['still', 'opening', 'closing'] as const
const faults = ['none', 'both-switches', 'motor-timeout', 'over-current', 'stuck-switch'] as const
const waits = ['none', 'park', 'hold', 'pause'] as const
const resetCauses = ['power', 'button', 'brown-out', 'watchdog'] as const
const settingsSources = ['first', 'second', 'defaults'] as const
export type Position = (typeof positions)[number]
export type Motor = (typeof motors)[number]
export type Fault = (typeof faults)[number]
export type WaitsFor = (typeof waits)[number]
export type ResetCause = (typeof resetCauses)[number]
export type SettingsSource = (typeof settingsSources)[number]

/** The body of a request's line. */
export function formatRequest(sequence: number, request: Request): string {
  return `@${sequence.toString(16).toUpperCase().padStart(2, '0')} ${requestWords(request).join(' ')}`
}

function requestWords(request: Request): (string | number)[] {
  if (request.verb === 'HELLO') return [request.verb, request.version]
  if (request.verb === 'DEW') return [request.verb, request.heater, Math.round(request.percent)]
  if (request.verb === 'GET') return [request.verb, request.name]
  if (request.verb === 'SET') return [request.verb, request.name, request.value]
  return [request.verb]
}

/** What a line's body says; undefined when it is none of this protocol. */
export function parseAnswer(body: string): Answer | undefined {
  const [head = '', verb = '', ...words] = body.split(' ')
  const reply = /^([=?])([0-9A-F]{2})$/.exec(head)
  if (reply && verb !== '') {
    const sequence = Number.parseInt(reply[2] ?? '', 16)
    return { type: reply[1] === '=' ? 'accepted' : 'refused', sequence, verb, words }
  }
  if (head === '!BOOT') {
    const identity = parseIdentity([verb, ...words])
    return identity && { type: 'boot', identity }
  }
  if (head !== '!ROOF') return undefined
  const report = parseRoof([verb, ...words])
  return report && { type: 'roof', report }
}

const oneOf = <const T extends readonly string[]>(list: T, word: string | undefined): T[number] | undefined =>
  list.find((item) => item === word)

const whole = (word: string | undefined): number =>
  word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : Number.NaN

const bits = (word: string | undefined): number =>
  word !== undefined && /^[0-9A-F]{2}$/.test(word) ? Number.parseInt(word, 16) : Number.NaN

/** The words of HELLO and BOOT. */
export function parseIdentity(words: readonly string[]): Identity | undefined {
  const [version, firmware, cause, source] = words
  const protocol = whole(version)
  const resetCause = oneOf(resetCauses, cause)
  const settingsSource = oneOf(settingsSources, source)
  if (Number.isNaN(protocol) || !firmware || !resetCause || !settingsSource) return undefined
  return { protocol, firmware, resetCause, settingsSource }
}

function parseRoof(words: readonly string[]): RoofReport | undefined {
  const position = oneOf(positions, words[0])
  const motor = oneOf(motors, words[1])
  const fault = oneOf(faults, words[2])
  const waitsFor = oneOf(waits, words[3])
  const demand = bits(words[4])
  const inputs = bits(words[5])
  if (!position || !motor || !fault || !waitsFor || Number.isNaN(demand + inputs)) return undefined
  const has = (mask: number, bit: number): boolean => (mask & bit) !== 0
  return {
    position,
    motor,
    fault,
    waitsFor,
    demand: { rain: has(demand, 1), mains: has(demand, 2), silence: has(demand, 4) },
    inputs: {
      atOpen: has(inputs, 1),
      atClosed: has(inputs, 2),
      rain: has(inputs, 4),
      mainsLost: has(inputs, 8),
      parked: has(inputs, 16),
      overCurrent: has(inputs, 32),
    },
  }
}

/** The words of STATE. */
export function parseReport(words: readonly string[]): ControllerReport | undefined {
  const roof = parseRoof(words)
  const numbers = words.slice(6).map(whole)
  if (!roof || numbers.length !== 9 || numbers.some(Number.isNaN)) return undefined
  const [silence, milliamps, outside, inside, humidity, dew1, dew2, uptime, bad] = numbers as [
    ...[number, number, number, number, number, number, number, number, number],
  ]
  return {
    ...roof,
    silenceSeconds: silence,
    motorMilliamps: milliamps,
    outsideSum: outside,
    insideSum: inside,
    humiditySum: humidity,
    dewPercent: [dew1, dew2],
    uptimeSeconds: uptime,
    badLines: bad,
  }
}

/** The words of GET and SET. */
export function parseSetting(words: readonly string[]): Setting | undefined {
  const name = oneOf(settingNames, words[0])
  const [value = Number.NaN, least = Number.NaN, most = Number.NaN, usual = Number.NaN] = words.slice(1).map(whole)
  return name === undefined || Number.isNaN(value + least + most + usual)
    ? undefined
    : { name, value, least, most, usual }
}

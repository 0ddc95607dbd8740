/** Tapes of protocols that people can read: lines that end with a line break or `#`, and LX200 with its commands named. */
import { readableBytes } from './tap.ts'
import { describeHeader, seconds, type Tape, type TapeDirection } from './tape.ts'

/** What has not ended within this is shown as it is: LX200 mounts answer many commands with a bare `1`. */
const quietMs = 250
const longestLine = 400

const carriageReturn = 0x0d
const lineFeed = 0x0a
const hash = 0x23
const acknowledge = 0x06

/**
 * Commands of the Meade Telescope Serial Command Protocol (2010.10) and of OnStep, by their letters; the longest that
 * fits names the command.
 */
const lx200Commands: Readonly<Record<string, string>> = {
  GR: 'right ascension?',
  GD: 'declination?',
  GA: 'altitude?',
  GZ: 'azimuth?',
  GS: 'sidereal time?',
  GL: 'local time?',
  GC: 'date?',
  GG: 'UTC offset?',
  Gt: 'latitude?',
  Gg: 'longitude?',
  GT: 'tracking rate?',
  GU: 'status? (OnStep)',
  GW: 'alignment and tracking?',
  Gm: 'side of pier?',
  GV: 'firmware?',
  GX: 'setting? (OnStep)',
  D: 'slewing?',
  U: 'toggle precision',
  MS: 'slew to target',
  MA: 'slew to target alt/az',
  Mg: 'guide pulse',
  Me: 'move east',
  Mw: 'move west',
  Mn: 'move north',
  Ms: 'move south',
  Q: 'stop',
  CM: 'sync on target',
  CS: 'sync on target',
  Sr: 'target right ascension',
  Sd: 'target declination',
  Sa: 'target altitude',
  Sz: 'target azimuth',
  St: 'set latitude',
  Sg: 'set longitude',
  SG: 'set UTC offset',
  SL: 'set local time',
  SC: 'set date',
  ST: 'set tracking rate',
  hP: 'park',
  hR: 'unpark',
  hQ: 'set park position',
  hC: 'home',
  hF: 'home',
  hS: 'store home',
  TQ: 'sidereal rate',
  TL: 'lunar rate',
  TS: 'solar rate',
  Te: 'tracking on',
  Td: 'tracking off',
  RG: 'guide speed',
  RC: 'centring speed',
  RM: 'finding speed',
  RS: 'slew speed',
}

/** What an LX200 command asks for; undefined when it is none that is known. */
export function nameLx200(command: string): string | undefined {
  const letters = command.replace(/^:/, '').replace(/#$/, '')
  for (let length = Math.min(2, letters.length); length > 0; length--) {
    const name = lx200Commands[letters.slice(0, length)]
    if (name !== undefined) return name
  }
  return undefined
}

export function isLx200(tape: Tape): boolean {
  const commands = tape.entries.filter((entry) => entry.direction === 'out')
  const fits = commands.filter(({ bytes }) => /^(:[^#]*#|\x06)+$/.test(Buffer.from(bytes).toString('latin1')))
  return commands.length > 0 && fits.length * 2 > commands.length
}

interface Line {
  readonly ms: number
  readonly direction: TapeDirection
  readonly bytes: Uint8Array
}

/** Chunks to lines: a line ends at its terminator, when the other side speaks, or when nothing comes for a while. */
function* linesOf(tape: Tape): Iterable<Line> {
  let ms = 0
  let lastMs = 0
  let direction: TapeDirection = 'in'
  let pending: number[] = []
  const flush = function* (): Iterable<Line> {
    if (pending.length > 0) yield { ms, direction, bytes: Uint8Array.from(pending) }
    pending = []
  }
  for (const entry of tape.entries) {
    if (entry.direction !== direction || entry.ms - lastMs > quietMs) yield* flush()
    direction = entry.direction
    lastMs = entry.ms
    for (const byte of entry.bytes) {
      if (pending.length === 0) ms = entry.ms
      if (byte === lineFeed && pending.length === 0) continue
      pending.push(byte)
      const ended = byte === lineFeed || byte === carriageReturn || byte === hash || byte === acknowledge
      if (ended || pending.length >= longestLine) yield* flush()
    }
  }
  yield* flush()
}

/** One line of text for each line of the protocol. */
export function* describeLines(tape: Tape): Iterable<string> {
  const lx200 = isLx200(tape)
  yield `${describeHeader(tape)}, ${lx200 ? 'LX200' : 'lines'}`
  for (const { ms, direction, bytes } of linesOf(tape)) {
    const text = readableBytes(bytes).replace(/(\\r|\\n)+$/, '')
    const name = lx200 && direction === 'out' ? nameLx200(text) : undefined
    yield `${seconds(ms)} ${direction === 'in' ? '<' : '>'} ${name === undefined ? text : `${text.padEnd(20)} ${name}`}`
  }
  if (tape.closed) yield `${seconds(tape.closed.ms)} closed: ${tape.closed.reason}`
}

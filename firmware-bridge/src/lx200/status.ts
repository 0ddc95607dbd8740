/** The status texts of LX200 and OnStep mounts, both ways. */

export type ParkState = 'unparked' | 'parking' | 'parked' | 'failed'

/** `:GU#` of OnStep and OnStepX: flags in any order, then three digits. */
export interface OnStepStatus {
  readonly tracking: boolean
  readonly slewing: boolean
  readonly park: ParkState
  readonly atHome: boolean
  readonly homing: boolean
  readonly waitingAtHome: boolean
  readonly pulseGuiding: boolean
  readonly guiding: boolean
  readonly ppsSynchronised: boolean
  /** Undefined: the sidereal rate, or a custom one. */
  readonly rate?: 'solar' | 'lunar' | 'king' | undefined
  readonly compensation: 'none' | 'refraction' | 'full'
  readonly mountType: 'equatorial' | 'fork' | 'altaz' | 'unknown'
  readonly pierSide: 'east' | 'west' | 'unknown'
  /** `explainGeneralError` has its words. */
  readonly error: number
}

const parkLetters: Readonly<Record<ParkState, string>> = { unparked: 'p', parking: 'I', parked: 'P', failed: 'F' }
const rateLetters = { solar: 'O', lunar: '(', king: 'k' } as const
const typeLetters = { equatorial: 'E', fork: 'K', altaz: 'A', unknown: '' } as const
const sideLetters = { east: 'T', west: 'W', unknown: 'o' } as const

/** Every character that a status may hold before its three digits (OnStep and OnStepX). */
const flags = /^[nNpIPFReHhSGgrtswuzalbBO(kEKALToWfdvVcC/,;~^!@ ]*$/

/** Undefined when the text is no status: a stale answer of another question must not pass for "not slewing". */
export function parseStatus(text: string): OnStepStatus | undefined {
  const match = /^(.*?)([0-9])([0-9])([0-?])$/.exec(text)
  const letters = match?.[1]
  if (!match || letters === undefined || !flags.test(letters)) return undefined
  const park = keyOf(parkLetters, letters)
  if (!park) return undefined
  const has = (letter: string): boolean => letters.includes(letter)
  return {
    tracking: !has('n'),
    slewing: !has('N'),
    park,
    atHome: has('H'),
    homing: has('h'),
    waitingAtHome: has('w'),
    pulseGuiding: has('G'),
    guiding: has('g'),
    ppsSynchronised: has('S'),
    rate: keyOf(rateLetters, letters),
    compensation: has('t') ? 'full' : has('r') ? 'refraction' : 'none',
    mountType: keyOf(typeLetters, letters) ?? 'unknown',
    pierSide: keyOf(sideLetters, letters) ?? 'unknown',
    error: match[4]!.charCodeAt(0) - 48,
  }
}

function keyOf<K extends string>(letters: Readonly<Record<K, string>>, text: string): K | undefined {
  return (Object.keys(letters) as K[]).find((key) => letters[key] !== '' && text.includes(letters[key]))
}

/** The same status in OnStep's order, with guide rates as given. */
export function formatStatus(status: OnStepStatus, pulseRate = 2, guideRate = 5): string {
  const compensation = { none: '', refraction: 'rs', full: 'ts' }[status.compensation]
  return [
    status.tracking ? '' : 'n',
    status.slewing ? '' : 'N',
    parkLetters[status.park],
    status.atHome ? 'H' : '',
    status.ppsSynchronised ? 'S' : '',
    status.pulseGuiding ? 'G' : '',
    status.guiding ? 'g' : '',
    compensation,
    status.rate ? rateLetters[status.rate] : '',
    status.waitingAtHome ? 'w' : '',
    status.homing ? 'h' : '',
    typeLetters[status.mountType],
    sideLetters[status.pierSide],
    String(pulseRate),
    String(guideRate),
    String.fromCharCode(48 + status.error),
  ].join('')
}

/** `:Gu#`: nine bytes with the top bit set (OnStep's Command.ino). */
export function parsePackedStatus(text: string): OnStepStatus | undefined {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length !== 9 || bytes.some((byte) => byte < 0x80)) return undefined
  const bit = (index: number, mask: number): boolean => ((bytes[index] ?? 0) & mask) !== 0
  const low = (index: number): number => (bytes[index] ?? 0) & 0x7f
  const parks: readonly ParkState[] = ['unparked', 'parking', 'parked', 'failed']
  const rates = [undefined, 'lunar', 'solar', 'king'] as const
  const park = parks[low(5)]
  if (!park) return undefined
  return {
    tracking: !bit(0, 0x01),
    slewing: !bit(0, 0x02),
    ppsSynchronised: bit(0, 0x04),
    pulseGuiding: bit(0, 0x08),
    compensation: bit(0, 0x20) ? 'full' : bit(0, 0x10) ? 'refraction' : 'none',
    rate: rates[(bytes[1] ?? 0) & 0x03],
    guiding: bit(1, 0x08),
    atHome: bit(2, 0x01),
    waitingAtHome: bit(2, 0x02),
    homing: false,
    mountType: bit(3, 0x01) ? 'equatorial' : bit(3, 0x02) ? 'fork' : bit(3, 0x08) ? 'altaz' : 'unknown',
    pierSide: bit(3, 0x20) ? 'east' : bit(3, 0x40) ? 'west' : 'unknown',
    park,
    error: low(8),
  }
}

/** `:GW#`: how the mount stands, whether it tracks, and on how many stars it is aligned. */
export interface AlignmentStatus {
  readonly mountType: 'altaz' | 'polar' | 'german'
  readonly tracking: boolean
  /** 0 to 3. */
  readonly stars: number
}

export function parseAlignment(text: string): AlignmentStatus | undefined {
  const match = /^([APG])([TN])([0-3H])$/.exec(text)
  if (!match) return undefined
  const mountType = { A: 'altaz', P: 'polar', G: 'german' }[match[1] as 'A' | 'P' | 'G'] as AlignmentStatus['mountType']
  return { mountType, tracking: match[2] === 'T', stars: match[3] === 'H' ? 0 : Number(match[3]) }
}

/** `:D#`: bars while a slew is under way (0x7F from Autostar and OnStep, 0xFF from the first LX200), nothing at rest. */
export const barsMeanSlewing = (text: string): boolean => /[\x7f\xff|]/.test(text)

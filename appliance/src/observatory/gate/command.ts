import type { CustomRate, Direction, PierSide, TrackRate } from '@nightjar/firmware-bridge/devices/mount.ts'

/** Who asks. `guardian` and `panic` only ever make things safer; the others need the lease for the rest. */
export type Asker = 'night' | 'guardian' | 'panic' | `session:${string}`

/** Everything that can be asked of the hardware. Sky angles are ICRS degrees. */
export type Action =
  | { readonly kind: 'unpark' }
  | { readonly kind: 'park' }
  | {
      readonly kind: 'slew'
      readonly raDeg: number
      readonly decDeg: number
      /** The side that the mount says it will take, where it says so. */
      readonly pierSide?: PierSide | undefined
    }
  | { readonly kind: 'sync'; readonly raDeg: number; readonly decDeg: number }
  | { readonly kind: 'track'; readonly on: boolean }
  | { readonly kind: 'trackRate'; readonly rate: TrackRate; readonly custom?: CustomRate | undefined }
  | { readonly kind: 'home' }
  | { readonly kind: 'guide'; readonly direction: Direction; readonly milliseconds: number }
  | { readonly kind: 'move'; readonly direction: Direction; readonly speed: number }
  | { readonly kind: 'halt' }
  | { readonly kind: 'abort' }
  | { readonly kind: 'expose'; readonly seconds: number }
  | { readonly kind: 'abortExposure' }
  | { readonly kind: 'cooler'; readonly on: boolean; readonly celsius?: number | undefined }
  | { readonly kind: 'focus'; readonly steps: number }
  | { readonly kind: 'filter'; readonly name: string }
  | { readonly kind: 'rotate'; readonly angleDeg: number }
  | { readonly kind: 'openRoof' }
  | { readonly kind: 'closeRoof' }
  | { readonly kind: 'abortRoof' }
  | { readonly kind: 'turnDome'; readonly azimuthDeg: number }
  | { readonly kind: 'openCover' }
  | { readonly kind: 'closeCover' }
  | { readonly kind: 'light'; readonly on: boolean }
  | { readonly kind: 'power'; readonly port: string; readonly on: boolean }
  | { readonly kind: 'dewHeater'; readonly name: string; readonly percent: number }
  | { readonly kind: 'syncClock' }

export type CommandKind = Action['kind']

export type Command = Action & { readonly by: Asker }

export type CommandOf<K extends CommandKind> = Extract<Action, { kind: K }> & { readonly by: Asker }

/** Every kind once; the type makes a forgotten one an error. */
export const commandKinds = Object.keys({
  unpark: 0,
  park: 0,
  slew: 0,
  sync: 0,
  track: 0,
  trackRate: 0,
  home: 0,
  guide: 0,
  move: 0,
  halt: 0,
  abort: 0,
  expose: 0,
  abortExposure: 0,
  cooler: 0,
  focus: 0,
  filter: 0,
  rotate: 0,
  openRoof: 0,
  closeRoof: 0,
  abortRoof: 0,
  turnDome: 0,
  openCover: 0,
  closeCover: 0,
  light: 0,
  power: 0,
  dewHeater: 0,
  syncClock: 0,
} satisfies Record<CommandKind, 0>) as readonly CommandKind[]

/** What anybody may ask for at any time, without a lease: it can only make things safer. */
export function isSafer(command: Action): boolean {
  switch (command.kind) {
    case 'park':
    case 'halt':
    case 'abort':
    case 'abortExposure':
    case 'closeRoof':
    case 'abortRoof':
    case 'closeCover':
      return true
    case 'track':
    case 'light':
      return !command.on
    default:
      return false
  }
}

const names: Partial<Record<CommandKind, string>> = {
  trackRate: 'set the track rate',
  abortExposure: 'abort the exposure',
  openRoof: 'open the roof',
  closeRoof: 'close the roof',
  abortRoof: 'stop the roof',
  turnDome: 'turn the dome',
  openCover: 'open the cover',
  closeCover: 'close the cover',
  light: 'light the panel',
  power: 'switch power',
  dewHeater: 'heat',
  syncClock: 'set the clock of the mount',
}

/** The command as people say it: `open the roof`. */
export const inWords = (kind: CommandKind): string => names[kind] ?? kind

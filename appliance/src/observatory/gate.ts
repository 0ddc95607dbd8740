/**
 * The one pure function in front of every hardware command: (observatory state, command) → allow or deny with a reason.
 * It looks at what sensors said and how old that is, never at what was last commanded. Unknown or stale means unsafe.
 */

/** A reading and when it was made. `undefined` = never heard. */
export interface Reading<T> {
  readonly value: T
  readonly atMs: number
}

export interface GateState {
  readonly nowMs: number
  readonly sunAltitudeDeg: number
  readonly sunRaDeg: number
  readonly sunDecDeg: number
  readonly mount:
    | Reading<{ readonly connected: boolean; readonly parked: boolean; readonly slewing: boolean }>
    | undefined
  readonly camera: Reading<{ readonly connected: boolean; readonly exposing: boolean }> | undefined
  readonly diskFreeBytes: number
}

export type Command =
  | { readonly kind: 'unpark' }
  | {
      readonly kind: 'slew'
      readonly raDeg: number
      readonly decDeg: number
      readonly altitudeDeg: number
      readonly sunSeparationDeg: number
    }
  | { readonly kind: 'track' }
  | { readonly kind: 'expose'; readonly seconds: number }
  | { readonly kind: 'park' }
  | { readonly kind: 'abort' }

export interface GateLimits {
  /** How old a reading may be before it says nothing. */
  readonly maxAgeMs: number
  readonly minAltitudeDeg: number
  /** Keep-out cone around the Sun. */
  readonly minSunSeparationDeg: number
  /** The Sun must be below this to unpark, slew or track. */
  readonly maxSunAltitudeDeg: number
  readonly minDiskFreeBytes: number
}

export const defaultGateLimits: GateLimits = {
  maxAgeMs: 30_000,
  minAltitudeDeg: 20,
  minSunSeparationDeg: 30,
  maxSunAltitudeDeg: -6,
  minDiskFreeBytes: 2 * 1024 ** 3,
}

export type Verdict = { readonly allow: true } | { readonly allow: false; readonly reason: string }

const allow: Verdict = { allow: true }
const deny = (reason: string): Verdict => ({ allow: false, reason })

/** Parking and aborting are always allowed: they make things safer. */
export function decide(state: GateState, command: Command, limits: GateLimits = defaultGateLimits): Verdict {
  switch (command.kind) {
    case 'park':
    case 'abort':
      return allow
    case 'unpark':
    case 'track':
      return first(mountUnknown(state, limits), tooBright(state, limits))
    case 'slew':
      return first(mountUnknown(state, limits), parked(state), tooBright(state, limits), unreachable(command, limits))
    case 'expose':
      return first(cameraUnknown(state, limits), diskFull(state, limits))
  }
}

/** What makes the site unsafe as a whole, for the panel and for ending the night. */
export function unsafeReasons(state: GateState, limits: GateLimits = defaultGateLimits): string[] {
  const checks = [
    mountUnknown(state, limits),
    cameraUnknown(state, limits),
    tooBright(state, limits),
    diskFull(state, limits),
  ]
  return checks.flatMap((reason) => (reason ? [reason] : []))
}

function first(...reasons: (string | undefined)[]): Verdict {
  const reason = reasons.find((found) => found !== undefined)
  return reason === undefined ? allow : deny(reason)
}

function stale(
  reading: Reading<{ readonly connected: boolean }> | undefined,
  name: string,
  state: GateState,
  limits: GateLimits,
): string | undefined {
  if (!reading) return `the ${name} has not been heard yet`
  const ageMs = state.nowMs - reading.atMs
  if (!(ageMs <= limits.maxAgeMs)) return `the ${name} has been silent for ${Math.round(ageMs / 1000)} s`
  if (!reading.value.connected) return `the ${name} is not connected`
  return undefined
}

const mountUnknown = (state: GateState, limits: GateLimits): string | undefined =>
  stale(state.mount, 'mount', state, limits)
const cameraUnknown = (state: GateState, limits: GateLimits): string | undefined =>
  stale(state.camera, 'camera', state, limits)
const parked = (state: GateState): string | undefined => (state.mount?.value.parked ? 'the mount is parked' : undefined)

function tooBright(state: GateState, limits: GateLimits): string | undefined {
  if (state.sunAltitudeDeg <= limits.maxSunAltitudeDeg) return undefined
  return `the Sun stands at ${state.sunAltitudeDeg.toFixed(0)}°, above ${limits.maxSunAltitudeDeg}°`
}

function diskFull(state: GateState, limits: GateLimits): string | undefined {
  if (state.diskFreeBytes >= limits.minDiskFreeBytes) return undefined
  return `the disk has ${(state.diskFreeBytes / 1e9).toFixed(1)} GB free, less than ${(limits.minDiskFreeBytes / 1e9).toFixed(1)} GB`
}

function unreachable(command: Extract<Command, { kind: 'slew' }>, limits: GateLimits): string | undefined {
  if (!(command.altitudeDeg >= limits.minAltitudeDeg)) {
    return `the target stands at ${command.altitudeDeg.toFixed(0)}°, below ${limits.minAltitudeDeg}°`
  }
  if (!(command.sunSeparationDeg >= limits.minSunSeparationDeg)) {
    return `the target is ${command.sunSeparationDeg.toFixed(0)}° from the Sun, nearer than ${limits.minSunSeparationDeg}°`
  }
  return undefined
}

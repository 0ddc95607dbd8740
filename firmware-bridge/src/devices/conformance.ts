/**
 * Does a device do what its card claims? Drives a full cycle of every capability that the device says it has, the same
 * for every protocol, and tells what was exercised and what went wrong. It moves hardware: for tests, simulators, and an
 * observer who stands beside the telescope.
 */
import type { Clock } from '../clock.ts'
import type { Outcome } from '../outcome.ts'
import type { AllSkyCamera } from './allSkyCamera.ts'
import type { Camera } from './camera.ts'
import { mechanicsExercises } from './conformanceMechanics.ts'
import { mountExercises } from './conformanceMount.ts'
import { opticsExercises } from './conformanceOptics.ts'
import { readingExercises } from './conformanceReadings.ts'
import type { Cover } from './cover.ts'
import type { Device, DeviceState, DriverCard } from './device.ts'
import type { FilterWheel } from './filterWheel.ts'
import type { FlatPanel } from './flatPanel.ts'
import type { Focuser } from './focuser.ts'
import type { Gps } from './gps.ts'
import type { Guider } from './guider.ts'
import { type Capability, type Kind, kinds } from './kinds.ts'
import type { Mount } from './mount.ts'
import type { Power } from './power.ts'
import type { Roof } from './roof.ts'
import type { Rotator } from './rotator.ts'
import type { Safety } from './safety.ts'
import type { SkyQuality } from './skyQuality.ts'
import type { TimeSource } from './timeSource.ts'
import type { Ups } from './ups.ts'
import type { Weather } from './weather.ts'

export interface DeviceOfKind {
  readonly mount: Mount
  readonly camera: Camera
  readonly focuser: Focuser
  readonly filterWheel: FilterWheel
  readonly rotator: Rotator
  readonly roof: Roof
  readonly cover: Cover
  readonly flatPanel: FlatPanel
  readonly weather: Weather
  readonly skyQuality: SkyQuality
  readonly power: Power
  readonly gps: Gps
  readonly timeSource: TimeSource
  readonly ups: Ups
  readonly guider: Guider
  readonly allSkyCamera: AllSkyCamera
  readonly safety: Safety
}

export interface ConformanceReport<K extends Kind = Kind> {
  readonly kind: K
  readonly protocol: string
  readonly source: string
  /** What was driven, whether it went well or not. */
  readonly exercised: readonly Capability<K>[]
  /** One sentence each; none when the device conforms. */
  readonly problems: readonly string[]
}

/** What an exercise may use. */
export interface Trial {
  readonly clock: Clock
  readonly settings: ConformanceSettings
  /** Notes a problem unless the outcome is good; tells whether it is. */
  ok(what: string, outcome: Outcome | { readonly ok: boolean; readonly reason?: string }): boolean
  /** Notes a problem unless the outcome is a failure with a reason. */
  fails(what: string, outcome: { readonly ok: boolean; readonly reason?: string }): boolean
  /** Notes a problem unless it is true. */
  that(what: string, isTrue: boolean): boolean
  /** Waits for it, at most `timeoutMs` (10 s by default), and notes a problem when it does not come. */
  until(what: string, isTrue: () => boolean, timeoutMs?: number): Promise<boolean>
}

export interface ConformanceSettings {
  /** A place that the mount must refuse, ICRS; without it its limits are not exercised. */
  readonly refusedPlace?: { readonly raDeg: number; readonly decDeg: number }
  readonly exposureSeconds?: number
  /** Two different settings each, which the camera takes. */
  readonly gains?: readonly [number, number]
  readonly offsets?: readonly [number, number]
  /** Where the focuser may go. */
  readonly focusSteps?: readonly [number, number]
}

/** Drives one capability. `undefined`: it cannot be driven with these settings. */
export type Exercise<K extends Kind> = (device: DeviceOfKind[K], trial: Trial) => Promise<void> | undefined

export type Exercises = { readonly [K in Kind]?: Readonly<Partial<Record<Capability<K>, Exercise<K>>>> }

const exercises: Exercises = {
  ...mountExercises,
  ...opticsExercises,
  ...mechanicsExercises,
  ...readingExercises,
}

const pollMs = 50
const connectMs = 15_000

/** Never rejects for what the device does. Leaves roofs and covers closed, mounts parked where they can park. */
export async function conform<K extends Kind>(
  device: DeviceOfKind[K],
  card: DriverCard<K>,
  clock: Clock,
  settings: ConformanceSettings = {},
): Promise<ConformanceReport<K>> {
  const problems: string[] = []
  const trial = createTrial(clock, settings, problems)
  // Typed by the map above: every kind's interface extends this.
  const any = device as unknown as Device<K, DeviceState>
  await trial.until('it connects', () => any.state().connected, connectMs)
  const claimed: readonly Capability<K>[] = card.can
  for (const capability of any.can()) {
    trial.that(`${capability} is on the card`, claimed.includes(capability))
  }
  const { source, atMs } = any.state()
  trial.that('it says who it is', source.length > 0)
  trial.that('it says when it was heard', atMs > 0 && atMs <= clock.now())
  const exercised: Capability<K>[] = []
  for (const capability of kinds[card.kind] as readonly Capability<K>[]) {
    if (!any.can().has(capability)) continue
    const running = exercises[card.kind]?.[capability]?.(device, trial)
    if (!running) continue
    await running
    exercised.push(capability)
  }
  return { kind: card.kind, protocol: card.protocol, source: any.state().source, exercised, problems }
}

function createTrial(clock: Clock, settings: ConformanceSettings, problems: string[]): Trial {
  const that = (what: string, isTrue: boolean): boolean => {
    if (!isTrue) problems.push(`not so: ${what}`)
    return isTrue
  }
  return {
    clock,
    settings,
    that,
    ok(what, outcome) {
      if (!outcome.ok) problems.push(`${what}: ${outcome.reason ?? 'failed'}`)
      return outcome.ok
    },
    fails: (what, outcome) => that(`${what} fails and says why`, !outcome.ok && (outcome.reason ?? '').length > 0),
    async until(what, isTrue, timeoutMs = 10_000) {
      const start = clock.monotonic()
      while (!isTrue() && clock.monotonic() - start < timeoutMs) await clock.sleep(pollMs)
      return that(what, isTrue())
    },
  }
}

import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Reading } from './state.ts'

/** Remembers when news came, by the clock that never jumps: asking a silent device again does not make its word younger. */
export interface Readings {
  hear<T extends { readonly atMs: number }>(name: string, said: T): Reading<T>
}

export function createReadings(clock: Clock): Readings {
  const stamps = new Map<string, { readonly atMs: number; readonly heardMs: number }>()
  return {
    hear(name, value) {
      let stamp = stamps.get(name)
      if (stamp?.atMs !== value.atMs) stamps.set(name, (stamp = { atMs: value.atMs, heardMs: clock.monotonic() }))
      return { value, atMs: value.atMs, heardMs: stamp.heardMs }
    },
  }
}

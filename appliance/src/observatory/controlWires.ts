import type { Tap } from '@nightjar/firmware-bridge/wire/tap.ts'
import type { WirePage, WireView } from '../contract/observatory.ts'

/** The live view of the wires: what the taps keep, in pages. */

export function wireViews(taps: ReadonlyMap<string, Tap>): WireView[] {
  return [...taps.values()].map(({ name, count }) => ({ name, count }))
}

/** With `after` the next `limit` messages that are kept, oldest first; without it the latest. */
export function wirePage(tap: Tap, after: number | undefined, limit: number): WirePage {
  const kept = tap.latest(after)
  const entries = after === undefined ? kept.slice(-limit) : kept.slice(0, limit)
  return {
    messages: entries.map(({ id, atMs, what, bytes, text, truncated }) => ({
      seq: id,
      atMs,
      what,
      bytes,
      text,
      truncated,
    })),
    lastSeq: entries.at(-1)?.id ?? Math.min(after ?? tap.count, tap.count),
  }
}

/** One measured figure: what `scripts/bench --json` prints an array of, and what docs/benchmarks.md is made of. */
export interface BenchRow {
  /** The room that was measured: `frames`, `differencing`, `indi` … */
  readonly room: string
  /** What was measured, in a few words: `zogy`, `star list`. */
  readonly figure: string
  /** The median of `n` runs. */
  readonly value: number
  /** `ms`, `CPU ms`, `MiB`, `MB/s`, `px` … */
  readonly unit: string
  readonly threads: number
  /** The frame that it was measured on, `2048x2048`; null where there is none. */
  readonly frame: string | null
  /** A named peer doing the same work in the same call, with its version; null where there is none. */
  readonly peer: string | null
  /** The peer's median in the same unit; null when it is not installed: then `peer` ends with its apt line. */
  readonly peerValue: number | null
  /** `value` / `peerValue`. */
  readonly ratio: number | null
  readonly n: number
}

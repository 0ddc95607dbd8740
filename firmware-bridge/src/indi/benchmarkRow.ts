export interface BenchmarkRow {
  readonly room: string
  readonly figure: string
  readonly value: number
  readonly unit: string
  readonly threads: number
  readonly frame: string | null
  readonly peer: string | null
  readonly peerValue: number | null
  readonly ratio: number | null
  readonly n: number
}

export interface BenchmarkPeer {
  readonly name: string
  readonly value: number
}

export function benchmarkRow(
  figure: string,
  value: number,
  unit: string,
  frame: string | null,
  peer: BenchmarkPeer | undefined,
  n: number,
): BenchmarkRow {
  const round = (x: number): number => Number(x.toPrecision(4))
  return {
    room: 'indi',
    figure,
    value: round(value),
    unit,
    threads: 1,
    frame,
    peer: peer?.name ?? null,
    peerValue: peer ? round(peer.value) : null,
    ratio: peer ? round(value / peer.value) : null,
    n,
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

import { StampSpline } from './spline.ts'

/** The stamp divided by its sum. */
export function normalised(stamp: Float64Array): Float64Array {
  const sum = stamp.reduce((total, v) => total + v, 0)
  return stamp.map((v) => v / sum)
}

/** The frame is divided into cells × cells; within each one spline serves. */
const cells = 8

/** What surrounds the core: a stamp whose middle the core replaces, and that is normalised with it. */
export interface Wings {
  readonly stamp: Float64Array
  readonly size: number
}

/** A PSF whose core is a polynomial of the place, per pixel. */
export class PolynomialPsf {
  readonly size: number
  readonly #coreSize: number
  readonly #terms: readonly Float64Array[]
  readonly #place: (x: number, y: number) => readonly number[]
  readonly #kept = new Map<string, StampSpline>()
  readonly #degree: number
  readonly #wings: Wings | undefined

  constructor(
    terms: readonly Float64Array[],
    degree: number,
    coreSize: number,
    place: (x: number, y: number) => readonly number[],
    wings?: Wings,
  ) {
    this.#terms = terms
    this.#coreSize = coreSize
    this.size = wings?.size ?? coreSize
    this.#place = place
    this.#degree = degree
    this.#wings = wings
  }

  stampAt(x: number, y: number): Float64Array {
    const core = this.#coreAt(x, y)
    if (!this.#wings) return core
    const n = this.#coreSize
    const edge = (this.size - n) / 2
    const stamp = this.#wings.stamp.slice()
    for (let k = 0; k < core.length; k++) stamp[(Math.floor(k / n) + edge) * this.size + (k % n) + edge] = core[k]!
    return normalised(stamp)
  }

  #coreAt(x: number, y: number): Float64Array {
    const basis = this.#place(x, y)
    const stamp = new Float64Array(this.#coreSize * this.#coreSize)
    this.#terms.forEach((term, k) => {
      for (let i = 0; i < stamp.length; i++) stamp[i]! += basis[k]! * term[i]!
    })
    return stamp
  }

  splineAt(x: number, y: number): StampSpline {
    const [, u = 0, v = 0] = this.#place(x, y)
    const cell = (t: number): number => Math.max(0, Math.min(cells - 1, Math.floor(((t + 1) / 2) * cells)))
    const key = this.#degree === 0 ? '' : `${cell(u)},${cell(v)}`
    const kept = this.#kept.get(key)
    if (kept) return kept
    const spline = new StampSpline(this.stampAt(x, y), this.size)
    this.#kept.set(key, spline)
    return spline
  }
}

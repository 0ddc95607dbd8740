import { solveLinear } from './robust.ts'

/** Polynomials of the place in a frame, both coordinates scaled to −1 … 1. */
export type Degree = 0 | 1 | 2
export type Framing = (x: number, y: number) => readonly [u: number, v: number]

export function framingOf({ width, height }: { readonly width: number; readonly height: number }): Framing {
  return (x, y) => [(2 * x) / Math.max(1, width - 1) - 1, (2 * y) / Math.max(1, height - 1) - 1]
}

export function termsOf(degree: Degree | 3): number {
  return ((degree + 1) * (degree + 2)) / 2
}

/** Products of Legendre polynomials up to the degree: nearly independent of each other over an evenly covered frame. */
export function basisOf(degree: Degree | 3, u: number, v: number): readonly number[] {
  if (degree === 0) return [1]
  if (degree === 1) return [1, u, v]
  const [u2, v2] = [(3 * u * u - 1) / 2, (3 * v * v - 1) / 2]
  if (degree === 2) return [1, u, v, u2, u * v, v2]
  return [1, u, v, u2, u * v, v2, ((5 * u * u - 3) * u) / 2, u2 * v, u * v2, ((5 * v * v - 3) * v) / 2]
}

/** Weighted least squares; a term that the places say nothing about is held at 0 by a very weak prior. */
export function fitPolynomial(
  design: readonly (readonly number[])[],
  values: readonly number[],
  weights: readonly number[],
  terms: number,
): Float64Array {
  const matrix = new Float64Array(terms * terms)
  const right = new Float64Array(terms)
  design.forEach((basis, k) => {
    for (let i = 0; i < terms; i++) {
      right[i]! += weights[k]! * basis[i]! * values[k]!
      for (let j = 0; j < terms; j++) matrix[i * terms + j]! += weights[k]! * basis[i]! * basis[j]!
    }
  })
  // Shapes vary by a tenth or so over a frame.
  for (let i = 1; i < terms; i++) matrix[i * terms + i]! += 100
  return solveLinear(matrix, right) ?? new Float64Array(terms)
}

/**
 * Seeded random numbers: xoshiro128** (Blackman & Vigna 2018) seeded by splitmix32. The same seed gives the same stream
 * on every machine. Nothing else in Nightjar calls `Math.random`.
 */
export interface Random {
  /** Uniform in [0, 1), 32 random bits. */
  next(): number
  /** Uniform integer in [0, n). */
  integer(n: number): number
  /** Standard normal deviate (Marsaglia polar method). */
  normal(): number
  /** Poisson deviate; above a mean of 60 the rounded normal approximation. */
  poisson(mean: number): number
  /** An independent stream named by `label`; the parent's stream is not advanced. */
  fork(label: string): Random
}

/** 32-bit FNV-1a of a text: turns labels into seeds. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The generator itself, from its four state words: 32 random bits a call. */
export function xoshiro128StarStar(a: number, b: number, c: number, d: number): () => number {
  return () => {
    const x = Math.imul(b, 5)
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = (d << 11) | (d >>> 21)
    return result
  }
}

/** A stream from a seed: a number, or any text. */
export function createRandom(seed: number | string): Random {
  const root = typeof seed === 'number' ? `#${seed}` : seed
  let mix = hashText(root)
  const splitmix = (): number => {
    mix = (mix + 0x9e3779b9) | 0
    let z = mix ^ (mix >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  const bits = xoshiro128StarStar(splitmix(), splitmix(), splitmix(), splitmix() | 1)
  let spare: number | undefined
  const random: Random = {
    next: () => bits() / 4294967296,
    integer: (n) => Math.floor(random.next() * n),
    normal() {
      if (spare !== undefined) {
        const value = spare
        spare = undefined
        return value
      }
      for (;;) {
        const u = 2 * random.next() - 1
        const v = 2 * random.next() - 1
        const s = u * u + v * v
        if (s >= 1 || s === 0) continue
        const scale = Math.sqrt((-2 * Math.log(s)) / s)
        spare = v * scale
        return u * scale
      }
    },
    poisson(mean) {
      if (mean <= 0) return 0
      if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
      const limit = Math.exp(-mean)
      let product = random.next()
      let count = 0
      while (product > limit) {
        product *= random.next()
        count++
      }
      return count
    },
    fork: (label) => createRandom(`${root}/${label}`),
  }
  return random
}

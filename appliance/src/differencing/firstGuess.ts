import { similarityOf, TriangleIndex, trianglesOf } from './asterism.ts'
import type { FrameSize, Registration, RegistrationInput, StarPosition } from './register.ts'
import { StarGrid } from './starGrid.ts'
import { affine, applyTransform, identity, type PixelTransform, shifted } from './transform.ts'

/** More hypotheses than this are not looked at: about half a second. */
const maximumHypotheses = 150_000
/** Stars used to test a hypothesis. */
const testStars = 80
const testTolerancePixels = 3

export interface Guess {
  readonly transform: PixelTransform
  readonly method: Registration['method']
}

/**
 * A first map from science to reference pixels: the hint where the stars confirm it, else triangles of equal shape, else the
 * shift that most stars agree on, else the hint alone. Both lists brightest first; the work is bounded.
 */
export function firstGuess(input: RegistrationInput): Guess | undefined {
  return confirmHint(input) ?? fromTriangles(input) ?? fromShifts(input) ?? bareHint(input)
}

/** The hint, when more stars agree with it (after a common shift) than chance would let. */
function confirmHint(input: RegistrationInput): Guess | undefined {
  if (!input.hint) return undefined
  const moved = bestShift(input, input.hint, 40)
  return moved && { transform: moved, method: 'hint' }
}

function bareHint({ hint }: RegistrationInput): Guess | undefined {
  return hint && { transform: hint, method: 'hint' }
}

/** Natural logarithm of the probability of at least `k` of `n` when each has probability `p` (Chernoff bound). */
function logChance(k: number, n: number, p: number): number {
  if (n <= 0 || k <= n * p) return 0
  const q = k / n
  const rest = q < 1 ? (1 - q) * Math.log((1 - q) / (1 - p)) : 0
  return -n * (q * Math.log(q / p) + rest)
}

/** Tests a map on the brightest stars: how many fall on a star of the other list, and how unlikely that is. */
class Judge {
  readonly #grid: StarGrid
  readonly #stars: readonly StarPosition[]
  readonly #size: FrameSize
  readonly #chance: number

  constructor({ science, reference, referenceSize }: RegistrationInput) {
    const targets = reference.slice(0, 3 * testStars)
    this.#grid = new StarGrid(targets, referenceSize, 16)
    this.#stars = science.slice(0, testStars)
    this.#size = referenceSize
    const area = referenceSize.width * referenceSize.height
    this.#chance = Math.min(0.5, (targets.length * Math.PI * testTolerancePixels ** 2) / area)
  }

  /** `freebies`: matches that hold by construction. Gives up early when the first dozen stars disagree. */
  judge(transform: PixelTransform, freebies: number): { readonly hits: number; readonly logChance: number } {
    let inside = 0
    let hits = 0
    for (const star of this.#stars) {
      const [x, y] = applyTransform(transform, star.x, star.y)
      if (x < 0 || y < 0 || x > this.#size.width - 1 || y > this.#size.height - 1) continue
      inside++
      if (this.#grid.nearest(x, y, testTolerancePixels) >= 0) hits++
      if (inside === 16 && hits < 4) return { hits, logChance: 0 }
    }
    return { hits, logChance: logChance(hits - freebies, inside - freebies, this.#chance) }
  }
}

function fromTriangles(input: RegistrationInput): Guess | undefined {
  if (Math.min(input.science.length, input.reference.length) < 4) return undefined
  const judge = new Judge(input)
  const plans = [
    { brightest: 22, local: 60, neighbours: 6 },
    { brightest: 36, local: 150, neighbours: 8 },
  ]
  for (const plan of plans) {
    const transform = searchTriangles(input, judge, plan)
    if (transform) return { transform, method: 'triangles' }
  }
  return undefined
}

function searchTriangles(
  { science, reference }: RegistrationInput,
  judge: Judge,
  plan: Parameters<typeof trianglesOf>[1],
): PixelTransform | undefined {
  const index = new TriangleIndex(trianglesOf(reference, plan))
  let best: { transform: PixelTransform; logChance: number } | undefined
  let tried = 0
  for (const triangle of trianglesOf(science, plan)) {
    for (const other of index.alike(triangle, 0.4)) {
      if (++tried > maximumHypotheses) return accept(best, tried)
      const similarity = similarityOf(science, triangle, reference, other)
      if (!similarity || similarity.scale < 0.5 || similarity.scale > 2) continue
      const { logChance } = judge.judge(similarity.transform, 3)
      if (logChance < (best?.logChance ?? 0)) best = { transform: similarity.transform, logChance }
    }
    if (best && best.logChance < -45) return best.transform
  }
  return accept(best, tried)
}

/** A match is believed when chance would not produce it once in ten thousand such searches. */
function accept(
  best: { transform: PixelTransform; logChance: number } | undefined,
  tried: number,
): PixelTransform | undefined {
  return best && best.logChance + Math.log(Math.max(1, tried)) < -9 ? best.transform : undefined
}

/** Few stars: assume the same telescope and camera, upright or turned by 180° about the centre, and vote for the shift. */
function fromShifts(input: RegistrationInput): Guess | undefined {
  const turned = affine([input.scienceSize.width - 1, -1, 0, input.scienceSize.height - 1, 0, -1])
  for (const start of [identity, turned]) {
    const reach = Math.max(input.scienceSize.width, input.scienceSize.height) / 2
    const transform = bestShift(input, start, reach)
    if (transform) return { transform, method: 'shift' }
  }
  return undefined
}

/** `start` moved by the shift (at most `reach` pixels) on which most star pairs agree within 2 px; undefined when chance could. */
function bestShift(input: RegistrationInput, start: PixelTransform, reach: number): PixelTransform | undefined {
  const from = input.science.slice(0, 60)
  const to = input.reference.slice(0, 90)
  const shifts: { dx: number; dy: number }[] = []
  for (const star of from) {
    const [x, y] = applyTransform(start, star.x, star.y)
    for (const other of to) {
      const dx = other.x - x
      const dy = other.y - y
      if (Math.abs(dx) <= reach && Math.abs(dy) <= reach) shifts.push({ dx, dy })
    }
  }
  const best = densest(shifts, 2)
  if (!best || best.votes < 3) return undefined
  const chance = Math.min(0.9, (Math.PI * 4 * to.length) / (input.referenceSize.width * input.referenceSize.height))
  const trials = Math.log(Math.max(1, shifts.length))
  // One pair agrees with itself, so it is no evidence.
  const believed = logChance(best.votes - 1, from.length, chance) + trials < -7
  return believed ? shifted(start, best.dx, best.dy) : undefined
}

/** The point with most others within `radius`, and their mean. */
function densest(
  points: readonly { dx: number; dy: number }[],
  radius: number,
): { dx: number; dy: number; votes: number } | undefined {
  const cells = new Map<string, { dx: number; dy: number }[]>()
  const keyOf = (dx: number, dy: number): string => `${Math.floor(dx / radius)},${Math.floor(dy / radius)}`
  for (const point of points) {
    const key = keyOf(point.dx, point.dy)
    const cell = cells.get(key)
    if (cell) cell.push(point)
    else cells.set(key, [point])
  }
  let best: { dx: number; dy: number; votes: number } | undefined
  for (const point of points) {
    const near: { dx: number; dy: number }[] = []
    for (let j = -1; j <= 1; j++)
      for (let i = -1; i <= 1; i++)
        for (const other of cells.get(keyOf(point.dx + i * radius, point.dy + j * radius)) ?? [])
          if (Math.hypot(other.dx - point.dx, other.dy - point.dy) <= radius) near.push(other)
    if (near.length <= (best?.votes ?? 0)) continue
    const mean = (pick: (p: { dx: number; dy: number }) => number): number =>
      near.reduce((sum, p) => sum + pick(p), 0) / near.length
    best = { dx: mean((p) => p.dx), dy: mean((p) => p.dy), votes: near.length }
  }
  return best
}

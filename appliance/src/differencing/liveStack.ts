import type { Compute } from '../frames/compute.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { Plane } from '../frames/plane.ts'
import type { Star } from '../preprocessing/stars.ts'
import { type Prepared, registrationStars } from './prepare.ts'
import { fluxScale } from './references.ts'
import { registerStars } from './register.ts'
import { warp } from './warp.ts'

/**
 * Live stacking: a field becomes deeper while it is imaged. Every frame is aligned to the first one and joins a mean weighted
 * by 1/σ² of its sky. The highest value of each pixel is held aside and shown only when it agrees with the others, and what
 * lies 4 σ from the mean is dropped, so satellites and cosmic rays do not stay, whichever frame they are in. In memory are
 * one frame and four planes, however many frames there were.
 */
export interface LiveStack {
  readonly facts: LiveStackFacts
  /** Of the values below the highest: ADU above the sky, in counts of the first frame. */
  readonly mean: Plane
  /** Weight of the mean, 1/ADU². */
  readonly total: Plane
  readonly held: Plane
  readonly heldWeight: Plane
}

/** Plain data: what a stack knows besides its pixels. */
export interface LiveStackFacts {
  readonly width: number
  readonly height: number
  /** Sky of the first frame. */
  readonly levelAdu: number
  /** 0 when the first frame does not say. */
  readonly gainElectronsPerAdu: number
  /** Of the first frame, brightest first. */
  readonly stars: readonly Star[]
  /** 1/σ² of the sky of the first frame, and of all of them together. */
  readonly firstWeight: number
  readonly weight: number
  readonly frames: readonly StackedFrame[]
}

export interface StackedFrame {
  readonly frameId: string
  readonly exposureSeconds: number
  /** Of its stars. */
  readonly fwhmPixels?: number
  readonly fwhmArcsec?: number
}

export type LiveStackResult =
  | { readonly ok: true; readonly stack: LiveStack; readonly isNew: boolean }
  | { readonly ok: false; readonly reason: string }

const unusable = MaskFlag.noData | MaskFlag.bad | MaskFlag.cosmicRay | MaskFlag.streak
/** Kept with a stack: more do not make a registration better. */
const mostStars = 3000

/** A stack of nothing yet on the grid of `first`. Allocates its planes from `compute`. */
export function beginLiveStack(compute: Compute, first: Prepared): LiveStack {
  const { width, height } = first.plane
  const facts: LiveStackFacts = {
    ...{ width, height, levelAdu: first.levelAdu, gainElectronsPerAdu: first.gainElectronsPerAdu ?? 0 },
    stars: [...first.stars].sort((a, b) => b.fluxAdu - a.fluxAdu).slice(0, mostStars),
    ...{ firstWeight: first.rmsAdu ** -2, weight: 0, frames: [] },
  }
  const plane = (): Plane => compute.float32(width, height)
  return { facts, mean: plane(), total: plane(), held: plane(), heldWeight: plane() }
}

/**
 * Adds a frame to the stack's planes, in place; the result has its facts. A frame that is in it already changes nothing
 * (`isNew` false); one that shows another field comes back as a reason.
 */
export function addToLiveStack(
  compute: Compute,
  stack: LiveStack,
  frame: Prepared,
  added: StackedFrame,
): LiveStackResult {
  const { facts } = stack
  if (facts.frames.some(({ frameId }) => frameId === added.frameId)) return { ok: true, stack, isNew: false }
  const result = registerStars({
    science: registrationStars(facts.stars),
    reference: registrationStars(frame.stars),
    scienceSize: facts,
    referenceSize: frame.plane,
  })
  if (!result.ok) return result
  const { registration } = result
  const scale = facts.frames.length === 0 ? 1 : fluxScale(facts, frame, registration)
  const weight = (scale * frame.rmsAdu) ** -2
  using _scratch = compute.scope()
  const source = { science: frame.plane, mask: frame.mask, variance: undefined }
  const { science, mask } = warp(compute, source, registration.transform, facts)
  const perSignal = frame.gainElectronsPerAdu ? scale / frame.gainElectronsPerAdu : 0
  const planes = [stack.mean, stack.total, stack.held, stack.heldWeight].map(({ pointer }) => pointer)
  compute.rows('liveStackAdd', facts.height, [
    ...[science.pointer, mask.pointer, facts.width, scale, weight, perSignal, unusable],
    ...planes,
  ])
  const grown = { ...facts, weight: facts.weight + weight, frames: [...facts.frames, added] }
  return { ok: true, stack: { ...stack, facts: grown }, isNew: true }
}

/** The picture: ADU with the first frame's sky; NaN where no frame has a value. Allocated from `compute`. */
export function showLiveStack(compute: Compute, { facts, mean, total, held, heldWeight }: LiveStack): Plane {
  const { width, height, gainElectronsPerAdu: gain, levelAdu } = facts
  const out = compute.view(Float32Array, compute.allocate(4 * width * height), width, height)
  const pointers = [mean, total, held, heldWeight, out].map(({ pointer }) => pointer)
  compute.rows('liveStackShow', height, [...pointers, width, gain > 0 ? 1 / gain : 0, levelAdu])
  return out
}

/** How much fainter the stack shows things than its first frame did, in magnitudes: 1.25 log₁₀ of the ratio of weights. */
export function depthGainMag({ weight, firstWeight }: LiveStackFacts): number {
  return weight > 0 ? 1.25 * Math.log10(weight / firstWeight) : 0
}

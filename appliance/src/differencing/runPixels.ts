import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { LiveStackState } from '../contract/api.ts'
import type { Compute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { encodeGreyPng } from '../frames/png.ts'
import { pixelScaleArcsec, pixelToSky } from '../frames/wcs.ts'
import type { Gate } from '../preprocessing/gates.ts'
import { measuredExtensions } from '../preprocessing/measuredFrame.ts'
import { canonicalJson } from '../store/canonical.ts'
import { hashBytes, writeDurably } from '../store/frameFiles.ts'
import { livePaths, removeEarlierNights, replaceLivePixels, replaceNewest } from '../store/liveFiles.ts'
import type { Candidate } from './candidates.ts'
import { cutout } from './cutout.ts'
import { type Difference, differencePrepared } from './difference.ts'
import { addToLiveStack, beginLiveStack, type LiveStack } from './liveStack.ts'
import { liveStackBytes, readLiveStack, stackedFrames } from './liveStackFile.ts'
import { describeLiveStack, drawLiveStack } from './liveStackPicture.ts'
import { type Prepared, readPrepared } from './prepare.ts'
import { buildReference } from './references.ts'

/** What `run.ts` asks of the pixel worker: files in, files and plain numbers out. Bytes depend on nothing but the input. */

/** A candidate as it waits for the detection stage. */
export interface StoredCandidate extends Candidate {
  readonly raDeg?: number
  readonly decDeg?: number
}

export interface DifferenceInput {
  readonly folder: string
  readonly sciencePath: string
  readonly referencePath: string
  /** Relative to the folder. */
  readonly candidatesPath: string
  /** Relative to the folder; `-<index>` is added for each candidate. */
  readonly stampsPrefix: string
}

/** Stamps are drawn for this many candidates, the most significant; no frame should have more to show. */
const mostStamps = 100
/** Above this many standard deviations of the sky a stamp's grey turns from linear to logarithmic. */
const kneeSigma = 6

export async function differenceFiles(
  compute: Compute,
  input: DifferenceInput,
): Promise<{ readonly candidates: number; readonly engine: string; readonly gates: readonly Gate[] }> {
  const science = readPrepared(compute, input.sciencePath, 'science')
  const difference = differencePrepared(compute, science, readPrepared(compute, input.referencePath, 'reference'))
  const { wcs } = science
  const positive = difference.candidates.filter((candidate) => candidate.scorr > 0).slice(0, mostStamps)
  const stored = positive.map(
    (candidate): StoredCandidate => ({ ...candidate, ...(wcs && pixelToSky(wcs, candidate.x, candidate.y)) }),
  )
  for (const [index, candidate] of positive.entries())
    await writeStamps(join(input.folder, `${input.stampsPrefix}-${index}`), difference, candidate)
  await writeDurably(join(input.folder, input.candidatesPath), Buffer.from(canonicalJson(stored)))
  const { engine, gates } = difference.summary
  return {
    candidates: difference.candidates.length,
    engine,
    gates: gates.filter(({ value }) => Number.isFinite(value)),
  }
}

/** Three pictures with one stretch for science and reference, so that the eye may compare them. */
async function writeStamps(folder: string, difference: Difference, { x, y }: Candidate): Promise<void> {
  const science = cutout(difference.science, x, y)
  const reference = cutout(difference.alignedReference, x, y)
  const [low, high] = range(science, 0.05, 0.995)
  const [dim, sky] = range(science, 0.16, 0.5)
  const knee = (kneeSigma * (sky - dim)) / (high - low)
  const change = cutout(difference.difference, x, y)
  const [, most] = range(change.map(Math.abs), 0, 0.995)
  const pictures = {
    science: grey(science, low, high, knee),
    reference: grey(reference, low, high, knee),
    difference: grey(change, -most, most),
  }
  for (const [name, pixels] of Object.entries(pictures)) {
    const size = Math.sqrt(pixels.length)
    await writeDurably(join(folder, `${name}.png`), encodeGreyPng(pixels, size, size))
  }
}

function range(values: Float32Array, low: number, high: number): readonly [number, number] {
  const sorted = values.filter(Number.isFinite).sort()
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return [at(low), at(high)]
}

/** Bytes between two values, asinh above a `knee` (a share of the range), so that a bright neighbour leaves the faint visible. */
function grey(values: Float32Array, low: number, high: number, knee = Number.POSITIVE_INFINITY): Uint8Array {
  const range = Math.max(1e-6, high - low)
  const shown = knee > 0 && knee < 1 ? (t: number) => Math.asinh(t / knee) / Math.asinh(1 / knee) : (t: number) => t
  return Uint8Array.from(values, (value) => {
    const t = ((Number.isNaN(value) ? low : value) - low) / range
    return Math.round(255 * shown(Math.max(0, Math.min(1, t))))
  })
}

export interface ReferenceInput {
  readonly paths: readonly string[]
  /** The data folder. */
  readonly folder: string
  readonly referenceId: string
}

export interface StackedReference {
  /** Relative to the data folder; named by its content. */
  readonly path: string
  readonly sha256: string
  /** How many of the inputs could be aligned. */
  readonly frames: number
  readonly fwhmPixels: number
  readonly rmsAdu: number
  readonly coverage: number
}

/** Stacks calibrated frames into a reference and writes it under the name of its sha256. */
export async function stackReference(compute: Compute, input: ReferenceInput): Promise<StackedReference> {
  const spillFolder = join(input.folder, 'references')
  const { frame, ...facts } = buildReference(compute, input.paths, { spillFolder })
  const header = frame.header.with('REFID', input.referenceId)
  const bytes = encodeFrame({ ...frame, header }, { extensions: measuredExtensions(facts) })
  const path = `references/${hashBytes(bytes)}.fits`
  const { sha256 } = await writeDurably(join(input.folder, path), bytes)
  return {
    path,
    sha256,
    frames: header.number('NCOMBINE') ?? input.paths.length,
    fwhmPixels: header.number('REFFWHM') ?? 0,
    rmsAdu: facts.background.globalRmsAdu,
    coverage: header.number('REFCOVER') ?? 1,
  }
}

export interface GrowInput {
  /** The data folder. */
  readonly folder: string
  readonly nightId: string
  readonly fieldId: string
  readonly filter: string
  /** Good frames of the night, field and filter, oldest first. */
  readonly frames: readonly FrameToStack[]
}

export interface FrameToStack {
  readonly frameId: string
  readonly exposureSeconds: number
  /** Of the calibrated frame, absolute. */
  readonly path: string
}

/**
 * So many frames together join a stack of `stacked`: a tenth more is seen, and each time the whole stack is written, sixteen
 * bytes a pixel. A night of 600 frames writes it 58 times.
 */
function dueFrames(stacked: number): number {
  return Math.max(1, Math.floor(stacked / 10))
}

/**
 * Adds the frames that came after the last one in the stack of their night, field and filter, when they are enough; draws
 * the picture and says what it shows, with the reason where the newest frame is not in it. Undefined when nothing was done.
 * Throws `differencing/liveStack` when the newest frame cannot begin a stack.
 */
export async function growLiveStack(compute: Compute, input: GrowInput): Promise<LiveStackState | undefined> {
  const { folder, nightId, fieldId, filter, frames } = input
  await removeEarlierNights(folder, nightId)
  const { stack: path, picture } = livePaths(nightId, fieldId, filter)
  const stacked = stackedFrames(join(folder, path))
  const waiting = stacked ? framesAfter(frames, stacked.at(-1)?.frameId) : frames.slice(-1)
  if (waiting.length < dueFrames(stacked?.length ?? 0)) return undefined
  const known = readLiveStack(compute, join(folder, path))
  const { stack, left } = joinFrames(compute, known, waiting)
  if (stack.facts.frames.length === 0) throw new NightjarError('differencing/liveStack', left?.reason ?? 'no frame')
  if (stack !== known) {
    await replaceLivePixels(folder, path, liveStackBytes(stack))
    await replaceLivePixels(folder, picture, drawLiveStack(compute, stack))
  }
  const state = describeLiveStack(input, stack, left)
  await replaceNewest(folder, { ...state, picture })
  return state
}

/** None when that frame is not among them: they are older, of a frame that is worked a second time. */
function framesAfter(frames: readonly FrameToStack[], last: string | undefined): readonly FrameToStack[] {
  const index = frames.findIndex(({ frameId }) => frameId === last)
  return index < 0 ? [] : frames.slice(index + 1)
}

/** `left`: the newest frame where it could not join. */
function joinFrames(
  compute: Compute,
  known: LiveStack | undefined,
  waiting: readonly FrameToStack[],
): { readonly stack: LiveStack; readonly left?: LiveStackState['left'] } {
  let stack = known
  let left: LiveStackState['left']
  for (const { frameId, exposureSeconds, path } of waiting) {
    using _frame = stack && compute.scope()
    const frame = readPrepared(compute, path)
    stack ??= beginLiveStack(compute, frame)
    const result = addToLiveStack(compute, stack, frame, { frameId, exposureSeconds, ...widthOf(frame) })
    if (result.ok) stack = result.stack
    left = result.ok ? undefined : { frameId, reason: result.reason }
  }
  if (!stack) throw new RangeError('no frame waits for the stack')
  return { stack, ...(left && { left }) }
}

function widthOf({ fwhmPixels, wcs }: Prepared): { readonly fwhmPixels?: number; readonly fwhmArcsec?: number } {
  if (!Number.isFinite(fwhmPixels)) return {}
  return { fwhmPixels, ...(wcs && { fwhmArcsec: fwhmPixels * pixelScaleArcsec(wcs) }) }
}

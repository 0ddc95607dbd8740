import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import {
  addToLiveStack,
  beginLiveStack,
  depthGainMag,
  type LiveStack,
  showLiveStack,
} from '../differencing/liveStack.ts'
import { drawLiveStack } from '../differencing/liveStackPicture.ts'
import { prepare } from '../differencing/prepare.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import type { FitsHeader } from '../frames/fits/header.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { MaskFlag } from '../frames/mask.ts'
import { readMeasured } from '../preprocessing/measuredFrame.ts'
import { replaceFile } from './replaceFile.ts'

export const help = `Usage: nightjar stack FILE… --out STACK.fits [--preview STACK.png] [--json]

Aligns frames of one field to the first by their stars, and averages them weighted by the noise of their sky. Satellites and
cosmic rays that pass through one frame are left out. A frame that cannot be aligned is named and left out too.

  --out STACK.fits    the average in counts of the first frame, with its header, NCOMBINE and the total EXPTIME
  --preview STACK.png a stretched picture, at most 1600 pixels wide
  --json              prints one JSON object`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { out: { type: 'string' }, preview: { type: 'string' }, json: { type: 'boolean', default: false } },
  })
  const { out, preview, json } = values
  if (positionals.length === 0) throw new NightjarError('cli/usage', 'name at least one FITS file')
  if (out === undefined) throw new NightjarError('cli/usage', 'name the file for the result: --out STACK.fits')
  if (positionals.includes(out)) throw new NightjarError('cli/usage', `${out} would replace one of the frames`)
  using compute = createCompute()
  const { stack, header, left } = stackFiles(compute, positionals)
  await replaceFile(out, encodeStack(compute, stack, header))
  if (preview !== undefined) await replaceFile(preview, drawLiveStack(compute, stack))
  report(out, stack, left, json)
  return 0
}

interface Stacked {
  readonly stack: LiveStack
  /** Of the first frame. */
  readonly header: FitsHeader
  /** Files that could not be aligned, with the reason. */
  readonly left: readonly { readonly path: string; readonly reason: string }[]
}

function stackFiles(compute: Compute, paths: readonly string[]): Stacked {
  const [first] = paths
  const { stack: empty, header } = beginWith(compute, first!)
  let stack = empty
  const left: { path: string; reason: string }[] = []
  for (const path of paths) {
    using _frame = compute.scope()
    const { frame, ...measured } = readMeasured(compute, path)
    const prepared = prepare(compute, frame, { measured, name: path, inPlace: true })
    const exposureSeconds = frame.header.number('EXPTIME') ?? frame.header.number('EXPOSURE') ?? 0
    const result = addToLiveStack(compute, stack, prepared, { frameId: path, exposureSeconds })
    if (result.ok) stack = result.stack
    else left.push({ path, reason: result.reason })
  }
  if (stack.facts.frames.length > 0) return { stack, header, left }
  throw new NightjarError('cli/stack', `no frame could be aligned: ${left[0]?.reason}`)
}

/** The planes of the stack lie below what the scopes of the frames give back, so the first frame is read beside them. */
function beginWith(compute: Compute, path: string): { readonly stack: LiveStack; readonly header: FitsHeader } {
  const { frame, ...measured } = readMeasured(compute, path)
  const prepared = prepare(compute, frame, { measured, name: path, inPlace: true })
  return { stack: beginLiveStack(compute, prepared), header: frame.header }
}

function encodeStack(compute: Compute, stack: LiveStack, header: FitsHeader): Uint8Array {
  using _scratch = compute.scope()
  const { width, height, frames } = stack.facts
  const science = showLiveStack(compute, stack)
  const mask = compute.uint16(width, height)
  for (let i = 0; i < mask.data.length; i++) if (Number.isNaN(science.data[i])) mask.data[i] = MaskFlag.noData
  const seconds = frames.reduce((sum, { exposureSeconds }) => sum + exposureSeconds, 0)
  const made = header
    .with('NCOMBINE', frames.length, 'frames averaged')
    .with('EXPTIME', seconds, 'seconds, of all frames together')
    .withHistory(`stack: ${frames.length} frames on the grid of the first, weighted mean, 4 sigma clip`)
  return encodeFrame({ header: made, width, height, science, mask, variance: undefined })
}

function report(out: string, { facts }: LiveStack, left: Stacked['left'], json: boolean): void {
  const frames = facts.frames.length
  const gain = depthGainMag(facts)
  if (json) return console.log(JSON.stringify({ path: out, frames, depthGainMag: gain, left }))
  for (const { path, reason } of left) console.log(`left out ${path}: ${reason}`)
  console.log(`${out}: ${frames} ${frames === 1 ? 'frame' : 'frames'}, ${gain.toFixed(2)} mag deeper than the first`)
}

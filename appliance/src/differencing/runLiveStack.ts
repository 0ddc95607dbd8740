import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { LiveStackState } from '../contract/api.ts'
import type { Compute } from '../frames/compute.ts'
import { encodeGreyPng } from '../frames/png.ts'
import { stretchPreview } from '../frames/preview.ts'
import { hashBytes, replaceDurably } from '../store/frameFiles.ts'
import { addToLiveStack, beginLiveStack, depthGainMag, type LiveStack, showLiveStack } from './liveStack.ts'
import { liveFolder, liveStackBytes, newestName, readLiveStack } from './liveStackFile.ts'
import { readPrepared } from './prepare.ts'

/** What `run.ts` asks of the pixel worker for the live stack of the night. */

export interface GrowInput {
  /** The data folder. */
  readonly folder: string
  readonly nightId: string
  readonly fieldId: string
  readonly filter: string
  readonly frameId: string
  readonly exposureSeconds: number
  /** Of the calibrated frame, absolute. */
  readonly path: string
}

const pictureWidth = 1600

/**
 * Adds a frame to the stack of its night, field and filter, draws the picture and says what it shows. The same frame again
 * changes nothing. Throws `differencing/liveStack` with the reason when the frame cannot be aligned.
 */
export async function growLiveStack(
  compute: Compute,
  input: GrowInput,
): Promise<{ readonly state: LiveStackState; readonly isNew: boolean }> {
  const { folder, nightId, fieldId, filter, frameId, exposureSeconds } = input
  await removeEarlierNights(join(folder, liveFolder), nightId)
  const name = `${liveFolder}/${nightId}/${hashBytes(Buffer.from(`${fieldId}/${filter}`)).slice(0, 16)}`
  const known = readLiveStack(compute, join(folder, `${name}.stack`))
  const frame = readPrepared(compute, input.path)
  const before = known ?? beginLiveStack(compute, frame)
  const result = addToLiveStack(compute, before, frame, { frameId, exposureSeconds })
  if (!result.ok) throw new NightjarError('differencing/liveStack', result.reason)
  const { stack, isNew } = result
  if (isNew) await replaceDurably(join(folder, `${name}.stack`), liveStackBytes(stack))
  const state = stateOf(input, stack)
  await replaceDurably(join(folder, `${name}.png`), drawLiveStack(compute, stack))
  const newest = { ...state, picture: `${name}.png` }
  await replaceDurably(join(folder, liveFolder, newestName), Buffer.from(JSON.stringify(newest)))
  return { state, isNew }
}

/** A stretched PNG, at most 1600 pixels wide. */
export function drawLiveStack(compute: Compute, stack: LiveStack): Uint8Array {
  using _scratch = compute.scope()
  const { pixels, width, height } = stretchPreview(compute, showLiveStack(compute, stack), undefined, {
    maxWidth: pictureWidth,
  })
  return encodeGreyPng(pixels, width, height)
}

function stateOf({ nightId, fieldId, filter, frameId }: GrowInput, { facts }: LiveStack): LiveStackState {
  return {
    ...{ nightId, fieldId, filter, lastFrameId: frameId, frames: facts.frames.length },
    exposureSeconds: facts.frames.reduce((sum, frame) => sum + frame.exposureSeconds, 0),
    depthGainMag: depthGainMag(facts),
  }
}

/** A stack takes sixteen bytes a pixel: only the night that goes on keeps its own. */
async function removeEarlierNights(live: string, nightId: string): Promise<void> {
  const entries = await readdir(live, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.isDirectory() && entry.name < nightId) await rm(join(live, entry.name), { recursive: true, force: true })
  }
}

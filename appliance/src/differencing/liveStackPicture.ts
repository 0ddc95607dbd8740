import type { LiveStackState } from '../contract/api.ts'
import type { Compute } from '../frames/compute.ts'
import { encodeGreyPng } from '../frames/png.ts'
import { stretchPreview } from '../frames/preview.ts'
import { depthGainMag, type LiveStack, showLiveStack } from './liveStack.ts'

/** What people see of a live stack. */
const pictureWidth = 1600

/** A stretched PNG, at most 1600 pixels wide. */
export function drawLiveStack(compute: Compute, stack: LiveStack): Uint8Array {
  using _scratch = compute.scope()
  const { pixels, width, height } = stretchPreview(compute, showLiveStack(compute, stack), undefined, {
    maxWidth: pictureWidth,
  })
  return encodeGreyPng(pixels, width, height)
}

/** A stack in numbers; `left` is the newest frame where that is not in it. */
export function describeLiveStack(
  of: Pick<LiveStackState, 'nightId' | 'fieldId' | 'filter'>,
  { facts }: LiveStack,
  left?: LiveStackState['left'],
): LiveStackState {
  const last = facts.frames.at(-1)
  return {
    ...{ nightId: of.nightId, fieldId: of.fieldId, filter: of.filter },
    ...{ lastFrameId: last?.frameId ?? '', frames: facts.frames.length },
    exposureSeconds: facts.frames.reduce((sum, frame) => sum + frame.exposureSeconds, 0),
    depthGainMag: depthGainMag(facts),
    ...(last?.fwhmPixels !== undefined && { fwhmPixels: last.fwhmPixels }),
    ...(last?.fwhmArcsec !== undefined && { fwhmArcsec: last.fwhmArcsec }),
    ...(left && { left }),
  }
}

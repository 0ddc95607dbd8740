import type { CameraSettings } from '../contract/config.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane } from '../frames/plane.ts'

/** A saturated run at least this long has bled: the pixels next to its ends are not to be trusted. */
const bloomRun = 5
/** How many beyond each end. */
const reach = 3

/**
 * Marks the pixels beyond both ends of every long saturated run along columns or rows, the way the camera's charge bleeds.
 * `rows` tells which rows have saturated pixels, so that frames without any cost nothing.
 */
export function markBloom(mask: MaskPlane, rows: Int32Array, direction: NonNullable<CameraSettings['bloom']>): void {
  if (direction === 'columns' || direction === 'both') markRuns(mask, rows, 'column')
  if (direction === 'rows' || direction === 'both') markRuns(mask, rows, 'row')
}

function markRuns(mask: MaskPlane, rows: Int32Array, along: 'row' | 'column'): void {
  const { width, height, data } = mask
  const step = along === 'column' ? width : 1
  const isSaturated = (at: number): boolean => (data[at]! & MaskFlag.saturated) !== 0
  for (let y = 0; y < height; y++) {
    if (rows[y] === 0) continue
    for (let x = 0; x < width; x++) {
      const at = y * width + x
      const [place, size] = along === 'column' ? [y, height] : [x, width]
      if (!isSaturated(at) || (place > 0 && isSaturated(at - step))) continue
      let length = 1
      while (place + length < size && isSaturated(at + length * step)) length++
      if (length >= bloomRun) markEnds(data, at, step, place, length, size)
    }
  }
}

function markEnds(bits: Uint16Array, at: number, step: number, place: number, length: number, size: number): void {
  for (let k = 1; k <= reach; k++) {
    if (place - k >= 0) bits[at - k * step]! |= MaskFlag.bloom
    if (place + length - 1 + k < size) bits[at + (length - 1 + k) * step]! |= MaskFlag.bloom
  }
}

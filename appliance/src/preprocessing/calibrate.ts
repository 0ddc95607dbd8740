import type { CameraSettings } from '../contract/config.ts'
import type { Compute } from '../frames/compute.ts'
import { real } from '../frames/fits/header.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'
import type { MaskPlane, Plane } from '../frames/plane.ts'
import { preprocessingError } from './errors.ts'

/** What a raw frame is corrected with; every plane has the frame's shape. */
export interface Masters {
  /** ADU. */
  readonly bias?: Plane | undefined
  /** Bias-subtracted, ADU in `exposureSeconds`. */
  readonly dark?: { readonly plane: Plane; readonly exposureSeconds: number } | undefined
  /** Mean 1. */
  readonly flat?: Plane | undefined
  readonly defects?: MaskPlane | undefined
}

export type CameraFacts = Pick<CameraSettings, 'gainElectronsPerAdu' | 'readNoiseElectrons' | 'saturationAdu'>

/**
 * Bias, dark and flat correction with mask and variance, as a new frame. signal = raw − bias; science = (signal − t·dark) /
 * flat in ADU; variance = (signal/g + (r/g)²) / flat² in ADU² with g the gain in e⁻/ADU and r the read noise in e⁻ (Howell,
 * Handbook of CCD Astronomy, eq. 4.4, before averaging); t is the ratio of the exposure times. Noise of the masters is left
 * out: a master of n frames adds 1/n of one frame's read noise. Saturated pixels and the columns that bled from them are
 * marked. Throws `preprocessing/shape` when a master has another shape.
 */
export function calibrate(compute: Compute, raw: Frame, masters: Masters, camera: CameraFacts): Frame {
  const { width, height } = raw
  for (const [name, plane] of Object.entries({
    bias: masters.bias,
    dark: masters.dark?.plane,
    flat: masters.flat,
    defects: masters.defects,
  })) {
    if (plane && (plane.width !== width || plane.height !== height)) {
      const sizes = `${plane.width} × ${plane.height}, the frame ${width} × ${height}`
      throw preprocessingError(
        'shape',
        `the ${name} master has ${sizes} pixels: use a master of the same camera and binning`,
      )
    }
  }
  // Every pixel is written: planes of zeros would be filled twice.
  const science = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const variance = compute.view(Float32Array, compute.allocate(width * height * 4), width, height)
  const mask = compute.view(Uint16Array, compute.allocate(width * height * 2), width, height)
  mask.data.set(raw.mask.data)
  const darkScale = masters.dark ? darkRatio(raw, masters.dark.exposureSeconds) : 0
  const { gainElectronsPerAdu: gain, readNoiseElectrons, saturationAdu } = camera
  const readVariance = (readNoiseElectrons / gain) ** 2
  compute.rows('calibrateRows', height, [
    raw.science.pointer,
    masters.bias?.pointer ?? 0,
    masters.dark?.plane.pointer ?? 0,
    masters.flat?.pointer ?? 0,
    masters.defects?.pointer ?? 0,
    mask.pointer,
    science.pointer,
    variance.pointer,
    width,
    darkScale,
    1 / gain,
    readVariance,
    saturationAdu,
  ])
  markBloom(mask)
  const used = Object.entries({ bias: masters.bias, dark: masters.dark, flat: masters.flat, defects: masters.defects })
    .flatMap(([name, master]) => (master ? [name] : []))
    .join(' ')
  const header = raw.header
    .withAll({
      EGAIN: [real(gain), '[e-/ADU]'],
      RDNOISE: [real(readNoiseElectrons), '[e-]'],
      SATURATE: [real(saturationAdu), '[ADU] in the raw frame'],
    })
    .withHistory(
      `nightjar calibrate 1: ${used || 'nothing'}${masters.dark ? `, dark scaled by ${darkScale.toPrecision(4)}` : ''}`,
    )
  return { header, width, height, science, mask, variance }
}

/** A dark without exposure time is taken as it is. */
function darkRatio(raw: Frame, darkSeconds: number): number {
  const seconds = raw.header.number('EXPTIME') ?? raw.header.number('EXPOSURE')
  return seconds === undefined || darkSeconds <= 0 ? 1 : seconds / darkSeconds
}

/** Saturated runs along a column at least this long have bled: the pixels next to their ends are not to be trusted. */
const bloomRun = 5

/** Marks three pixels beyond both ends of every long saturated run in a column. */
function markBloom(mask: MaskPlane): void {
  const { width, height, data } = mask
  const isSaturated = (at: number): boolean => (data[at]! & MaskFlag.saturated) !== 0
  for (const at of saturatedPixels(mask)) {
    if (at >= width && isSaturated(at - width)) continue
    let end = at
    while (end + width < data.length && isSaturated(end + width)) end += width
    const [first, last] = [Math.floor(at / width), Math.floor(end / width)]
    if (last - first + 1 >= bloomRun) markEnds(data, width, height, at % width, first, last)
  }
}

/** Their indices; looks at two pixels at a time, since nearly all frames are nearly free of them. */
function saturatedPixels({ data }: MaskPlane): number[] {
  const pairs = new Uint32Array(data.buffer, data.byteOffset, data.length >> 1)
  const both = MaskFlag.saturated | (MaskFlag.saturated << 16)
  const found: number[] = []
  for (let pair = 0; pair < pairs.length; pair++) {
    if ((pairs[pair]! & both) === 0) continue
    for (let at = 2 * pair; at <= 2 * pair + 1; at++) if ((data[at]! & MaskFlag.saturated) !== 0) found.push(at)
  }
  const last = data.length - 1
  if (data.length % 2 === 1 && (data[last]! & MaskFlag.saturated) !== 0) found.push(last)
  return found
}

function markEnds(bits: Uint16Array, width: number, height: number, x: number, first: number, last: number): void {
  for (let step = 1; step <= 3; step++) {
    if (first - step >= 0) bits[(first - step) * width + x]! |= MaskFlag.bloom
    if (last + step < height) bits[(last + step) * width + x]! |= MaskFlag.bloom
  }
}

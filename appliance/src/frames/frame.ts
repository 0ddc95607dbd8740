import type { FitsHeader } from './fits/header.ts'
import type { MaskPlane, Plane } from './plane.ts'

/**
 * One exposure, never changed after it is made. Image, mask and variance travel together and have the same shape. A stage
 * returns new planes and appends its name, version and parameters to HISTORY.
 */
export interface Frame {
  readonly header: FitsHeader
  readonly width: number
  readonly height: number
  /** ADU. */
  readonly science: Plane
  readonly mask: MaskPlane
  /** ADU², or undefined before calibration. */
  readonly variance: Plane | undefined
}

/** Why a pixel may not be trusted. Bits add up; 0 is a good pixel. Written to FITS as the MASK extension. */
export const MaskFlag = {
  /** No value: outside the frame after resampling, BLANK or NaN on disk. */
  noData: 1,
  /** Defect map or dark: dead, hot, unstable. */
  bad: 2,
  /** At or above the saturation level. */
  saturated: 4,
  /** Charge bled from a saturated pixel. */
  bloom: 8,
  cosmicRay: 16,
  /** Satellite or aircraft. */
  streak: 32,
  /** Too near the border for the kernel that made it. */
  edge: 64,
  /** Value replaced from neighbours or a model. */
  interpolated: 128,
} as const
export type MaskFlag = (typeof MaskFlag)[keyof typeof MaskFlag]

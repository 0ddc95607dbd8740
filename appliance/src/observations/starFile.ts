/**
 * The layout of the star catalogue file, shared by its builder and its reader. Little-endian throughout:
 *
 * | bytes | what |
 * | --- | --- |
 * | 0–7 | magic `NJSTAR01` |
 * | 8–11 | number of stars N, uint32 |
 * | 12–15 | number of cells C, uint32 |
 * | 16–47 | SHA-256 of everything from byte 48 on |
 * | 48… | first star of each cell, uint32 × (C + 1) |
 * | then | N stars of 3 uint16: RA offset, Dec offset (1/65536 of the cell, to the middle of the step), V_T in millimag + 2000 |
 *
 * Cells are 1° high zones from the south pole up, each cut into cells about 1° wide; brightest star first in each cell.
 */
export const STAR_FILE_MAGIC = 'NJSTAR01'
export const STAR_FILE_HEADER_BYTES = 48
export const STAR_BYTES = 6
export const ZONES = 180
const MAG_OFFSET_MILLIMAG = 2000
const STEPS = 65536

/** Number of cells in zone `zone`, which spans Dec `zone - 90` to `zone - 89` degrees. */
export function cellsInZone(zone: number): number {
  return Math.max(3, Math.round(360 * Math.cos(((zone - 89.5) * Math.PI) / 180)))
}

/** First cell of every zone; the last element is the total number of cells. */
export function zoneStarts(): Uint32Array {
  const starts = new Uint32Array(ZONES + 1)
  for (let zone = 0; zone < ZONES; zone++) starts[zone + 1] = starts[zone]! + cellsInZone(zone)
  return starts
}

/** Zone of a declination in degrees. */
export function zoneOf(decDeg: number): number {
  return Math.min(ZONES - 1, Math.max(0, Math.floor(decDeg + 90)))
}

/** Cell within its zone of a right ascension in degrees, any turn. */
export function cellInZone(zone: number, raDeg: number): number {
  const count = cellsInZone(zone)
  const turn = raDeg / 360 - Math.floor(raDeg / 360)
  return Math.min(count - 1, Math.floor(turn * count))
}

/** 0…65535 for a fraction [0, 1) of a cell. */
export function packOffset(fraction: number): number {
  return Math.min(STEPS - 1, Math.max(0, Math.floor(fraction * STEPS)))
}

/** The middle of the step, as a fraction of the cell. */
export function unpackOffset(step: number): number {
  return (step + 0.5) / STEPS
}

export function packMag(mag: number): number {
  return Math.min(STEPS - 1, Math.max(0, Math.round(mag * 1000) + MAG_OFFSET_MILLIMAG))
}

export function unpackMag(stored: number): number {
  return (stored - MAG_OFFSET_MILLIMAG) / 1000
}

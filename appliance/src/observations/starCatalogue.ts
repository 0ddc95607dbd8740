/**
 * The stars that ship with Nightjar: Tycho-2 (Høg et al. 2000, A&A 355, L27), 1.87 million stars to V_T ≈ 12, positions
 * good to 0.03″ in the file, without proper motion (J2000). The solver matches frames against it and the simulated sky is
 * drawn from it. The layout of the file is described in starFile.ts; scripts/reference/star-catalogue.ts makes it.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'
import { fileURLToPath } from 'node:url'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import {
  cellInZone,
  cellsInZone,
  STAR_BYTES,
  STAR_FILE_HEADER_BYTES,
  STAR_FILE_MAGIC,
  unpackMag,
  unpackOffset,
  zoneOf,
  zoneStarts,
} from './starFile.ts'

export interface CatalogueStar {
  /** ICRS degrees, [0, 360). */
  readonly raDeg: number
  readonly decDeg: number
  /** V_T (Tycho); about V + 0.09 (B−V). */
  readonly mag: number
  /** B − V in Johnson's system, in catalogues that have it: the shipped one does not. */
  readonly bvMag?: number
}

export interface StarLimits {
  /** Stars fainter than this are left out. */
  readonly limitMag?: number
  /** At most this many, the brightest. */
  readonly max?: number
}

export interface StarCatalogue {
  readonly starCount: number
  /** Stars within `radiusDeg` of a place (ICRS degrees), brightest first. Throws `catalogue/place` for a place that is none. */
  starsNear(raDeg: number, decDeg: number, radiusDeg: number, limits?: StarLimits): CatalogueStar[]
}

const DEG = Math.PI / 180
const SHIPPED = fileURLToPath(new URL('../../catalogue/tycho2.njc', import.meta.url))

interface StarFile {
  readonly firsts: Uint32Array
  /** Three per star: RA step, Dec step, stored magnitude. */
  readonly stars: Uint16Array
}

/**
 * Opens a star catalogue, the shipped one by default. The file is read and its hash checked at the first question, so
 * opening costs nothing. Then throws `catalogue/unreadable` or `catalogue/damaged`, naming the file.
 */
export function openStarCatalogue(path: string = SHIPPED): StarCatalogue {
  let file: StarFile | undefined
  const starts = zoneStarts()
  const load = (): StarFile => (file ??= readStarFile(path, starts.at(-1)!))
  return {
    get starCount() {
      return load().stars.length / 3
    },
    starsNear(raDeg, decDeg, radiusDeg, limits = {}) {
      if (!(Number.isFinite(raDeg) && Math.abs(decDeg) <= 90 && radiusDeg >= 0 && radiusDeg <= 180)) {
        throw new NightjarError(
          'catalogue/place',
          `no such circle on the sky: RA ${raDeg}°, Dec ${decDeg}°, radius ${radiusDeg}°`,
        )
      }
      const found: CatalogueStar[] = []
      const limit = limits.limitMag ?? Number.POSITIVE_INFINITY
      const { firsts, stars } = load()
      const inside = withinCircle(raDeg, decDeg, radiusDeg)
      for (const { zone, column } of cellsNear(raDeg, decDeg, radiusDeg)) {
        const cell = starts[zone]! + column
        const count = cellsInZone(zone)
        for (let i = firsts[cell]!; i < firsts[cell + 1]!; i++) {
          const mag = unpackMag(stars[i * 3 + 2]!)
          if (mag > limit) break
          const ra = ((column + unpackOffset(stars[i * 3]!)) * 360) / count
          const dec = zone - 90 + unpackOffset(stars[i * 3 + 1]!)
          if (inside(ra, dec)) found.push({ raDeg: ra, decDeg: dec, mag })
        }
      }
      found.sort((a, b) => a.mag - b.mag || a.raDeg - b.raDeg || a.decDeg - b.decDeg)
      if (limits.max !== undefined && found.length > limits.max) found.length = Math.max(0, limits.max)
      return found
    },
  }
}

/** Tests for points inside a circle; haversine, so exact for small radii. */
function withinCircle(raDeg: number, decDeg: number, radiusDeg: number): (raDeg: number, decDeg: number) => boolean {
  const bound = Math.sin((Math.min(180, radiusDeg) * DEG) / 2) ** 2
  const cosCentre = Math.cos(decDeg * DEG)
  return (ra, dec) => {
    const half = Math.sin(((dec - decDeg) * DEG) / 2)
    if (half * half > bound) return false
    const turn = Math.sin(((ra - raDeg) * DEG) / 2)
    return half * half + cosCentre * Math.cos(dec * DEG) * turn * turn <= bound
  }
}

/** Every cell that a circle on the sky may touch. */
export function cellsNear(raDeg: number, decDeg: number, radiusDeg: number): { zone: number; column: number }[] {
  const found: { zone: number; column: number }[] = []
  const toPole = Math.abs(decDeg) + radiusDeg >= 90
  const reachDeg = toPole ? 180 : Math.asin(Math.sin(radiusDeg * DEG) / Math.cos(decDeg * DEG)) / DEG
  const last = zoneOf(decDeg + radiusDeg)
  for (let zone = zoneOf(decDeg - radiusDeg); zone <= last; zone++) {
    const count = cellsInZone(zone)
    const widthDeg = 360 / count
    const columns = Math.min(count, Math.floor((2 * reachDeg) / widthDeg) + 2)
    const from = reachDeg >= 180 ? 0 : cellInZone(zone, raDeg - reachDeg)
    for (let step = 0; step < columns; step++) found.push({ zone, column: (from + step) % count })
  }
  return found
}

function readStarFile(path: string, cells: number): StarFile {
  const damaged = (what: string): NightjarError =>
    new NightjarError('catalogue/damaged', `the star catalogue ${path} ${what}: install Nightjar again`)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new NightjarError('catalogue/unreadable', `the star catalogue ${path} cannot be read: ${String(cause)}`, {
      cause,
    })
  }
  if (bytes.length < STAR_FILE_HEADER_BYTES || bytes.toString('latin1', 0, 8) !== STAR_FILE_MAGIC) {
    throw damaged(`is not one (it does not begin with ${STAR_FILE_MAGIC})`)
  }
  const count = bytes.readUInt32LE(8)
  if (bytes.readUInt32LE(12) !== cells) throw damaged(`has ${bytes.readUInt32LE(12)} cells instead of ${cells}`)
  const expected = STAR_FILE_HEADER_BYTES + 4 * (cells + 1) + STAR_BYTES * count
  if (bytes.length !== expected) throw damaged(`has ${bytes.length} bytes instead of ${expected}`)
  const hash = createHash('sha256').update(bytes.subarray(STAR_FILE_HEADER_BYTES)).digest()
  if (!hash.equals(bytes.subarray(16, 48))) throw damaged('does not match its own checksum')
  if (endianness() !== 'LE') throw damaged('is little-endian and this machine is not')
  const payload = bytes.buffer.slice(bytes.byteOffset + STAR_FILE_HEADER_BYTES, bytes.byteOffset + bytes.length)
  return { firsts: new Uint32Array(payload, 0, cells + 1), stars: new Uint16Array(payload, 4 * (cells + 1)) }
}

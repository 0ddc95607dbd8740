import type { PictureRequest } from './archive.ts'

/** Where an image lies on the sky, as far as a list of images tells. ICRS degrees. */
export type Footprint =
  | {
      readonly kind: 'box'
      readonly raDeg: number
      readonly decDeg: number
      readonly widthDeg: number
      readonly heightDeg: number
    }
  | { readonly kind: 'circle'; readonly raDeg: number; readonly decDeg: number; readonly radiusDeg: number }
  | { readonly kind: 'polygon'; readonly corners: readonly (readonly [number, number])[] }

/** Points along each axis of the field that are looked at. */
const grid = 15
const degree = Math.PI / 180

/** Gnomonic projection about a place, degrees; undefined on the far side of the sky. */
function project(
  raDeg: number,
  decDeg: number,
  centre: { readonly raDeg: number; readonly decDeg: number },
): readonly [number, number] | undefined {
  const dRa = (raDeg - centre.raDeg) * degree
  const [sin, cos] = [Math.sin(decDeg * degree), Math.cos(decDeg * degree)]
  const [sin0, cos0] = [Math.sin(centre.decDeg * degree), Math.cos(centre.decDeg * degree)]
  const toward = sin * sin0 + cos * cos0 * Math.cos(dRa)
  if (toward <= 0) return undefined
  return [(cos * Math.sin(dRa)) / toward / degree, (sin * cos0 - cos * sin0 * Math.cos(dRa)) / toward / degree]
}

/** Share of the field that the image covers, 0 to 1, on a grid in the field's tangent plane. */
export function coverage(footprint: Footprint, field: PictureRequest): number {
  const holds = holder(footprint, field)
  if (!holds) return 0
  let inside = 0
  for (let j = 0; j < grid; j++)
    for (let i = 0; i < grid; i++) {
      const x = ((i + 0.5) / grid - 0.5) * field.widthDeg
      const y = ((j + 0.5) / grid - 0.5) * field.heightDeg
      if (holds(x, y)) inside++
    }
  return inside / grid ** 2
}

function holder(footprint: Footprint, field: PictureRequest): ((x: number, y: number) => boolean) | undefined {
  if (footprint.kind === 'polygon') {
    const corners = footprint.corners.map(([ra, dec]) => project(ra, dec, field))
    if (corners.length < 3 || corners.some((corner) => corner === undefined)) return undefined
    return (x, y) => isInside(corners as readonly (readonly [number, number])[], x, y)
  }
  const centre = project(footprint.raDeg, footprint.decDeg, field)
  if (!centre) return undefined
  const [cx, cy] = centre
  if (footprint.kind === 'circle') return (x, y) => Math.hypot(x - cx, y - cy) <= footprint.radiusDeg
  const { widthDeg, heightDeg } = footprint
  return (x, y) => Math.abs(x - cx) <= widthDeg / 2 && Math.abs(y - cy) <= heightDeg / 2
}

/** Whether a ray from the point crosses the outline an odd number of times. */
function isInside(corners: readonly (readonly [number, number])[], x: number, y: number): boolean {
  let inside = false
  corners.forEach(([ax, ay], i) => {
    const [bx, by] = corners[(i + 1) % corners.length]!
    if (ay > y !== by > y && x < ax + ((y - ay) * (bx - ax)) / (by - ay)) inside = !inside
  })
  return inside
}

/**
 * `s_region` of ObsCore 1.1, as STC-S or in the DALI form: a circle or a polygon, with or without the name of the
 * frame. Undefined for other shapes, and for frames other than ICRS and FK5.
 */
export function footprintOf(region: string): Footprint | undefined {
  const words = region.trim().split(/[\s,]+/)
  const shape = words.shift()?.toLowerCase()
  while (words.length > 0 && !Number.isFinite(Number(words[0]))) {
    const frame = words.shift()!.toLowerCase()
    if (!/^(icrs|fk5|j2000|geocenter|topocenter|barycenter|unknownrefpos|unknownframe)$/.test(frame)) return undefined
  }
  const numbers = words.map(Number)
  if (!numbers.every(Number.isFinite)) return undefined
  if (shape === 'circle' && numbers.length === 3) {
    const [raDeg, decDeg, radiusDeg] = numbers as [number, number, number]
    return { kind: 'circle', raDeg, decDeg, radiusDeg }
  }
  if (shape !== 'polygon' || numbers.length < 6 || numbers.length % 2 !== 0) return undefined
  const corners = Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!] as const)
  return { kind: 'polygon', corners }
}

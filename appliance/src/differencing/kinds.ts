import { StarGrid } from './starGrid.ts'

/**
 * What happened at a place. `moved`: a source left it or came to it, and its other end is among the candidates too; `variable`:
 * a star of the reference is brighter, or fainter by less than half; `faded`: any other loss of light; `new`: any other gain.
 */
export type ChangeKind = 'new' | 'variable' | 'faded' | 'moved'

/** The other end of what moved. */
export interface Partner {
  /** In the list of candidates of this difference. */
  readonly index: number
  readonly x: number
  readonly y: number
  readonly separationPixels: number
}

export interface Change {
  readonly x: number
  readonly y: number
  readonly scorr: number
  readonly fluxAdu: number
  readonly fluxErrorAdu: number
  /** Flux that the reference has at the place, ADU of the science frame. */
  readonly referenceFluxAdu: number
  /** Of the nearest star of the reference: distance, and its flux in ADU of the science frame. */
  readonly star: { readonly distancePixels: number; readonly fluxAdu: number }
}

export interface Kind {
  readonly kind: ChangeKind
  readonly partner?: Partner
}

/** Ends of what moved between two nights lie this far apart; more is two exposures' worth of another list. */
const leastMovePixels = 1
const mostMovePixels = 20
/** The same source at both ends: fluxes within this share, or within 4 standard deviations of their difference. */
const likeness = 0.2
const likenessSigma = 4
/** What left must have been there: a smaller share of the reference's light is a residual of a star that stayed. */
const leastLeft = 0.3
/** A star is the one that changed when it is nearer than this share of the FWHM. */
const onStar = 0.7

/** The kind of each change, in the order given; frames of `size`. */
export function kindsOf(
  changes: readonly Change[],
  fwhmPixels: number,
  size: { readonly width: number; readonly height: number },
): Kind[] {
  const partners = pair(changes, size)
  return changes.map((change, index) => {
    const other = partners.get(index)
    if (other === undefined) return { kind: kindOf(change, fwhmPixels) }
    const { x, y } = changes[other]!
    return { kind: 'moved', partner: { index: other, x, y, separationPixels: separation(change, { x, y }) } }
  })
}

function kindOf({ scorr, fluxAdu, star }: Change, fwhmPixels: number): ChangeKind {
  const isStar = star.fluxAdu > 0 && star.distancePixels < onStar * fwhmPixels
  if (scorr > 0) return isStar ? 'variable' : 'new'
  return isStar && Math.abs(fluxAdu) < 0.5 * star.fluxAdu ? 'variable' : 'faded'
}

/** Each gain with the loss nearest to it that it matches, the closest pairs first; every change is in at most one pair. */
function pair(
  changes: readonly Change[],
  size: { readonly width: number; readonly height: number },
): Map<number, number> {
  const grid = new StarGrid(changes, size, 64)
  const pairs = changes.flatMap((gain, index) => {
    if (!(gain.scorr > 0)) return []
    return grid
      .within(gain.x, gain.y, mostMovePixels)
      .filter((other) => isMove(gain, changes[other]!))
      .map((other) => ({ gain: index, loss: other, distance: separation(gain, changes[other]!) }))
  })
  const partners = new Map<number, number>()
  for (const { gain, loss } of pairs.sort((a, b) => a.distance - b.distance || a.gain - b.gain)) {
    if (partners.has(gain) || partners.has(loss)) continue
    partners.set(gain, loss)
    partners.set(loss, gain)
  }
  return partners
}

function isMove(gain: Change, loss: Change): boolean {
  if (!(loss.scorr < 0) || separation(gain, loss) < leastMovePixels) return false
  const [came, left] = [gain.fluxAdu, -loss.fluxAdu]
  if (!(came > 0 && left > 0) || left < leastLeft * loss.referenceFluxAdu) return false
  const error = Math.hypot(gain.fluxErrorAdu, loss.fluxErrorAdu)
  return Math.abs(came - left) < Math.max(likeness * Math.max(came, left), likenessSigma * error)
}

function separation(
  a: { readonly x: number; readonly y: number },
  b: { readonly x: number; readonly y: number },
): number {
  return Math.hypot(a.x - b.x, a.y - b.y)
}

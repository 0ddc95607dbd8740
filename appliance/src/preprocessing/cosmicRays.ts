import type { Compute } from '../frames/compute.ts'
import type { Frame } from '../frames/frame.ts'
import { MaskFlag } from '../frames/mask.ts'

/**
 * Cosmic rays by their sharp edges: L.A.Cosmic (van Dokkum 2001, PASP 113, 1420). Medians are taken along rows and then
 * along columns. Pixels are only marked; nothing is replaced in the frame, whose sky must not be subtracted unless it has
 * a variance plane.
 */
export interface CosmicRayOptions {
  /** Of the Laplacian over its noise; 4.5. */
  readonly thresholdSigma?: number
  /** Neighbours count from this share of the threshold on; 0.3. */
  readonly neighbourShare?: number
  /**
   * Of the frame's stars, when it is known: the narrower they are the more must a hit differ from them. From 2.4 px on tracks
   * as wide as three pixels are told from stars; without it only narrower ones are, which is safe down to 1.8 px.
   */
  readonly fwhmPixels?: number | undefined
  /** Passes at most; the later ones look only around what was found, with that filled in. 4. */
  readonly iterations?: number
  /** For frames without a variance plane. */
  readonly gainElectronsPerAdu?: number
  readonly readNoiseElectrons?: number
}

export interface CosmicRayResult {
  /** Its mask has `cosmicRay` set where one struck. */
  readonly frame: Frame
  /** Pixels that were marked. */
  readonly hits: number
  /** Groups of touching marked pixels: one for each particle. */
  readonly events: number
}

/** Found pixels as bits; the kernels' layout. */
interface BitPlane {
  readonly pointer: number
  readonly data: Uint32Array
}

/** How a hit differs from a star: its significance exceeds `contrast` · fine structure / noise + `marginSigma`. */
interface Contrast {
  /** Side of the median that the fine structure is made from; it is 3 or 5, less its median of 7 or 9. */
  readonly core: 3 | 5
  readonly contrast: number
  /** The fine structure of a faint star is uncertain by half a sigma: without this noise makes hits of sharp ones. */
  readonly marginSigma: number
}

/** Chosen so that at most 0.1 % of the stars of such frames are touched (Moffat stars; see cosmicRayScene.ts). */
const contrasts = {
  narrow: { core: 3, contrast: 6, marginSigma: 3 },
  usual: { core: 3, contrast: 4, marginSigma: 2 },
  wide: { core: 5, contrast: 4, marginSigma: 2 },
} as const

function contrastFor(fwhmPixels: number | undefined): Contrast {
  if (fwhmPixels === undefined) return contrasts.usual
  if (fwhmPixels < 1.7) return contrasts.narrow
  return fwhmPixels < 2.4 ? contrasts.usual : contrasts.wide
}

/** Pixels whose value is replaced before anything is measured near them. */
const unusable = MaskFlag.noData | MaskFlag.bad
/** Pixels around the kernels' copy of the image. */
const margin = 8
/** Rows that the kernels look at together. */
const tileRows = 16
const scratchBytes = 1024
/** A frame with a greater share of hits is noisier than it is said to be: nothing in it is marked. */
const mostHits = 0.02

/** Marks the pixels that cosmic rays struck. Saturated stars, their bloom and what is unknown are left alone. */
export function cosmicRays(compute: Compute, frame: Frame, options: CosmicRayOptions = {}): CosmicRayResult {
  const { width, height } = frame
  const { thresholdSigma = 4.5, fwhmPixels } = options
  const mask = compute.view(Uint16Array, compute.allocate(width * height * 2), width, height)
  using _scratch = compute.scope()
  const words = Math.ceil(width / 32)
  const found = search(compute, frame, words, options)
  const noisy = found.hits > mostHits * width * height
  if (noisy) found.bits.data.fill(0)
  const hits = noisy ? 0 : found.hits
  compute.rows('cosmicMark', height, [
    frame.mask.pointer,
    mask.pointer,
    width,
    found.bits.pointer,
    words,
    MaskFlag.cosmicRay,
  ])
  const events = countEvents(found.bits.data, words, height)
  const stars = fwhmPixels === undefined ? '' : `, stars of ${fwhmPixels.toFixed(1)} px`
  const summary = noisy ? 'nothing marked, the noise exceeds what was stated' : `${hits} pixels, ${events} events`
  const header = frame.header.withHistory(`cosmicRays-2: ${summary}, ${thresholdSigma} sigma${stars}`)
  return { frame: { ...frame, header, mask }, hits, events }
}

/** Passes until one finds nothing new. */
function search(
  compute: Compute,
  frame: Frame,
  words: number,
  options: CosmicRayOptions,
): { readonly bits: BitPlane; readonly hits: number } {
  const { thresholdSigma = 4.5, neighbourShare = 0.3, iterations = 4 } = options
  const { width, height, science, mask } = frame
  const { core, contrast, marginSigma } = contrastFor(options.fwhmPixels)
  const settings = prepare(compute, frame, options)
  const bits = bitPlane(compute, words, height)
  bits.data.fill(0)
  const [fresh, sure] = [bitPlane(compute, words, height), bitPlane(compute, words, height)]
  const counts = compute.view(Int32Array, compute.allocate(height * 4), height, 1)
  const planes = [settings, science.pointer, mask.pointer]
  let hits = 0
  for (let pass = 0; pass < iterations; pass++) {
    const near = pass === 0 ? 0 : fresh.pointer
    const limits = [thresholdSigma, core, contrast, marginSigma]
    compute.rows('cosmicSure', height, [...planes, near, sure.pointer, words, ...limits], tileRows)
    const strong = fresh
    compute.rows('cosmicGrow', height, [...planes, sure.pointer, strong.pointer, words, thresholdSigma])
    const likely = [...planes, strong.pointer, sure.pointer, words, thresholdSigma * neighbourShare]
    compute.rows('cosmicGrow', height, likely)
    compute.rows('cosmicCollect', height, [sure.pointer, bits.pointer, words, counts.pointer])
    const added = counts.data.reduce((sum, count) => sum + count, 0)
    hits += added
    if (added === 0 || hits > mostHits * width * height || pass + 1 === iterations) break
    compute.rows('cosmicFill', height, [settings, sure.pointer, bits.pointer, words])
    fresh.data.set(sure.data)
  }
  return { bits, hits }
}

/** The image with its margin, and the kernels' settings; the latter's address. */
function prepare(compute: Compute, frame: Frame, options: CosmicRayOptions): number {
  const { width, height, science, mask, variance } = frame
  const { gainElectronsPerAdu: gain = 1, readNoiseElectrons = 10 } = options
  const stride = (width + 2 * margin) * 4
  const padded = compute.allocate(stride * (height + 2 * margin))
  const planes = [science.pointer, mask.pointer, unusable, padded]
  compute.rows('cosmicPrepare', height + 2 * margin, [...planes, width, height, margin])
  const scratch = compute.allocate(scratchBytes * compute.threads)
  const settings = [
    padded + margin * stride + margin * 4,
    stride,
    variance?.pointer ?? 0,
    width,
    height,
    1 / gain,
    (readNoiseElectrons / gain) ** 2,
    scratch,
    scratchBytes,
  ]
  const pointer = compute.allocate(settings.length * 8)
  new Float64Array(compute.memory.buffer, pointer, settings.length).set(settings)
  return pointer
}

function bitPlane(compute: Compute, words: number, height: number): BitPlane {
  const pointer = compute.allocate(words * height * 4)
  return { pointer, data: new Uint32Array(compute.memory.buffer, pointer, words * height) }
}

/** Groups of bits that touch along a side or corner, counted by their runs: each run joins those it touches in the row above. */
function countEvents(bits: Uint32Array, words: number, height: number): number {
  let groups = 0
  const parent: number[] = []
  const root = (run: number): number => {
    let at = run
    while (parent[at] !== at) at = parent[at]!
    parent[run] = at
    return at
  }
  let above: Run[] = []
  for (let y = 0; y < height; y++) {
    const runs = runsOf(bits.subarray(y * words, (y + 1) * words), parent.length)
    for (const run of runs) {
      parent.push(run.id)
      groups++
      for (const other of above) {
        if (other.to < run.from - 1 || other.from > run.to + 1 || root(other.id) === root(run.id)) continue
        parent[root(other.id)] = root(run.id)
        groups--
      }
    }
    above = runs
  }
  return groups
}

interface Run {
  readonly id: number
  readonly from: number
  readonly to: number
}

/** Runs of set bits of one row, numbered from `firstId` on. */
function runsOf(row: Uint32Array, firstId: number): Run[] {
  const runs: Run[] = []
  let [from, to] = [-2, -2]
  const close = (): void => {
    if (from >= 0) runs.push({ id: firstId + runs.length, from, to })
  }
  for (let w = 0; w < row.length; w++) {
    for (let bits = row[w]!; bits !== 0; bits &= bits - 1) {
      const x = 32 * w + 31 - Math.clz32(bits & -bits)
      if (x > to + 1) {
        close()
        from = x
      }
      to = x
    }
  }
  close()
  return runs
}

import type { Compute } from '../frames/compute.ts'
import { goodSize, planLength } from '../frames/fft.ts'
import { type Mesh, meshAt } from '../frames/mesh.ts'
import type { Plane } from '../frames/plane.ts'
import type { Part, ZogyInput, ZogyTile } from './zogyInput.ts'

/** What the kernel `zogyTiles` reads and writes: its job, its tiles and each thread's scratch (kernels/assembly/zogy.ts). */
export interface TileJob {
  readonly pointer: number
  /** What the kernel found for a tile. */
  tile(index: number): Omit<ZogyTile, keyof Part>
}

/** Words of a tile; those after the stamps are results of the kernel. */
const tileWord = { varianceN: 4, varianceR: 5, stampN: 6, stampR: 7, psf: 8, negative: 12, within: 13 } as const
const tileWords = 16
const jobWords = 64

/** Wider than the filters reach: 0 px leaves 3 false positives per Mpix, 10 px and more none. */
function borderFor(psfSize: number): number {
  return Math.max(20, Math.min(32, Math.ceil(psfSize / 8) * 4))
}

export function layTiles(
  compute: Compute,
  input: ZogyInput,
  out: { readonly difference: Plane; readonly scorr: Plane },
  parts: readonly Part[],
  sizeFor: (border: number) => number,
): TileJob {
  const border = borderFor(input.psfSize)
  const size = sizeFor(border)
  const scratch = layScratch(compute, size, input.psfSize)
  const tiles = new TileTable(compute, input, parts)
  const pointer = compute.allocate(4 * jobWords)
  const ints = new Int32Array(compute.memory.buffer, pointer, jobWords)
  const floats = new Float32Array(compute.memory.buffer, pointer, jobWords)
  const { science, reference } = input
  const planes = [science, reference, out.scorr, out.difference].map((plane) => plane.pointer)
  const [astX, astY] = input.astrometricNoise
  ints.set([...planes, science.width, science.height, size, border])
  ints.set([planLength(compute, size), scratch.filterSize, planLength(compute, scratch.filterSize), input.psfSize], 8)
  ints.set([scratch.psfRows, scratch.squareRows, scratch.pointer, scratch.bytes, tiles.pointer, 4 * tileWords], 12)
  for (const [at, mesh] of [
    [18, input.scienceRms],
    [22, input.referenceRms],
  ] as [number, Mesh][]) {
    ints.set([mesh.pointer, mesh.columns, mesh.rows], at)
    floats[at + 3] = mesh.cellPixels
  }
  floats.set([1 / input.scienceGain, 1 / input.referenceGain, input.fluxRatio], 26)
  floats.set([astX * astX, astY * astY, input.relativeError ?? 0], 29)
  ints.set(scratch.areas, 32)
  return { pointer, tile: (index) => tiles.result(index) }
}

/** Offsets of the areas of one thread's scratch, in the order of the kernel. */
function layScratch(compute: Compute, size: number, psfSize: number) {
  const half = (psfSize - 1) / 2
  const eight = (n: number): number => Math.ceil(n / 8) * 8
  const psfRows = 2 * eight(half + 1)
  const squareRows = 2 * eight(half + 5)
  // Noise kernels reach further than the PSFs: the small grid must hold them without wrapping.
  const filterSize = Math.min(size, goodSize(Math.max(64, 3 * psfSize, squareRows)))
  const blocks = (n: number): number => Math.floor(n / 8) + 1
  const rows = 4 * (52 * (size + 8) + 32)
  const bytes = [
    4 * blocks(size) * (size + 8) * 32,
    2 * blocks(size) * psfRows * 32,
    2 * blocks(size) * squareRows * 32,
    6 * size * 32,
    rows,
    4 * blocks(filterSize) * filterSize * 32 + 4 * filterSize * filterSize,
  ]
  const areas: number[] = []
  let total = 0
  for (const area of bytes) {
    areas.push(total)
    total += eight(Math.ceil(area / 8)) * 8 + 64
  }
  const pointer = compute.allocate(compute.threads * total)
  return { pointer, bytes: total, areas, psfRows, squareRows, filterSize }
}

class TileTable {
  readonly pointer: number
  readonly #compute: Compute
  readonly #input: ZogyInput
  readonly #parts: readonly Part[]
  readonly #ints: Int32Array
  readonly #floats: Float32Array

  constructor(compute: Compute, input: ZogyInput, parts: readonly Part[]) {
    this.#compute = compute
    this.#input = input
    this.#parts = parts
    this.pointer = compute.allocate(4 * tileWords * parts.length)
    const words = tileWords * parts.length
    this.#ints = new Int32Array(compute.memory.buffer, this.pointer, words)
    this.#floats = new Float32Array(compute.memory.buffer, this.pointer, words)
    let stamps: readonly [number, number] | undefined
    for (const [index, part] of parts.entries()) {
      stamps = input.constantPsf && stamps ? stamps : this.#stamps(part)
      this.#write(index, part, stamps)
    }
  }

  #write(index: number, part: Part, stamps: readonly [number, number]): void {
    const at = index * tileWords
    const psf = this.#compute.allocate(4 * this.#input.psfSize ** 2)
    this.#ints.set([part.x, part.y, part.width, part.height], at)
    this.#floats[at + tileWord.varianceN] = rmsOver(this.#input.scienceRms, part) ** 2
    this.#floats[at + tileWord.varianceR] = rmsOver(this.#input.referenceRms, part) ** 2
    this.#ints.set([...stamps, psf], at + tileWord.stampN)
  }

  #stamps({ x, y, width, height }: Part): [number, number] {
    const middle = [x + width / 2, y + height / 2] as const
    return [this.#place(this.#input.sciencePsf(...middle)), this.#place(this.#input.referencePsf(...middle))]
  }

  #place(stamp: Float64Array): number {
    const pointer = this.#compute.allocate(4 * stamp.length)
    new Float32Array(this.#compute.memory.buffer, pointer, stamp.length).set(stamp)
    return pointer
  }

  result(index: number): Omit<ZogyTile, keyof Part> {
    const at = index * tileWords
    const { psfSize, fluxRatio } = this.#input
    const { width, height } = this.#parts[index]!
    const psf = new Float32Array(this.#compute.memory.buffer, this.#ints[at + tileWord.psf]! >>> 0, psfSize ** 2)
    const varianceN = this.#floats[at + tileWord.varianceN]! * fluxRatio ** 2
    return {
      psf: Float64Array.from(psf),
      sigmaAdu: Math.sqrt(varianceN + this.#floats[at + tileWord.varianceR]!) / fluxRatio,
      negativeShare: this.#ints[at + tileWord.negative]! / (width * height),
      withinShare: this.#ints[at + tileWord.within]! / (width * height),
    }
  }
}

/** Noise of a part: the mean of the mesh over a few places. */
function rmsOver(mesh: Mesh, { x, y, width, height }: Part): number {
  const places = [1, 3, 5, 7].map((eighth) => eighth / 8)
  const values = places.flatMap((v) => places.map((u) => meshAt(mesh, x + u * width, y + v * height)))
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

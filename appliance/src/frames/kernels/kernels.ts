import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/**
 * The SIMD kernels: AssemblyScript in `assembly/`, compiled by `scripts/build-kernels.ts` to `appliance/build/kernels.wasm`.
 * A kernel works on rows [rowFrom, rowTo) so that any number of threads can share it. Pointers are byte offsets into the
 * shared memory. A test compares this list with what the module exports.
 */
export interface Kernels {
  /** Tells an instance which thread it runs in. */
  setThread(index: number): void

  decodeU8(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    scale: number,
    zero: number,
    blank: number,
  ): void
  decodeI16(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    scale: number,
    zero: number,
    blank: number,
    whole: number,
  ): void
  decodeI32(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    scale: number,
    zero: number,
    blank: number,
    hasBlank: number,
  ): void
  decodeI64(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    scale: number,
    zero: number,
    blank: number,
    hasBlank: number,
  ): void
  decodeF32(rowFrom: number, rowTo: number, src: number, dst: number, width: number, scale: number, zero: number): void
  decodeF64(rowFrom: number, rowTo: number, src: number, dst: number, width: number, scale: number, zero: number): void

  // Tile-compressed images: see fits/unpack.ts and fits/pack.ts.
  decodeTiles(
    tileFrom: number,
    tileTo: number,
    table: number,
    plane: number,
    planeWidth: number,
    bytes: number,
    block: number,
    dither: number,
    random: number,
  ): void
  hcompressTiles(
    tileFrom: number,
    tileTo: number,
    table: number,
    smoothed: number,
    bitpix: number,
    scratch: number,
    scratchBytes: number,
  ): void
  plioTiles(tileFrom: number, tileTo: number, table: number, offset: number): void
  encodeTiles(
    tileFrom: number,
    tileTo: number,
    table: number,
    bytes: number,
    block: number,
    scratch: number,
    scratchBytes: number,
  ): void

  rowFacts(
    rowFrom: number,
    rowTo: number,
    plane: number,
    mask: number,
    width: number,
    exclude: number,
    first: number,
    second: number,
    out: number,
  ): void
  uniteMasks(rowFrom: number, rowTo: number, one: number, other: number, out: number, width: number): void
  clearPair(
    rowFrom: number,
    rowTo: number,
    one: number,
    other: number,
    mask: number,
    width: number,
    factor: number,
    missing: number,
  ): void
  countSpoilt(
    rowFrom: number,
    rowTo: number,
    plane: number,
    mask: number,
    width: number,
    bits: number,
    counts: number,
  ): void
  listSpoilt(
    rowFrom: number,
    rowTo: number,
    plane: number,
    mask: number,
    width: number,
    bits: number,
    starts: number,
    out: number,
  ): void
  countLoud(rowFrom: number, rowTo: number, plane: number, width: number, threshold: number, counts: number): void
  listLoud(
    rowFrom: number,
    rowTo: number,
    plane: number,
    width: number,
    threshold: number,
    starts: number,
    out: number,
  ): void
  // Rare pixels of two masks: see differencing/repair.ts.
  maskRuns(
    rowFrom: number,
    rowTo: number,
    one: number,
    other: number,
    width: number,
    bits: number,
    runs: number,
    capacity: number,
  ): void
  maskValues(rowFrom: number, rowTo: number, science: number, mask: number, width: number, saturation: number): void
  decodeMask(
    rowFrom: number,
    rowTo: number,
    src: number,
    mask: number,
    width: number,
    bytes: number,
    zero: number,
    table: number,
  ): void

  // Quintic B-spline resampling and ZOGY: see differencing/warp.ts and differencing/zogy.ts.
  warpTiles(
    tileFrom: number,
    tileTo: number,
    table: number,
    map: number,
    bend: number,
    bendColumns: number,
    science: number,
    mask: number,
    variance: number,
    width: number,
    height: number,
    out: number,
    outMask: number,
    outVariance: number,
    outWidth: number,
    scratch: number,
    scratchBytes: number,
    boxPixels: number,
    replaced: number,
    noData: number,
  ): void
  stackLayers(
    rowFrom: number,
    rowTo: number,
    layers: number,
    count: number,
    planes: number,
    masks: number,
    layerPixels: number,
    out: number,
    outMask: number,
    variance: number,
    width: number,
    level: number,
    perSignal: number,
    unusable: number,
    full: number,
    noData: number,
    scratch: number,
  ): void
  liveStackAdd(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    width: number,
    scale: number,
    weight: number,
    perSignal: number,
    unusable: number,
    mean: number,
    total: number,
    held: number,
    heldWeight: number,
  ): void
  liveStackShow(
    rowFrom: number,
    rowTo: number,
    mean: number,
    total: number,
    held: number,
    heldWeight: number,
    out: number,
    width: number,
    perSignal: number,
    level: number,
  ): void
  zogyTiles(tileFrom: number, tileTo: number, job: number): void
  // The PSF: see differencing/moffatFit.ts, moffat.ts and psfResidual.ts.
  moffatFits(
    starFrom: number,
    starTo: number,
    stars: number,
    pixels: number,
    use: number,
    size: number,
    radius: number,
    skyVariance: number,
    perSignal: number,
    perSquare: number,
    freeBeta: number,
    points: number,
    scratch: number,
    scratchBytes: number,
  ): void
  moffatStamps(
    stampFrom: number,
    stampTo: number,
    shapes: number,
    out: number,
    nodes: number,
    oversampling: number,
  ): void
  psfRests(
    starFrom: number,
    starTo: number,
    count: number,
    stars: number,
    pixels: number,
    use: number,
    size: number,
    terms: number,
    termCount: number,
    termBytes: number,
    phase: number,
    oversampling: number,
    pad: number,
    reach: number,
    rms: number,
    perSignal: number,
    samples: number,
    scratch: number,
    scratchBytes: number,
  ): void
  psfNodes(
    rowFrom: number,
    rowTo: number,
    nodes: number,
    count: number,
    stars: number,
    samples: number,
    terms: number,
    window: number,
    solution: number,
    variance: number,
    scratch: number,
    scratchBytes: number,
  ): void
  cellMedians(
    rowFrom: number,
    rowTo: number,
    plane: number,
    width: number,
    height: number,
    cell: number,
    columns: number,
    sigma: number,
    out: number,
    scratch: number,
  ): void
  subtractMesh(rowFrom: number, rowTo: number, plane: number, width: number, mesh: number, scratch: number): void

  // Background, stars, calibration and stacking: see the files of preprocessing with these names.
  signalRows(
    rowFrom: number,
    rowTo: number,
    source: number,
    dark: number,
    flat: number,
    out: number,
    width: number,
    darkScale: number,
  ): void
  calibrateRows(
    rowFrom: number,
    rowTo: number,
    source: number,
    given: number,
    dark: number,
    flat: number,
    defects: number,
    mask: number,
    out: number,
    variance: number,
    full: number,
    width: number,
    height: number,
    step: number,
    darkScale: number,
    perAdu: number,
    readVariance: number,
    fixedVariance: number,
    darkShot: number,
    flatRead: number,
    flatShot: number,
    saturation: number,
    scratch: number,
    rowBytes: number,
  ): void
  superPixels(
    rowFrom: number,
    rowTo: number,
    science: number,
    variance: number,
    mask: number,
    stride: number,
    scienceOut: number,
    varianceOut: number,
    maskOut: number,
    width: number,
  ): void
  markAbove(rowFrom: number, rowTo: number, plane: number, mask: number, width: number, limit: number): void
  markOdd(
    rowFrom: number,
    rowTo: number,
    plane: number,
    mask: number,
    width: number,
    height: number,
    low: number,
    high: number,
    least: number,
  ): void
  stackClipped(
    rowFrom: number,
    rowTo: number,
    table: number,
    factors: number,
    count: number,
    pairs: number,
    pairCount: number,
    out: number,
    width: number,
    kappa: number,
    floor: number,
    shot: number,
    least: number,
    scratch: number,
    scratchBytes: number,
  ): void
  meshStatistics(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    maskBits: number,
    width: number,
    height: number,
    meshPixels: number,
    columns: number,
    goodShare: number,
    out: number,
    scratch: number,
    scratchBytes: number,
  ): void
  meshNoise(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    maskBits: number,
    width: number,
    height: number,
    meshPixels: number,
    columns: number,
    lag: number,
    rowStep: number,
    out: number,
    scratch: number,
    scratchBytes: number,
  ): void
  meshQuantiles(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    maskBits: number,
    width: number,
    height: number,
    meshPixels: number,
    columns: number,
    p0: number,
    p1: number,
    p2: number,
    out: number,
    scratch: number,
    scratchBytes: number,
  ): void
  subtractSpline(
    rowFrom: number,
    rowTo: number,
    source: number,
    spline: number,
    columns: number,
    rows: number,
    cellPixels: number,
    out: number,
    width: number,
  ): void
  paintMesh(
    rowFrom: number,
    rowTo: number,
    mesh: number,
    columns: number,
    rows: number,
    cellPixels: number,
    out: number,
    width: number,
  ): void
  detectRows(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    bits: number,
    width: number,
    height: number,
    spline: number,
    rms: number,
    columns: number,
    meshRows: number,
    cellPixels: number,
    taps: number,
    radius: number,
    threshold: number,
    table: number,
    runs: number,
    runsPerRow: number,
    scores: number,
    parents: number,
    status: number,
    scratch: number,
    scratchBytes: number,
  ): void
  linkRows(rowFrom: number, rowTo: number, table: number, runs: number, parents: number, height: number): void
  nameHills(
    rowFrom: number,
    rowTo: number,
    table: number,
    runs: number,
    scores: number,
    parents: number,
    hills: number,
  ): void
  climbRows(rowFrom: number, rowTo: number, table: number, runs: number, parents: number, hills: number): void
  saddleRows(
    rowFrom: number,
    rowTo: number,
    table: number,
    runs: number,
    scores: number,
    parents: number,
    height: number,
    links: number,
    capacity: number,
  ): void
  starShapes(starFrom: number, starTo: number, table: number, frame: number, stamps: number, stampBytes: number): void
  measureStarRows(
    starFrom: number,
    starTo: number,
    table: number,
    frame: number,
    radius: number,
    fullStars: number,
    step: number,
    count: number,
    stamps: number,
    stampBytes: number,
  ): void
  // Circles and isophotes of stars: see preprocessing/aperture.ts and starMoments.ts.
  measureApertureRows(
    starFrom: number,
    starTo: number,
    table: number,
    starBytes: number,
    science: number,
    mask: number,
    width: number,
    height: number,
    lost: number,
    notSky: number,
    radii: number,
    radiusCount: number,
    inner: number,
    outer: number,
    scratches: number,
    scratchBytes: number,
  ): void
  isophoteRows(
    starFrom: number,
    starTo: number,
    table: number,
    science: number,
    mask: number,
    bits: number,
    width: number,
    height: number,
    spline: number,
    columns: number,
    meshRows: number,
    cellPixels: number,
    threshold: number,
    scratches: number,
    scratchBytes: number,
  ): void
  // L.A.Cosmic: see preprocessing/cosmicRays.ts.
  cosmicPrepare(
    rowFrom: number,
    rowTo: number,
    science: number,
    mask: number,
    bits: number,
    out: number,
    width: number,
    height: number,
    margin: number,
  ): void
  cosmicSure(
    rowFrom: number,
    rowTo: number,
    settings: number,
    science: number,
    mask: number,
    near: number,
    found: number,
    words: number,
    limit: number,
    core: number,
    contrast: number,
    margin: number,
  ): void
  cosmicGrow(
    rowFrom: number,
    rowTo: number,
    settings: number,
    science: number,
    mask: number,
    found: number,
    grown: number,
    words: number,
    limit: number,
  ): void
  cosmicCollect(rowFrom: number, rowTo: number, fresh: number, all: number, words: number, counts: number): void
  cosmicFill(rowFrom: number, rowTo: number, settings: number, fresh: number, all: number, words: number): void
  cosmicMark(
    rowFrom: number,
    rowTo: number,
    mask: number,
    out: number,
    width: number,
    found: number,
    words: number,
    bit: number,
  ): void

  fftRows(
    rowFrom: number,
    rowTo: number,
    src: number,
    spectrum: number,
    width: number,
    height: number,
    plan: number,
    scratch: number,
  ): void
  fftColumns(
    rowFrom: number,
    rowTo: number,
    from: number,
    to: number,
    height: number,
    plan: number,
    scratch: number,
  ): void
  fftRowsInverse(
    rowFrom: number,
    rowTo: number,
    spectrum: number,
    dst: number,
    width: number,
    height: number,
    plan: number,
    scratch: number,
    scale: number,
  ): void
  spectrumMultiply(rowFrom: number, rowTo: number, a: number, b: number, out: number, height: number): void
  spectrumConjugateMultiply(rowFrom: number, rowTo: number, a: number, b: number, out: number, height: number): void
  spectrumAbs2(rowFrom: number, rowTo: number, a: number, out: number, height: number): void

  histogramRange(
    rowFrom: number,
    rowTo: number,
    data: number,
    mask: number,
    width: number,
    center: number,
    magnitude: number,
    low: number,
    high: number,
    from: number,
    to: number,
    keyFrom: number,
    shift: number,
    histograms: number,
    counts: number,
  ): void
  rowSums(
    rowFrom: number,
    rowTo: number,
    data: number,
    mask: number,
    width: number,
    center: number,
    low: number,
    high: number,
    sums: number,
  ): void

  convolveSeparable(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    height: number,
    tapsX: number,
    radiusX: number,
    tapsY: number,
    radiusY: number,
    scratch: number,
  ): void
  padRepeat(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    height: number,
    radiusX: number,
    radiusY: number,
  ): void
  convolvePadded(
    rowFrom: number,
    rowTo: number,
    padded: number,
    dst: number,
    width: number,
    taps: number,
    countX: number,
    countY: number,
  ): void

  binMean(
    rowFrom: number,
    rowTo: number,
    src: number,
    mask: number,
    dst: number,
    width: number,
    height: number,
    outWidth: number,
    factor: number,
    scratch: number,
  ): void
  stretchBytes(
    rowFrom: number,
    rowTo: number,
    src: number,
    dst: number,
    width: number,
    black: number,
    scale: number,
    table: number,
    entries: number,
  ): void
}

/** A kernel that `Compute.rows` can share between threads. */
export type KernelName = Exclude<keyof Kernels, 'setThread'>

/** Where the build puts the compiled kernels. */
export const kernelsPath = fileURLToPath(new URL('../../../build/kernels.wasm', import.meta.url))

let compiled: WebAssembly.Module | undefined

/** The compiled module, read once per thread. Throws `compute/kernels-missing` when it was never built. */
export function loadKernels(path: string = kernelsPath): WebAssembly.Module {
  if (compiled && path === kernelsPath) return compiled
  if (!existsSync(path)) {
    throw new NightjarError(
      'compute/kernels-missing',
      `${path} is missing: build it with node scripts/build-kernels.ts`,
    )
  }
  const module = new WebAssembly.Module(readFileSync(path))
  if (path === kernelsPath) compiled = module
  return module
}

/** An instance of the kernels on `memory` for thread number `thread`. */
export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory, thread: number): Kernels {
  const abort = (): never => {
    throw new NightjarError('compute/kernel', 'a kernel stopped: one of its arguments is outside what it can work on')
  }
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } })
  const kernels = instance.exports as unknown as Kernels
  kernels.setThread(thread)
  return kernels
}

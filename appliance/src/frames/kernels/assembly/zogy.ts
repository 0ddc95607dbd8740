// ZOGY (Zackay, Ofek & Gal-Yam 2016) on one tile after another; a tile is the work of one thread from its pixels to S_corr.
// F_n = 1 throughout. differencing/zogy.ts lays out the job, the tiles and each thread's scratch.
//
// A tile's four spectra (N, R, the variances of the sources in both) are made by rows; then each block of four columns is
// transformed, multiplied by the filters and transformed back while it is in the cache; then rows come back, eight at a time,
// and are scored.
import { rowsToSpectrum, spectrumToRows } from './halfSpectrum'
import { ownScratch } from './thread'
import { mulIm, mulRe, transform } from './transform'
import {
  dropRing,
  loadRows,
  meshLine,
  scoreRow,
  smoothedVariance,
} from './zogyRows'

/** Words of a job. */
const jobScience = 0
const jobReference = 1
const jobScorr = 2
const jobDifference = 3
const jobWidth = 4
const jobHeight = 5
const jobSize = 6
const jobBorder = 7
const jobPlan = 8
const jobFilterSize = 9
const jobFilterPlan = 10
const jobPsfSize = 11
const jobPsfRows = 12
const jobSquareRows = 13
const jobScratch = 14
const jobScratchBytes = 15
const jobTiles = 16
const jobTileBytes = 17
const jobMeshN = 18
const jobMeshR = 22
const jobPerSignalN = 26
const jobPerSignalR = 27
const jobFluxRatio = 28
const jobAstX = 29
const jobAstY = 30
const jobRelative = 31
const jobAreas = 32

/** Areas of a thread's scratch, in the order of their offsets after `jobAreas`. */
const areaSpectra = 0
const areaPsfs = 1
const areaSquares = 2
const areaWork = 3
const areaRows = 4
const areaFilters = 5

/** Words of a tile; those after the stamps are results. */
const tileX = 0
const tileY = 1
const tileWidth = 2
const tileHeight = 3
const tileVarianceN = 4
const tileVarianceR = 5
const tileStampN = 6
const tileStampR = 7
const tilePsf = 8
const tileFluxS = 9
const tileSquareN = 10
const tileSquareR = 11
const tileNegative = 12
const tileWithin = 13

// @ts-ignore: decorator
@inline
function int(p: usize, word: i32): i32 {
  return load<i32>(p + (<usize>word << 2))
}

// @ts-ignore: decorator
@inline
function ptr(p: usize, word: i32): usize {
  return <usize>load<u32>(p + (<usize>word << 2))
}

// @ts-ignore: decorator
@inline
function float(p: usize, word: i32): f32 {
  return load<f32>(p + (<usize>word << 2))
}

// @ts-ignore: decorator
@inline
function area(job: usize, index: i32): usize {
  return ownScratch(ptr(job, jobScratch), ptr(job, jobScratchBytes)) + ptr(job, jobAreas + index)
}

// @ts-ignore: decorator
@inline
/** Blocks of columns of a half spectrum. */
function blocksOf(size: i32): i32 {
  return (size >> 3) + 1
}

// @ts-ignore: decorator
@inline
/** Bytes between blocks of the tile's spectra: off a power of two, so that blocks do not meet in one set of the cache. */
function strideOf(size: i32): usize {
  return <usize>(size + 8) << 5
}

export function zogyTiles(tileFrom: i32, tileTo: i32, job: usize): void {
  for (let index = tileFrom; index < tileTo; index++) {
    const tile = ptr(job, jobTiles) + <usize>index * ptr(job, jobTileBytes)
    makeFilters(job, tile)
    forwardRows(job, tile)
    columns(job, tile)
    score(job, tile)
  }
}

// ---- filters: PSFs and filters are compact, so they are made on a small grid and put into the tile's rows ----

/** Spectra of both PSFs and of the squares of both noise kernels in rows; P_D, F_S and the sums of squares into the tile. */
function makeFilters(job: usize, tile: usize): void {
  const n = int(job, jobFilterSize)
  const plan = ptr(job, jobFilterPlan)
  const psfSize = int(job, jobPsfSize)
  const work = area(job, areaWork)
  const spectrumBytes = <usize>(blocksOf(n) * n) << 5
  const pN = area(job, areaFilters)
  const pR = pN + spectrumBytes
  const kN = pR + spectrumBytes
  const kR = kN + spectrumBytes
  const plane = kR + spectrumBytes
  forwardStamp(ptr(tile, tileStampN), psfSize, plane, pN, n, plan, work)
  forwardStamp(ptr(tile, tileStampR), psfSize, plane, pR, n, plan, work)
  const fluxS = smallFilters(job, tile, pN, pR, kN, kR, n)
  store<f32>(tile + (<usize>tileFluxS << 2), fluxS)
  inverseSmall(pN, plane, n, plan, work)
  takePsf(plane, n, ptr(tile, tilePsf), psfSize)
  const size = int(job, jobSize)
  const squareRows = int(job, jobSquareRows)
  const squares = area(job, areaSquares)
  const half = <usize>(blocksOf(size) * squareRows) << 5
  inverseSmall(kN, plane, n, plan, work)
  store<f32>(tile + (<usize>tileSquareN << 2), squareAll(plane, n))
  compactRows(job, plane, n, squareRows, squareRows, squares)
  inverseSmall(kR, plane, n, plan, work)
  store<f32>(tile + (<usize>tileSquareR << 2), squareAll(plane, n))
  compactRows(job, plane, n, squareRows, squareRows, squares + half)
  const psfRows = int(job, jobPsfRows)
  const psfs = area(job, areaPsfs)
  placeStamp(ptr(tile, tileStampN), psfSize, plane, n)
  compactRows(job, plane, n, psfRows, psfSize, psfs)
  placeStamp(ptr(tile, tileStampR), psfSize, plane, n)
  compactRows(job, plane, n, psfRows, psfSize, psfs + (<usize>(blocksOf(size) * psfRows) << 5))
}

/** A stamp with its centre at (0, 0) of a plane of zeros, its left and upper halves wrapped round. */
function placeStamp(stamp: usize, stampSize: i32, plane: usize, n: i32): void {
  memory.fill(plane, 0, <usize>(n * n) << 2)
  const half = (stampSize - 1) >> 1
  for (let j = 0; j < stampSize; j++) {
    const line = plane + (<usize>(wrap(j - half, n) * n) << 2)
    const from = stamp + (<usize>(j * stampSize) << 2)
    memory.copy(line, from + (<usize>half << 2), <usize>(half + 1) << 2)
    memory.copy(line + (<usize>(n - half) << 2), from, <usize>half << 2)
  }
}

// @ts-ignore: decorator
@inline
function wrap(x: i32, n: i32): i32 {
  return x < 0 ? x + n : x
}

function forwardStamp(stamp: usize, stampSize: i32, plane: usize, spectrum: usize, n: i32, plan: usize, work: usize): void {
  placeStamp(stamp, stampSize, plane, n)
  const line = <usize>n << 2
  const block = <usize>n << 5
  for (let y = 0; y < n; y += 8) {
    rowsToSpectrum(plane + <usize>y * line, line, spectrum + (<usize>y << 5), block, n, plan, work)
  }
  smallColumns(spectrum, n, plan, work)
}

function smallColumns(spectrum: usize, n: i32, plan: usize, work: usize): void {
  const block = <usize>n << 5
  for (let b = 0; b < blocksOf(n); b++) {
    const at = spectrum + <usize>b * block
    transform(at, at, work, work + block, plan, n)
  }
}

/** Uses up the spectrum. */
function inverseSmall(spectrum: usize, plane: usize, n: i32, plan: usize, work: usize): void {
  smallColumns(spectrum, n, plan, work)
  const line = <usize>n << 2
  const scale: f32 = <f32>1 / <f32>(n * n)
  for (let y = 0; y < n; y += 8) {
    spectrumToRows(spectrum, <usize>n << 5, y, n, plane + <usize>y * line, line, n, plan, scale, work)
  }
}

/**
 * Over pN: P_D (eq. 14); k_n and k_r (eq. 29 and 28). Returns F_S (eq. 43). Columns 0 and n/2 stand for themselves, all others
 * for two.
 */
function smallFilters(job: usize, tile: usize, pN: usize, pR: usize, kN: usize, kR: usize, n: i32): f32 {
  const fluxR = float(job, jobFluxRatio)
  const varianceN = float(tile, tileVarianceN) * fluxR * fluxR
  const varianceR = float(tile, tileVarianceR)
  const vn = f32x4.splat(varianceN)
  const vr = f32x4.splat(varianceR)
  const fr = f32x4.splat(fluxR)
  const fr2 = f32x4.splat(fluxR * fluxR)
  // F_r F_n / F_D, eq. 15.
  const perFluxD = f32x4.splat(sqrt<f32>(varianceN + varianceR))
  const blocks = blocksOf(n)
  let sum: f64 = 0
  for (let b = 0; b < blocks; b++) {
    let total = f32x4.splat(0)
    for (let v = 0; v < n; v++) {
      const at = <usize>(b * n + v) << 5
      const nr = v128.load(pN + at)
      const ni = v128.load(pN + at, 16)
      const rr = v128.load(pR + at)
      const ri = v128.load(pR + at, 16)
      const n2 = power(nr, ni)
      const r2 = power(rr, ri)
      const inverse = inverseOf(f32x4.mul(vn, r2), f32x4.mul(vr, n2))
      const gN = f32x4.mul(f32x4.mul(r2, fr2), inverse)
      storePair(kN + at, f32x4.mul(nr, gN), f32x4.neg(f32x4.mul(ni, gN)))
      const gR = f32x4.mul(f32x4.mul(n2, fr), inverse)
      storePair(kR + at, f32x4.mul(rr, gR), f32x4.neg(f32x4.mul(ri, gR)))
      const root = f32x4.mul(f32x4.sqrt(inverse), perFluxD)
      storePair(pN + at, f32x4.mul(mulRe(nr, ni, rr, ri), root), f32x4.mul(mulIm(nr, ni, rr, ri), root))
      total = f32x4.add(total, f32x4.mul(gN, n2))
    }
    const others = <f64>f32x4.extract_lane(total, 1) + f32x4.extract_lane(total, 2) + f32x4.extract_lane(total, 3)
    const first = <f64>f32x4.extract_lane(total, 0)
    sum += b == 0 || b == blocks - 1 ? first + 2 * others : 2 * (first + others)
  }
  return <f32>(sum / (<f64>n * <f64>n))
}

// @ts-ignore: decorator
@inline
function power(re: v128, im: v128): v128 {
  return f32x4.add(f32x4.mul(re, re), f32x4.mul(im, im))
}

// @ts-ignore: decorator
@inline
/** 1 / (a + b). Where neither PSF passes anything the filters are to be 0, not 0/0. */
function inverseOf(a: v128, b: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.pmax(f32x4.add(a, b), f32x4.splat(1e-30)))
}

// @ts-ignore: decorator
@inline
function storePair(p: usize, re: v128, im: v128): void {
  v128.store(p, re)
  v128.store(p, im, 16)
}

/** The middle of a wrapped plane as a stamp. */
function takePsf(plane: usize, n: i32, stamp: usize, stampSize: i32): void {
  const half = (stampSize - 1) >> 1
  for (let j = 0; j < stampSize; j++) {
    const line = plane + (<usize>(wrap(j - half, n) * n) << 2)
    const to = stamp + (<usize>(j * stampSize) << 2)
    memory.copy(to + (<usize>half << 2), line, <usize>(half + 1) << 2)
    memory.copy(to, line + (<usize>(n - half) << 2), <usize>half << 2)
  }
}

/** Squares a plane in place; the sum. */
function squareAll(plane: usize, n: i32): f32 {
  let total: f64 = 0
  for (let y = 0; y < n; y++) {
    let sum = f32x4.splat(0)
    const line = plane + (<usize>(y * n) << 2)
    for (let x = 0; x < n; x += 4) {
      const p = line + (<usize>x << 2)
      const v = v128.load(p)
      const square = f32x4.mul(v, v)
      v128.store(p, square)
      sum = f32x4.add(sum, square)
    }
    total += <f64>f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1)
    total += <f64>f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3)
  }
  return <f32>total
}

/**
 * Row pass of a wrapped n × n plane within the tile's: its `rows` middle rows (`width` middle columns of each) become rows of
 * half spectra of the tile's width, [block][row], wrapped as they are.
 */
function compactRows(job: usize, plane: usize, n: i32, rows: i32, width: i32, out: usize): void {
  const size = int(job, jobSize)
  const lines = area(job, areaRows)
  const line = <usize>size << 2
  const left = width >> 1
  const right = width - left
  for (let row = 0; row < rows; row += 8) {
    memory.fill(lines, 0, 8 * line)
    for (let k = 0; k < 8; k++) {
      const y = row + k < rows >> 1 ? row + k : n - rows + row + k
      const from = plane + (<usize>(y * n) << 2)
      const to = lines + <usize>k * line
      memory.copy(to, from, <usize>right << 2)
      memory.copy(to + line - (<usize>left << 2), from + (<usize>(n - left) << 2), <usize>left << 2)
    }
    const block = <usize>rows << 5
    rowsToSpectrum(lines, line, out + (<usize>row << 5), block, size, ptr(job, jobPlan), area(job, areaWork))
  }
}

// ---- the tile ----

/** Row passes of N, R and their source variances. */
function forwardRows(job: usize, tile: usize): void {
  const spectra = area(job, areaSpectra)
  const bytes = <usize>blocksOf(int(job, jobSize)) * strideOf(int(job, jobSize))
  forwardPlane(job, tile, 0, spectra, spectra + 2 * bytes)
  forwardPlane(job, tile, 1, spectra + bytes, spectra + 3 * bytes)
}

/** `frame` is 0 for N and 1 for R: words of the job and of the tile lie side by side. */
function forwardPlane(job: usize, tile: usize, frame: i32, image: usize, variance: usize): void {
  const plane = ptr(job, jobScience + frame)
  const perSignal = float(job, jobPerSignalN + frame)
  const clear = <f32>3 * sqrt<f32>(float(tile, tileVarianceN + frame))
  const size = int(job, jobSize)
  const plan = ptr(job, jobPlan)
  const work = area(job, areaWork)
  const lines = area(job, areaRows)
  // Four columns more on each side, for the smoothing to reach into.
  const line = <usize>(size + 8) << 2
  const smooth = lines + 12 * line
  const left = int(tile, tileX) - int(job, jobBorder) - 4
  const top = int(tile, tileY) - int(job, jobBorder)
  for (let y = 0; y < size; y += 8) {
    const out = <usize>y << 5
    loadRows(plane, int(job, jobWidth), int(job, jobHeight), left, top + y - 2, 12, size + 8, lines)
    rowsToSpectrum(lines + 2 * line + 16, line, image + out, strideOf(size), size, plan, work)
    smoothedVariance(lines, size + 8, smooth, perSignal, clear)
    rowsToSpectrum(smooth + 16, line, variance + out, strideOf(size), size, plan, work)
  }
}

/** Column passes there and back with the filters between: S_n, S_r, D and the variance take the places of the four spectra. */
function columns(job: usize, tile: usize): void {
  const size = int(job, jobSize)
  const plan = ptr(job, jobPlan)
  const stride = strideOf(size)
  const bytes = <usize>blocksOf(size) * stride
  const column = <usize>size << 5
  const a = area(job, areaWork)
  const b = a + column
  const c = b + column
  const d = c + column
  const s1 = d + column
  const s2 = s1 + column
  const psfRows = int(job, jobPsfRows)
  const squareRows = int(job, jobSquareRows)
  const blocks = blocksOf(size)
  for (let block = 0; block < blocks; block++) {
    const n = area(job, areaSpectra) + <usize>block * stride
    const r = n + bytes
    const vN = r + bytes
    const vR = vN + bytes
    const squares = area(job, areaSquares)
    const squareN = squares + (<usize>(block * squareRows) << 5)
    filterColumn(squareN, squareRows, a, s1, s2, plan, size)
    filterColumn(squareN + (<usize>(blocks * squareRows) << 5), squareRows, b, s1, s2, plan, size)
    transform(vN, c, s1, s2, plan, size)
    transform(vR, d, s1, s2, plan, size)
    sumOfProducts(a, b, c, d, size)
    transform(a, vR, s1, s2, plan, size)
    const psfN = area(job, areaPsfs) + (<usize>(block * psfRows) << 5)
    filterColumn(psfN, psfRows, a, s1, s2, plan, size)
    filterColumn(psfN + (<usize>(blocks * psfRows) << 5), psfRows, b, s1, s2, plan, size)
    transform(n, c, s1, s2, plan, size)
    transform(r, d, s1, s2, plan, size)
    subtractColumn(job, tile, a, b, c, d, size)
    transform(a, vN, s1, s2, plan, size)
    transform(c, n, s1, s2, plan, size)
    transform(d, r, s1, s2, plan, size)
  }
}

/** A column of a compact filter: rows round zero, zeros elsewhere. */
function filterColumn(from: usize, rows: i32, to: usize, s1: usize, s2: usize, plan: usize, size: i32): void {
  const half = <usize>rows << 4
  const bytes = <usize>size << 5
  memory.copy(to, from, half)
  memory.fill(to + half, 0, bytes - 2 * half)
  memory.copy(to + bytes - half, from + half, half)
  transform(to, to, s1, s2, plan, size)
}

/** a c + b d, over a. */
function sumOfProducts(a: usize, b: usize, c: usize, d: usize, size: i32): void {
  const end = <usize>size << 5
  for (let at: usize = 0; at < end; at += 32) {
    const ar = v128.load(a + at)
    const ai = v128.load(a + at, 16)
    const br = v128.load(b + at)
    const bi = v128.load(b + at, 16)
    const cr = v128.load(c + at)
    const ci = v128.load(c + at, 16)
    const dr = v128.load(d + at)
    const di = v128.load(d + at, 16)
    storePair(a + at, f32x4.add(mulRe(ar, ai, cr, ci), mulRe(br, bi, dr, di)), f32x4.add(mulIm(ar, ai, cr, ci), mulIm(br, bi, dr, di)))
  }
}

/** From P_n, P_r, N and R (a, b, c, d): D (eq. 13) over a, S_n (eq. 29) over c, S_r (eq. 28) over d. */
function subtractColumn(job: usize, tile: usize, a: usize, b: usize, c: usize, d: usize, size: i32): void {
  const fluxR = float(job, jobFluxRatio)
  const vn = f32x4.splat(float(tile, tileVarianceN) * fluxR * fluxR)
  const vr = f32x4.splat(float(tile, tileVarianceR))
  const fr = f32x4.splat(fluxR)
  const fr2 = f32x4.splat(fluxR * fluxR)
  const end = <usize>size << 5
  for (let at: usize = 0; at < end; at += 32) {
    const pnr = v128.load(a + at)
    const pni = v128.load(a + at, 16)
    const prr = v128.load(b + at)
    const pri = v128.load(b + at, 16)
    const nr = v128.load(c + at)
    const ni = v128.load(c + at, 16)
    const rr = v128.load(d + at)
    const ri = v128.load(d + at, 16)
    const n2 = power(pnr, pni)
    const r2 = power(prr, pri)
    const inverse = inverseOf(f32x4.mul(vn, r2), f32x4.mul(vr, n2))
    const root = f32x4.sqrt(inverse)
    storePair(
      a + at,
      f32x4.mul(root, f32x4.sub(f32x4.mul(fr, mulRe(prr, pri, nr, ni)), mulRe(pnr, pni, rr, ri))),
      f32x4.mul(root, f32x4.sub(f32x4.mul(fr, mulIm(prr, pri, nr, ni)), mulIm(pnr, pni, rr, ri))),
    )
    const gN = f32x4.mul(f32x4.mul(r2, fr2), inverse)
    const conjN = f32x4.neg(pni)
    storePair(c + at, f32x4.mul(gN, mulRe(pnr, conjN, nr, ni)), f32x4.mul(gN, mulIm(pnr, conjN, nr, ni)))
    const gR = f32x4.mul(f32x4.mul(n2, fr), inverse)
    const conjR = f32x4.neg(pri)
    storePair(d + at, f32x4.mul(gR, mulRe(prr, conjR, rr, ri)), f32x4.mul(gR, mulIm(prr, conjR, rr, ri)))
  }
}

/** Row passes back, eight rows at a time with two of the group before, and the score of every inner row. */
function score(job: usize, tile: usize): void {
  const size = int(job, jobSize)
  const border = int(job, jobBorder)
  const height = int(tile, tileHeight)
  const width = int(job, jobWidth)
  const plan = ptr(job, jobPlan)
  const work = area(job, areaWork)
  const stride = strideOf(size)
  const bytes = <usize>blocksOf(size) * stride
  const spectra = area(job, areaSpectra)
  const line = <usize>size << 2
  const sN = area(job, areaRows)
  const sR = sN + 10 * line
  const d = sR + 10 * line
  const variance = d + 10 * line
  const rmsN = variance + 10 * line
  const rmsR = rmsN + line + 16
  const fluxR = float(job, jobFluxRatio)
  const varianceN = float(tile, tileVarianceN)
  const perDifference = sqrt<f32>(varianceN * fluxR * fluxR + float(tile, tileVarianceR)) / fluxR
  const scale: f32 = <f32>1 / <f32>(size * size)
  store<i32>(tile + (<usize>tileNegative << 2), 0)
  store<i32>(tile + (<usize>tileWithin << 2), 0)
  const x = int(tile, tileX)
  const columns = int(tile, tileWidth)
  for (let y = border - 1; ; y += 8) {
    for (let k = 0; k < 4; k++) {
      const rows = sN + <usize>k * 10 * line
      dropRing(rows, line)
      spectrumToRows(spectra + <usize>k * bytes, stride, y, size, rows + 2 * line, line, size, plan, k == 2 ? scale * perDifference : scale, work)
    }
    const from = max(y - 1, border)
    const to = min(y + 7, border + height)
    for (let row = from; row < to; row++) {
      const at = <usize>(row - y + 2) * line + (<usize>border << 2)
      const frameY = int(tile, tileY) + row - border
      const out = <usize>(frameY * width + x) << 2
      meshLine(job + (<usize>jobMeshN << 2), x, frameY, columns, rmsN)
      meshLine(job + (<usize>jobMeshR << 2), x, frameY, columns, rmsR)
      scoreRow(
        sN + at,
        sR + at,
        variance + at,
        rmsN,
        rmsR,
        float(tile, tileSquareN),
        float(tile, tileSquareR),
        line,
        columns,
        ptr(job, jobScorr) + out,
        float(job, jobAstX),
        float(job, jobAstY),
        float(job, jobRelative),
        tile + (<usize>tileNegative << 2),
      )
      memory.copy(ptr(job, jobDifference) + out, d + at, <usize>columns << 2)
    }
    if (y + 7 >= border + height) break
  }
}

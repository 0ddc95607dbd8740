import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createCompute } from '../frames/compute.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import { replaceDurably } from '../store/frameFiles.ts'
import { livePaths } from '../store/liveFiles.ts'
import { addToLiveStack, beginLiveStack, depthGainMag, type LiveStack, showLiveStack } from './liveStack.ts'
import { liveStackBytes, readLiveStack } from './liveStackFile.ts'
import { type Prepared, prepare, readPrepared } from './prepare.ts'
import { type FrameToStack, growLiveStack } from './runPixels.ts'
import { makeScene, type SceneOptions } from './testScene.ts'
import { affine, applyTransform, type PixelTransform } from './transform.ts'

const compute = createCompute({ threads: 2 })
const folder = mkdtempSync(join(tmpdir(), 'nightjar-live-'))
afterAll(() => {
  compute[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

const size = { width: 320, height: 288 }
const sky: SceneOptions = {
  ...{ ...size, seed: 'live', starsPerMpix: 700, galaxiesPerMpix: 0, distortionPixels: 0, psfVariation: 0 },
  ...{ fluxRatio: 1, referenceExposures: 1, fwhmReferencePixels: 3 },
}

const exposure = (noiseSeed: string, options: Partial<SceneOptions> = {}): Prepared =>
  prepare(compute, makeScene(compute, { ...sky, noiseSeed, ...options }).science)

/** The same sky through a moved and turned camera. */
const moved = (noiseSeed: string, transform: PixelTransform): Prepared =>
  prepare(compute, makeScene(compute, { ...sky, noiseSeed, transform }).reference)

function grown(stack: LiveStack, frames: readonly (readonly [string, Prepared])[]): LiveStack {
  return frames.reduce((before, [frameId, frame]) => {
    const result = addToLiveStack(compute, before, frame, { frameId, exposureSeconds: 60 })
    if (!result.ok) throw new Error(result.reason)
    return result.stack
  }, stack)
}

const stackOf = (frames: readonly (readonly [string, Prepared])[]): LiveStack =>
  grown(beginLiveStack(compute, frames[0]![1]), frames)

const bytesOf = ({ mean, total, held, heldWeight }: LiveStack): Buffer =>
  Buffer.concat([mean, total, held, heldWeight].map(({ data }) => Buffer.from(new Uint8Array(data.slice().buffer))))

/** 1.4826 × MAD of sums of 4 × 4 pixels of a − b, away from the border: sources cancel, resampling hardly matters. */
function noiseBetween(a: Float32Array, b: Float32Array): number {
  const sums: number[] = []
  for (let y = 24; y < size.height - 24; y += 4) {
    for (let x = 24; x < size.width - 24; x += 4) {
      let sum = 0
      for (let k = 0; k < 16; k++) {
        const at = (y + (k >> 2)) * size.width + x + (k & 3)
        sum += a[at]! - b[at]!
      }
      sums.push(sum)
    }
  }
  const middle = (list: number[]): number => list.sort((p, q) => p - q)[list.length >> 1]!
  const centre = middle([...sums])
  return 1.4826 * middle(sums.map((sum) => Math.abs(sum - centre)))
}

test('the depth grows with the root of the number of frames', () => {
  using _scratch = compute.scope()
  const series = (name: string) =>
    Array.from({ length: 9 }, (_, n) => [`${name}-${n}`, exposure(`${name}-${n}`)] as const)
  const [one, other] = [series('a'), series('b')]
  const shown = (frames: typeof one): Float32Array => showLiveStack(compute, stackOf(frames)).data
  const single = noiseBetween(shown(one.slice(0, 1)), shown(other.slice(0, 1)))
  const whole = stackOf(one)
  const gain = single / noiseBetween(showLiveStack(compute, whole).data, shown(other))
  expect(gain).toBeGreaterThan(3 * 0.9)
  expect(gain).toBeLessThan(3 * 1.1)
  // 2.5 log10 of 3.
  expect(Math.abs(depthGainMag(whole.facts) - 1.193)).toBeLessThan(0.05)
})

test('a streak in one of five frames is gone, be it the first, the third or the last', () => {
  using _scratch = compute.scope()
  const clean = Array.from({ length: 5 }, (_, n) => exposure(`s-${n}`))
  const named = (frames: readonly Prepared[]) => frames.map((frame, n) => [`s-${n}`, frame] as const)
  const truth = showLiveStack(compute, stackOf(named(clean))).data
  for (const at of [0, 2, 4]) {
    using _frame = compute.scope()
    const frames = clean.map((frame, n) => {
      if (n !== at) return frame
      const copy = compute.float32(size.width, size.height)
      copy.data.set(frame.plane.data)
      for (let x = 10; x < 300; x++) for (let k = 0; k < 3; k++) copy.data[(40 + (x >> 1) + k) * size.width + x]! += 500
      return { ...frame, plane: copy }
    })
    const shown = showLiveStack(compute, stackOf(named(frames))).data
    let most = 0
    let sum = 0
    for (let x = 20; x < 290; x++) {
      const pixel = (41 + (x >> 1)) * size.width + x
      most = Math.max(most, Math.abs(shown[pixel]! - truth[pixel]!))
      sum += shown[pixel]! - truth[pixel]!
    }
    // A plain mean would keep 100 ADU; the sky's noise is 23 ADU in one frame.
    expect(most).toBeLessThan(30)
    expect(Math.abs(sum / 270)).toBeLessThan(5)
  }
})

test('shifted and turned frames are put on the grid of the first', () => {
  using _scratch = compute.scope()
  const maps = [affine([5.3, 1, 0.004, -7.6, -0.004, 1]), affine([319, -1, 0, 287, 0, -1])]
  const first = exposure('grid')
  const frames = maps.map((map, n) => [`moved-${n}`, moved(`moved-${n}`, map)] as const)
  const stack = stackOf([['first', first], ...frames])
  const shown = showLiveStack(compute, stack).data
  const alone = showLiveStack(compute, stackOf([['first', first]])).data
  const clean = first.stars.filter(
    ({ flags, snr, x, y }) => flags === 0 && snr > 40 && x > 24 && y > 24 && x < 296 && y < 264,
  )
  expect(clean.length).toBeGreaterThan(5)
  for (const { x, y } of clean) {
    const [a, b] = [centroid(alone, x, y), centroid(shown, x, y)]
    expect(Math.hypot(a[0] - b[0], a[1] - b[1])).toBeLessThan(0.15)
  }
  // The maps lead from the first frame's pixels to the others': the corner of the turned one is the opposite.
  expect(applyTransform(maps[1]!, 0, 0)).toEqual([319, 287])
})

function centroid(data: Float32Array, cx: number, cy: number): readonly [number, number] {
  let [sum, sx, sy] = [0, 0, 0]
  for (let y = Math.round(cy) - 4; y <= Math.round(cy) + 4; y++) {
    for (let x = Math.round(cx) - 4; x <= Math.round(cx) + 4; x++) {
      const weight = Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 4) * (data[y * size.width + x]! - 600)
      sum += weight
      sx += weight * x
      sy += weight * y
    }
  }
  return [sx / sum, sy / sum]
}

test('the same frame twice changes nothing, and another field is refused with a reason', () => {
  using _scratch = compute.scope()
  const first = exposure('twice-0')
  const stack = stackOf([
    ['a', first],
    ['b', exposure('twice-1')],
  ])
  const before = bytesOf(stack)
  const again = addToLiveStack(compute, stack, first, { frameId: 'a', exposureSeconds: 60 })
  expect(again).toMatchObject({ ok: true, isNew: false })
  const stranger = prepare(compute, makeScene(compute, { ...sky, seed: 'elsewhere' }).science)
  expect(addToLiveStack(compute, stack, stranger, { frameId: 'c', exposureSeconds: 60 }).ok).toBe(false)
  expect(bytesOf(stack).equals(before)).toBe(true)
})

test('a restart continues bit for bit, and a file that is not whole is no stack', async () => {
  using _scratch = compute.scope()
  const frames = Array.from({ length: 4 }, (_, n) => [`r-${n}`, exposure(`r-${n}`)] as const)
  const path = join(folder, 'restart.stack')
  await replaceDurably(path, liveStackBytes(stackOf(frames.slice(0, 2))))
  using single = createCompute({ threads: 1 })
  const restored = readLiveStack(single, path)!
  expect(restored.facts.frames.map(({ frameId }) => frameId)).toEqual(['r-0', 'r-1'])
  const continued = grown(readLiveStack(compute, path)!, frames.slice(2))
  const whole = stackOf(frames)
  expect(bytesOf(continued).equals(bytesOf(whole))).toBe(true)
  expect(continued.facts).toEqual(whole.facts)
  writeFileSync(path, readFileSync(path).subarray(0, -1))
  expect(readLiveStack(compute, path)).toBeUndefined()
  expect(readLiveStack(compute, join(folder, 'none.stack'))).toBeUndefined()
})

test('a night grows its stack on the disk, with a picture, and an earlier night leaves', async () => {
  const file = (name: string): string => {
    using _scratch = compute.scope()
    const path = join(folder, `${name}.fits`)
    writeFileSync(path, encodeFrame(makeScene(compute, { ...sky, noiseSeed: name }).science))
    return path
  }
  const paths = [file('n0'), file('n1')]
  const grow = async (nightId: string, ...numbers: number[]) => {
    using _scratch = compute.scope()
    const frames = numbers.map((n) => ({ frameId: `${nightId}-${n}`, exposureSeconds: 30, path: paths[n]! }))
    return growLiveStack(compute, { folder, nightId, fieldId: 'M 31/core', filter: 'L', frames })
  }
  await grow('2026-01-01', 0)
  await grow('2026-01-02', 0)
  const state = (await grow('2026-01-02', 0, 1))!
  expect(state).toMatchObject({ frames: 2, exposureSeconds: 60, fieldId: 'M 31/core', lastFrameId: '2026-01-02-1' })
  expect(await grow('2026-01-02', 0, 1)).toBeUndefined()
  expect(readdirSync(join(folder, 'live')).sort()).toEqual(['2026-01-02', 'newest.json'])
  const newest = JSON.parse(readFileSync(join(folder, 'live/newest.json'), 'utf8'))
  expect(newest).toMatchObject(state)
  expect(readFileSync(join(folder, newest.picture)).subarray(1, 4).toString()).toBe('PNG')
  // The scene's stars are drawn with a Moffat profile of 3 px.
  expect(state.fwhmPixels).toBeGreaterThan(2.7)
  expect(state.fwhmPixels).toBeLessThan(3.4)
})

test('a frame that cannot join is named with its reason beside the stack, until the next one joins', async () => {
  const own = mkdtempSync(join(folder, 'left-'))
  const frames: FrameToStack[] = []
  const grow = async (frameId: string, scene: Partial<SceneOptions>) => {
    using _scratch = compute.scope()
    const path = join(own, `${frameId}.fits`)
    writeFileSync(path, encodeFrame(makeScene(compute, { ...sky, noiseSeed: frameId, ...scene }).science))
    frames.push({ frameId, exposureSeconds: 30, path })
    return growLiveStack(compute, { folder: own, nightId: '2026-01-03', fieldId: 'M 31', filter: 'L', frames })
  }
  const newest = () => JSON.parse(readFileSync(join(own, 'live/newest.json'), 'utf8'))
  await grow('good', {})
  const refused = await grow('stranger', { seed: 'elsewhere' })
  expect(refused?.left).toEqual({ frameId: 'stranger', reason: expect.stringContaining('match') })
  expect(newest()).toMatchObject({ frames: 1, lastFrameId: 'good', left: refused?.left })
  await grow('next', {})
  expect(newest()).toMatchObject({ frames: 2, lastFrameId: 'next' })
  expect(newest().left).toBeUndefined()
})

test('a stack of many frames waits until a tenth more can join, and has what one by one would have made', async () => {
  const own = mkdtempSync(join(folder, 'tenth-'))
  const frames: FrameToStack[] = []
  const of = { folder: own, nightId: '2026-01-04', fieldId: 'M 31', filter: 'L' }
  const counts: (number | undefined)[] = []
  const path = join(own, livePaths(of.nightId, of.fieldId, of.filter).stack)
  for (let n = 0; n < 24; n++) {
    using _scratch = compute.scope()
    const file = join(own, `${n % 3}.fits`)
    if (n < 3) writeFileSync(file, encodeFrame(makeScene(compute, { ...sky, noiseSeed: `tenth-${n}` }).science))
    frames.push({ frameId: `t-${n}`, exposureSeconds: 30, path: file })
    counts.push((await growLiveStack(compute, { ...of, frames }))?.frames)
  }
  expect(counts.slice(17)).toEqual([18, 19, 20, undefined, 22, undefined, 24])
  using _scratch = compute.scope()
  const together = readLiveStack(compute, path)!
  const prepared = frames.slice(0, 3).map((frame) => readPrepared(compute, frame.path))
  const single = stackOf(frames.map(({ frameId }, n) => [frameId, prepared[n % 3]!] as const))
  expect(together.facts.frames.map(({ frameId }) => frameId)).toEqual(frames.map(({ frameId }) => frameId))
  expect(bytesOf(together).equals(bytesOf(single))).toBe(true)
})

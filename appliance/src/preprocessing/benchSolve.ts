import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import { createCompute } from '../frames/compute.ts'
import { readFrame } from '../frames/fits/read.ts'
import { realDataFolder } from '../frames/reference.ts'
import { skyToPixel, type Wcs } from '../frames/wcs.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { measureBackground } from './background.ts'
import { hintFrom } from './headerHint.ts'
import { type BlindField, findBlindSolvers, prepareSolveField, readGuess, solveFieldOutput } from './runBlind.ts'
import { type Solution, type SolveHint, solve } from './solve.ts'
import {
  drawTrial,
  drawWrong,
  errorPixels,
  injectedRmsPixels,
  placeAway,
  quantile,
  runTrial,
  type Trial,
  type TrialResult,
  wrongPixels,
  wrongs,
} from './solveTrials.ts'
import { measureStars } from './stars.ts'

/**
 * The solver beside astrometry.net's solve-field on the same star lists with the same hints: time, success, error against
 * the truth; with `quality` on 300 simulated frames, the real ones and 1,000 tries that have no answer.
 */
const timedFrames = 8
const qualityFrames = 300
/** solve-field gets as many of them, to end in time. */
const peerFrames = 60
const wrongTries = 1000
const peerCpuSeconds = 20
const index = '/usr/share/astrometry/index-tycho2-07.littleendian.fits'
const peerName = 'solve-field 0.93, Tycho-2'
const peerPackages = 'apt-get install astrometry.net astrometry-data-tycho2'
const catalogue = openStarCatalogue()

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

interface PeerAnswer {
  readonly wcs: Wcs | undefined
  readonly ms: number
  readonly cpuMs: number
}

type Peer = (field: BlindField, hint: SolveHint) => Promise<PeerAnswer>

/** solve-field as it fits best: with its SIP tweak. Its CPU time is what bash's `time` says of it and its children. */
function findPeer(clock: Clock): Peer | undefined {
  const { solveField } = findBlindSolvers(process.env['PATH'] ?? '')
  if (solveField === undefined || !existsSync(index)) return undefined
  return async (field, hint) => {
    const folder = await mkdtemp(join(tmpdir(), 'nightjar-bench-solve-'))
    try {
      const { scaleArcsecPerPixel, scaleTolerance } = hint
      const options = { near: hint, scaleArcsecPerPixel, scaleTolerance, cpuLimitSeconds: peerCpuSeconds }
      const args = await prepareSolveField(folder, field, options)
      const script = 'TIMEFORMAT="%U %S"; time timeout "$@" >/dev/null 2>&1'
      const start = clock.monotonic()
      const { stderr } = await promisify(execFile)(
        'bash',
        ['-c', script, 'bash', String(2 * peerCpuSeconds), solveField, ...args],
        { cwd: folder },
      ).catch((cause: { stderr?: string }) => ({ stderr: cause.stderr ?? '' }))
      const ms = clock.monotonic() - start
      const seconds = stderr.trim().split(/\s+/).slice(-2).map(Number)
      const wcs = await readGuess(join(folder, solveFieldOutput))
      return { wcs, ms, cpuMs: 1000 * ((seconds[0] ?? 0) + (seconds[1] ?? 0)) }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

function row(
  figure: string,
  frame: string | null,
  unit: string,
  value: number,
  n: number,
  peer: { readonly name: string; readonly value?: number } | null = null,
): BenchRow {
  const { value: peerValue } = peer ?? {}
  return {
    room: 'preprocessing',
    figure,
    value,
    unit,
    threads: 1,
    frame,
    peer: peer?.name ?? null,
    peerValue: peerValue ?? null,
    ratio: peerValue === undefined || peerValue === 0 ? null : value / peerValue,
    n,
  }
}

function peerValue(answers: readonly unknown[], value: number): { name: string; value?: number } {
  return answers.length === 0 ? { name: peerPackages } : { name: peerName, value }
}

interface Compared {
  readonly result: TrialResult
  readonly answer: PeerAnswer | undefined
  /** Of the peer; NaN when it failed. */
  readonly peerError: number
}

async function compare(trial: Trial, peer: Peer | undefined): Promise<Compared> {
  const result = runTrial(trial, catalogue, cpuMs)
  const { width, height } = trial.view
  const answer = peer && (await peer({ stars: trial.stars, width, height }, trial.hint))
  return { result, answer, peerError: answer?.wcs ? errorPixels(answer.wcs, trial.view) : Number.NaN }
}

/** Time for a hinted star list of a square sensor, each frame of another sky. */
async function timeRows(side: number, peer: Peer | undefined): Promise<BenchRow[]> {
  const random = createRandom(`solve ${side}`)
  runTrial(drawTrial(catalogue, random, [side, side]), catalogue, cpuMs)
  const compared: Compared[] = []
  for (let n = 0; n < timedFrames; n++) compared.push(await compare(drawTrial(catalogue, random, [side, side]), peer))
  const answers = compared.flatMap(({ answer }) => answer ?? [])
  const ours = compared.map(({ result }) => result.cpuMs)
  const theirs = answers.map((answer) => answer.cpuMs)
  const lost = Array.from({ length: timedFrames }, () => drawTrial(catalogue, random, [side, side]))
    .map((trial) => ({ ...trial, hint: { ...trial.hint, ...placeAway(trial.view, 60, random) } }))
    .map((trial) => runTrial(trial, catalogue, cpuMs).cpuMs)
  const frame = `${side}x${side}`
  return [
    row(
      'solve a star list',
      frame,
      'CPU ms',
      quantile(ours, 0.5),
      timedFrames,
      peerValue(answers, quantile(theirs, 0.5)),
    ),
    row(
      'solve a star list, slowest',
      frame,
      'CPU ms',
      quantile(ours, 1),
      timedFrames,
      peerValue(answers, quantile(theirs, 1)),
    ),
    row('give up on a wrong hint, slowest', frame, 'CPU ms', quantile(lost, 1), timedFrames),
  ]
}

function share(count: number, of: number): number {
  return (100 * count) / of
}

/** 300 simulated frames, the first of them also with the peer. */
async function trialRows(peer: Peer | undefined): Promise<BenchRow[]> {
  const random = createRandom('trials')
  const compared: Compared[] = []
  for (let n = 0; n < qualityFrames; n++) {
    compared.push(await compare(drawTrial(catalogue, random), n < peerFrames ? peer : undefined))
  }
  const results = compared.map(({ result }) => result)
  const right = results.filter((result) => result.solved && !result.wrong)
  const both = compared.slice(0, peerFrames)
  const answers = both.flatMap(({ answer }) => answer ?? [])
  const peerRight = both.filter(({ peerError }) => peerError <= wrongPixels)
  const rightToo = both.filter(({ result }) => result.solved && !result.wrong)
  const fine = right.filter(({ trial }) => injectedRmsPixels(trial) <= 0.12)
  const excess = right.map((result) => result.rmsPixels / injectedRmsPixels(result.trial))
  const within = fine.filter((result) => result.rmsPixels <= 0.15).length
  const middle = (values: readonly number[]): number => quantile(values, 0.5)
  const frame = 'simulated'
  return [
    row('solved, hint within 2 degrees', frame, '%', share(right.length, results.length), results.length),
    row(
      'solved, the same as solve-field',
      frame,
      '%',
      share(rightToo.length, both.length),
      both.length,
      peerValue(answers, share(peerRight.length, both.length)),
    ),
    row('solved falsely', frame, 'frames', results.filter((result) => result.wrong).length, results.length),
    row(
      'worst error on the frame, median',
      frame,
      'px',
      middle(rightToo.map(({ result }) => result.errorPixels)),
      both.length,
      peerValue(answers, middle(peerRight.map(({ peerError }) => peerError))),
    ),
    row(
      'worst error on the frame, 95 %',
      frame,
      'px',
      quantile(
        right.map((r) => r.errorPixels),
        0.95,
      ),
      right.length,
    ),
    row('rms over the rms put in, median', frame, 'ratio', middle(excess), right.length),
    row('rms over the rms put in, 95 %', frame, 'ratio', quantile(excess, 0.95), right.length),
    row('rms to 0.15 px where stars are good to 0.12', frame, '%', share(within, fine.length), fine.length),
    row(
      'solve a star list, median of all',
      frame,
      'CPU ms',
      middle(both.map(({ result }) => result.cpuMs)),
      both.length,
      peerValue(answers, middle(answers.map((answer) => answer.cpuMs))),
    ),
    row(
      'solve a star list, 99 %',
      frame,
      'CPU ms',
      quantile(
        results.map((result) => result.cpuMs),
        0.99,
      ),
      results.length,
    ),
  ]
}

/** Hints and lists that have no answer: none may be given one. */
function wrongRows(): BenchRow[] {
  const tries = wrongTries / wrongs.length
  return wrongs.flatMap((wrong) => {
    const random = createRandom(`wrong ${wrong}`)
    const results = Array.from({ length: tries }, () => runTrial(drawWrong(wrong, catalogue, random), catalogue, cpuMs))
    const slowest = quantile(
      results.map((result) => result.cpuMs),
      1,
    )
    return [
      row(`false answers, wrong ${wrong}`, 'simulated', 'frames', results.filter((r) => r.wrong).length, tries),
      row(`give up, wrong ${wrong}, slowest`, 'simulated', 'CPU ms', slowest, tries),
    ]
  })
}

interface RealFrame {
  readonly field: BlindField
  readonly hint: SolveHint
  readonly solution: Solution
  readonly cpuMs: number
}

function measureReal(path: string, place: { raDeg: number; decDeg: number } | undefined): RealFrame | undefined {
  using compute = createCompute({ threads: 1 })
  const frame = readFrame(compute, path)
  const stars = measureStars(compute, frame.science, frame.mask, measureBackground(compute, frame.science, frame.mask))
  const { width, height } = frame
  const hint = hintFrom(frame.header, width, height, { place })
  if (!hint) return undefined
  const start = cpuMs()
  const solution = solve(stars, width, height, hint, catalogue)
  return { field: { stars, width, height }, hint, solution, cpuMs: cpuMs() - start }
}

/** HAT-P-32 (02 04 10.28 +46 41 16.2, SIMBAD): it must lie on each frame of its night. */
const target = { raDeg: 31.04283, decDeg: 46.68783 }
const peerEvery = 5

function onFrame(wcs: Wcs | undefined, { width, height }: BlindField): boolean {
  const at = wcs && skyToPixel(wcs, target.raDeg, target.decDeg)
  return at !== undefined && at.x > 0 && at.y > 0 && at.x < width - 1 && at.y < height - 1
}

async function realRows(peer: Peer | undefined): Promise<BenchRow[]> {
  const folder = realDataFolder()
  if (!folder) return []
  const night = join(folder, 'series/hatp32')
  const names = readdirSync(night).filter((name) => name.endsWith('.gz'))
  const frames = names.flatMap((name) => measureReal(join(night, name), target) ?? [])
  const solved = frames.filter(({ solution, field }) => solution.ok && onFrame(solution.wcs, field))
  const sample = frames.filter((_, n) => n % peerEvery === 0)
  const answers: PeerAnswer[] = []
  let peerSolved = 0
  for (const { field, hint } of peer ? sample : []) {
    const answer = await peer!(field, hint)
    answers.push(answer)
    if (onFrame(answer.wcs, field)) peerSolved++
  }
  const rms = solved.map(({ solution }) => (solution.ok ? solution.rmsPixels : Number.NaN))
  const frame = '650x500 HAT-P-32'
  const ours = quantile(
    sample.map((real) => real.cpuMs),
    0.5,
  )
  const theirs = quantile(
    answers.map((answer) => answer.cpuMs),
    0.5,
  )
  return [
    row(
      'solved',
      frame,
      '%',
      share(solved.length, frames.length),
      frames.length,
      peerValue(answers, share(peerSolved, sample.length)),
    ),
    row('solve rms, median', frame, 'px', quantile(rms, 0.5), solved.length),
    row('solve a star list', frame, 'CPU ms', ours, sample.length, peerValue(answers, theirs)),
  ]
}

/** The solver's figures. */
export async function benchSolve(options: { readonly quality: boolean; readonly clock: Clock }): Promise<BenchRow[]> {
  const { quality, clock } = options
  const peer = findPeer(clock)
  const rows = [...(await timeRows(2048, peer)), ...(await timeRows(4096, peer))]
  if (quality) rows.push(...(await trialRows(peer)), ...(await realRows(peer)), ...wrongRows())
  return rows
}

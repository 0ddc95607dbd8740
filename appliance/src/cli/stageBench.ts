import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { BenchRow } from '../contract/bench.ts'
import type { Settings } from '../contract/config.ts'
import { createHttpsDestination } from '../forwarding/http.ts'
import { createForwardingStage } from '../forwarding/run.ts'
import { createCompute } from '../frames/compute.ts'
import { type Offload, offloadInline } from '../frames/offload.ts'
import { openStore } from '../store/openStore.ts'
import { startChild } from './children.ts'
import { makeScenes, runDue, sceneClock, sceneMs, settingsName, stageNames, stagesOf } from './stageScene.ts'

/**
 * What each stage costs as the daemon runs it: from its job to the commit of its event, on one simulated frame, with the
 * real store on the real disk. Each stage and frame has a process of its own, so that its peak memory is its own.
 */
const sides = [2048, 4096] as const
const runs = 3
const childMs = 300_000

export type StageBench = (typeof stageNames)[number]
export const isStage = (room: string): room is StageBench => stageNames.some((name) => name === room)

/** What one stage took on one frame. */
interface StageCost {
  readonly ms: number
  readonly cpuMs: number
  readonly rssMiB: number
  readonly jobs: number
  readonly peerMs: number | null
  readonly peer: string | null
}

/** The rows of these stages. The frames are made once for all of them. */
export async function benchStages(stages: readonly StageBench[]): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-bench-stages-'))
  const threads = availableParallelism()
  try {
    const rows: BenchRow[] = []
    for (const side of sides) {
      const scenes = join(folder, String(side))
      await inChild('scene', scenes, side, threads)
      for (const stage of stages)
        rows.push(...rowsOf(stage, side, threads, await inChild(stage, scenes, side, threads)))
      rmSync(scenes, { recursive: true })
    }
    return rows
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function inChild(what: StageBench | 'scene', folder: string, side: number, threads: number): Promise<StageCost> {
  const flags = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url)]
  try {
    const args = [...flags, what, folder, String(side), String(threads)]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: childMs })
    return JSON.parse(stdout || 'null') as StageCost
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new NightjarError('bench/stage', `the measurement of ${what} failed: ${reason}`, { cause })
  }
}

function rowsOf(room: StageBench, side: number, threads: number, cost: StageCost): BenchRow[] {
  // Those after differencing have no pixels to share between threads.
  const used = room === 'preprocessing' || room === 'differencing' ? threads : 1
  const figure = cost.jobs === 1 ? 'whole stage' : `whole stage, ${cost.jobs} jobs`
  const shared = { room, figure, threads: used, frame: `${side}x${side}`, n: runs }
  const alone = { ...shared, peer: null, peerValue: null, ratio: null }
  const { peer, peerMs } = cost
  return [
    {
      ...shared,
      value: cost.ms,
      unit: 'ms',
      peer,
      peerValue: peerMs,
      ratio: peerMs === null ? null : cost.ms / peerMs,
    },
    { ...alone, value: cost.cpuMs, unit: 'CPU ms' },
    { ...alone, figure: `${figure}, peak RSS`, value: cost.rssMiB, unit: 'MiB' },
  ]
}

interface Run {
  readonly ms: number
  readonly cpuMs: number
  readonly jobs: number
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function measure(stage: StageBench, folder: string, threads: number): Promise<StageCost> {
  const results: Run[] = []
  const peers: number[] = []
  // As in the daemon, one memory for all of its frames. Stages without pixels need none of it.
  await using offload = stage === 'preprocessing' || stage === 'differencing' ? pixels(threads) : noPixels
  // The first warms up.
  for (let run = 0; run <= runs; run++) {
    const copy = join(folder, `run-${stage}`)
    execFileSync('cp', ['-a', '--reflink=auto', join(folder, stage), copy])
    if (stage === 'forwarding') {
      const { peerMs, ...ours } = await runForwarding(copy)
      results.push(ours)
      if (peerMs !== undefined) peers.push(peerMs)
    } else results.push(await runStage(stage, copy, offload))
    rmSync(copy, { recursive: true })
  }
  const measured = results.slice(1)
  const hasPeer = stage === 'forwarding'
  return {
    ms: middle(measured.map(({ ms }) => ms)),
    cpuMs: middle(measured.map(({ cpuMs }) => cpuMs)),
    rssMiB: process.resourceUsage().maxRSS / 1024,
    jobs: measured[0]?.jobs ?? 0,
    peerMs: peers.length > 0 ? middle(peers.slice(1)) : null,
    peer: hasPeer ? curlName() : null,
  }
}

async function timed(work: () => Promise<number>): Promise<Run> {
  const cpu = process.cpuUsage()
  const start = systemClock.monotonic()
  const jobs = await work()
  const ms = systemClock.monotonic() - start
  const used = process.cpuUsage(cpu)
  return { ms, cpuMs: (used.user + used.system) / 1000, jobs }
}

async function runStage(name: StageBench, folder: string, offload: Offload): Promise<Run> {
  using store = openStore(folder)
  const settings = JSON.parse(readFileSync(join(folder, '..', settingsName), 'utf8')) as Settings
  const stage = stagesOf(store, offload, settings).find((one) => one.name === name)
  if (!stage) throw new NightjarError('bench/stage', `there is no stage ${name}`)
  return await timed(() => runDue(store, stage))
}

const pixels = (threads: number): Offload => offloadInline(createCompute({ threads }))
const noPixels: Offload = {
  run: (task) => Promise.reject(new NightjarError('bench/pixels', `${task.name} is not expected here`)),
  [Symbol.asyncDispose]: async () => undefined,
}

/** Over the network to the real receiver, a process of its own that knows nothing yet; the connection is made within. */
async function runForwarding(folder: string): Promise<Run & { readonly peerMs: number | undefined }> {
  await using receiver = await startReceiver(join(folder, 'central'))
  using store = openStore(folder)
  const bodies = store.outboxDue(sceneMs, 50, 'central').map((row) => row.envelope)
  await using destination = createHttpsDestination({ name: 'central', ...receiver.at }, () => sceneMs)
  const random = createRandom('bench forwarding')
  const stage = createForwardingStage({ store, clock: sceneClock, random, destinations: [destination] })
  const ours = await timed(() => runDue(store, stage))
  if (store.alertCounts().waiting > 0) throw new NightjarError('bench/forwarding', 'the receiver did not acknowledge')
  await using other = await startReceiver(join(folder, 'other'))
  return { ...ours, peerMs: await curlMs(other.at, `{"alerts":[${bodies.join(',')}]}`, folder) }
}

interface Receiver extends AsyncDisposable {
  readonly at: { readonly url: string; readonly tokenFile: string; readonly caFile: string }
}

async function startReceiver(folder: string): Promise<Receiver> {
  const child = await startChild(['central', '--data', folder, '--port', '0', '--database', 'sqlite'])
  const { url, caPath, tokenPath } = child.said as { url: string; caPath: string; tokenPath: string }
  return {
    at: { url: `${url}/v1/alerts`, tokenFile: tokenPath, caFile: caPath },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

function curlName(): string {
  try {
    const version = execFileSync('curl', ['--version'], { encoding: 'utf8' }).split(' ')[1]
    return `curl ${version}, the request alone`
  } catch {
    return 'apt-get install curl'
  }
}

/** The same request by curl, from the opening of its connection to the receipt; undefined without curl. */
async function curlMs(at: Receiver['at'], body: string, folder: string): Promise<number | undefined> {
  const file = join(folder, 'body.json')
  writeFileSync(file, body)
  const token = (await readFile(at.tokenFile, 'utf8')).trim()
  const headers = ['-H', 'content-type: application/json', '-H', `authorization: Bearer ${token}`]
  const args = ['-sS', '--fail', '--cacert', at.caFile, ...headers, '--data-binary', `@${file}`]
  try {
    const { stdout } = await promisify(execFile)('curl', [...args, '-o', '/dev/null', '-w', '%{time_total}', at.url])
    return Number(stdout) * 1000
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

if (import.meta.main) {
  const [what = '', folder = '', side, threads] = process.argv.slice(2)
  if (what === 'scene') await makeScenes(folder, Number(side))
  else if (isStage(what)) process.stdout.write(JSON.stringify(await measure(what, folder, Number(threads))))
}

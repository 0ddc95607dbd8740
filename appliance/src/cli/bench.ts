import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { BenchRow } from '../contract/bench.ts'
import { formatNumber } from './formatNumber.ts'
import { formatQuality, isQuality } from './qualityDocument.ts'
import type { StageBench } from './stageBench.ts'

/** What a room's `benchmark.ts` offers under the name given in `benchmarks`. */
type Benchmark = (options: { readonly quality: boolean }) => Promise<readonly BenchRow[]>

const appliance = new URL('../', import.meta.url)
const bridge = new URL('../../../firmware-bridge/src/', import.meta.url)

/** Room → the file that measures it and the function there. Loaded only when asked for. */
const benchmarks: Readonly<Record<string, { readonly file: URL; readonly name: string }>> = {
  indi: { file: new URL('indi/benchmark.ts', bridge), name: 'benchIndi' },
  frames: { file: new URL('frames/benchmark.ts', appliance), name: 'benchFrames' },
  store: { file: new URL('store/benchmark.ts', appliance), name: 'benchStore' },
  preprocessing: { file: new URL('preprocessing/benchmark.ts', appliance), name: 'benchPreprocessing' },
  differencing: { file: new URL('differencing/benchmark.ts', appliance), name: 'benchDifferencing' },
  chain: { file: new URL('cli/chainBench.ts', appliance), name: 'benchChain' },
  server: { file: new URL('server/benchmark.ts', appliance), name: 'benchServer' },
}

/** The stages of a frame's journey, each measured as the daemon runs it. */
const stages: readonly StageBench[] = [
  'preprocessing',
  'differencing',
  'detection',
  'curation',
  'catalog',
  'forwarding',
]
const rooms: readonly string[] = [...new Set([...Object.keys(benchmarks), ...stages])]
/** Several rooms under one name. */
const groups: Readonly<Record<string, readonly string[]>> = {
  pixels: ['frames', 'preprocessing', 'differencing', 'chain'],
}
const roomMs = 1_800_000
const outputBytes = 1 << 24

export const help = `Usage: nightjar bench [ROOM…] [--quality] [--json] [--write-docs]

Measures each room, or only those named, and a named peer beside it in the same call. Times are medians.

  --quality      also measure how good the results are, not only how fast
  --json         print one JSON array of {room, figure, value, unit, threads, frame, peer, peerValue, ratio, n}
  --write-docs   write docs/benchmarks.md, where other rooms keep their lines, and, with --quality, docs/quality.md

Rooms: ${rooms.join(', ')}
Groups: ${Object.entries(groups)
  .map(([name, members]) => `${name} = ${members.join(' ')}`)
  .join('; ')}`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      quality: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
    },
  })
  const asked = roomsToMeasure(positionals)
  const rows: BenchRow[] = []
  for (const room of asked) if (Object.hasOwn(benchmarks, room)) rows.push(...(await inChild(room, values.quality)))
  const journey = stages.filter((stage) => asked.includes(stage))
  if (journey.length > 0) rows.push(...(await (await import('./stageBench.ts')).benchStages(journey)))
  process.stdout.write(values.json ? `${JSON.stringify(rows)}\n` : formatTable(rows))
  if (values['write-docs']) await writeDocument(rows)
  return 0
}

export function roomsToMeasure(names: readonly string[]): readonly string[] {
  const asked = [...new Set(names.flatMap((name) => (Object.hasOwn(groups, name) ? groups[name]! : [name])))]
  for (const room of asked) {
    if (!rooms.includes(room)) {
      throw new NightjarError(
        'cli/usage',
        `there is no benchmark of "${room}"; there are: ${[...rooms, ...Object.keys(groups)].join(', ')}`,
      )
    }
  }
  return asked.length > 0 ? asked : rooms
}

/** Each room has a process of its own: no other room's memory or warm code is in its figures. */
async function inChild(room: string, quality: boolean): Promise<readonly BenchRow[]> {
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), room, String(quality)]
  const child = promisify(execFile)(process.execPath, args, { timeout: roomMs, maxBuffer: outputBytes })
  child.child.stderr?.pipe(process.stderr)
  const { stdout } = await child.catch((cause: unknown) => {
    throw new NightjarError('bench/room', `the benchmark of ${room} failed; what it said is above`, { cause })
  })
  return JSON.parse(stdout) as BenchRow[]
}

async function load(room: string): Promise<Benchmark> {
  const { file, name } = benchmarks[room] ?? {}
  const measure = file && name ? ((await import(file.href)) as Record<string, unknown>)[name] : undefined
  if (typeof measure !== 'function') {
    throw new NightjarError('bench/missing', `there is no function ${name} in ${file ? fileURLToPath(file) : room}`)
  }
  return measure as Benchmark
}

const headings = ['room', 'figure', 'frame', 'threads', 'value', 'unit', 'peer', 'peer value', 'ratio', 'n'] as const
const numeric = new Set<string>(['threads', 'value', 'peer value', 'ratio', 'n'])

function cellsOf(row: BenchRow): string[] {
  const measured = [String(row.threads), formatNumber(row.value), row.unit]
  const peer = [row.peer ?? '', formatNumber(row.peerValue), formatNumber(row.ratio)]
  return [row.room, row.figure, row.frame ?? '', ...measured, ...peer, String(row.n)]
}

/** For people: one line a figure, columns aligned, numbers to the right. */
export function formatTable(rows: readonly BenchRow[]): string {
  const table = [[...headings] as string[], ...rows.map(cellsOf)]
  const widths = headings.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  const align = (cell: string, column: number): string => {
    const width = widths[column] ?? 0
    return numeric.has(headings[column] ?? '') ? cell.padStart(width) : cell.padEnd(width)
  }
  return table.map((cells) => `${cells.map(align).join('  ').trimEnd()}\n`).join('')
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`

/** docs/benchmarks.md. Rooms that were not measured keep their lines of the document before. */
export function formatDocument(rows: readonly BenchRow[], machine: string, before = ''): string {
  const measured = new Set(rows.map(({ room }) => room))
  const linesOf = (room: string): string[] => {
    if (!measured.has(room)) return before.split('\n').filter((old) => old.startsWith(`| ${room} |`))
    return rows.filter((row) => row.room === room).map((row) => line(cellsOf(row)).trimEnd())
  }
  const rule = headings.map((heading) => (numeric.has(heading) ? '---:' : '---'))
  return `# Benchmarks

Made by \`scripts/bench --write-docs\` on ${machine}.
Each value is the median of n runs; a peer ran in the same call on the same machine, and ratio is value / peer value: of times and
sizes less is better, of rates (1/s, MB/s) more. A peer that was not installed is named with the command that installs it.
"Whole stage" is what the daemon does, from a stage's job to the commit of its event on the disk, for one frame of the simulated
sky; its peak RSS is that of a process that does nothing else. How good differences are is in [quality.md](quality.md).

${line(headings)}${line(rule)}${rooms.flatMap(linesOf).join('\n')}
`
}

async function writeDocument(rows: readonly BenchRow[]): Promise<void> {
  const documents = fileURLToPath(new URL('../../../docs/', import.meta.url))
  await mkdir(documents, { recursive: true })
  const quality = rows.filter(isQuality)
  const others = rows.filter((row) => !isQuality(row))
  if (others.length > 0) {
    const path = `${documents}benchmarks.md`
    const before = await readFile(path, 'utf8').catch(() => '')
    await writeFile(path, formatDocument(others, describeMachine(), before))
  }
  if (quality.length > 0) await writeFile(`${documents}quality.md`, formatQuality(quality))
}

function describeMachine(): string {
  const all = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${all.length} × ${all[0]?.model.trim() ?? 'CPU'}, ${memory} GiB of memory, Node ${process.version}`
}

if (import.meta.main) {
  const [room = '', quality] = process.argv.slice(2)
  const measure = await load(room)
  process.stdout.write(JSON.stringify(await measure({ quality: quality === 'true' })))
}

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import type { FuzzReport } from '@nightjar/firmware-bridge/indi/fuzz.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import type { FitsFuzzReport } from '../appliance/src/frames/fits/fuzz.ts'
import { cutPower, powerCutObstacle } from '../appliance/test/faults/powerCut.ts'
import { machineObstacle, makeDebianRoot } from '../appliance/test/systemd/machine.ts'
import { proveUnit } from '../appliance/test/systemd/unit.ts'

const help = `Usage: scripts/soak power-cut [--cuts N] [--seed N] [--json]
       scripts/soak fuzz-indi [--megabytes N] [--seed N]
       scripts/soak fuzz-fits [--files N] [--seed N]
       scripts/soak systemd [--json]

power-cut  cuts the power of a writing store N times (default 40) and counts what it had acknowledged and lost. Needs
           root, for mounting a file system in a file. Exit status: 0 when nothing was lost.
fuzz-indi  gives the INDI parser N million changed bytes (default 1000), ten million to a process, each from another seed.
           Exit status: 0 when nothing crashed, was not understood afterwards, waited over 100 ms (CPU) or took 256 MB.
fuzz-fits  reads N damaged FITS files (default a million), a hundred thousand to a process. Exit status: 0 when each was
           read or refused by name, none took over 2 s (CPU) or more pixel memory than its largest image is due.
systemd    boots a small Debian in a container and starts, hangs and stops the real unit there; prints the seconds of each.
           Needs root, systemd-container and debootstrap, and the network once, for the small Debian.`

async function powerCut(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      cuts: { type: 'string', default: '40' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  })
  const cuts = Number(values.cuts)
  if (!Number.isInteger(cuts) || cuts < 1) return fail(`--cuts must be a whole number above 0, not ${values.cuts}`)
  const obstacle = await powerCutObstacle()
  if (obstacle !== undefined) return fail(obstacle)
  const report = await cutPower({
    cuts,
    random: createRandom(`power-cut ${values.seed}`),
    kind: 'store',
    onCut: (cut, lost) => {
      if (!values.json) console.error(`cut ${cut} of ${cuts}: ${lost.length === 0 ? 'nothing lost' : lost.join('; ')}`)
    },
  })
  if (values.json) console.log(JSON.stringify(report))
  else console.log(`${report.cuts} cuts, ${report.acknowledged} acknowledged writes, ${report.lost.length} lost`)
  return report.lost.length === 0 ? 0 : 1
}

const bytesPerProcess = 10_000_000
const mostCpuMs = 100
const mostRssBytes = 256_000_000

async function fuzzIndi(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { megabytes: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
  })
  const [megabytes, seed] = [Number(values.megabytes), Number(values.seed)]
  if (!(megabytes > 0) || !Number.isInteger(seed)) return fail('--megabytes and --seed take numbers')
  const program = fileURLToPath(new URL('../firmware-bridge/src/indi/fuzz.ts', import.meta.url))
  let [documents, mutatedBytes, bad, slowestCpuMs, peakRssBytes] = [0, 0, 0, 0, 0]
  for (let n = 0; mutatedBytes < megabytes * 1e6; n++) {
    const { stdout } = await promisify(execFile)(process.execPath, [program, `${bytesPerProcess}`, `${seed + n}`])
    const report = JSON.parse(stdout) as FuzzReport
    documents += report.documents
    mutatedBytes += report.mutatedBytes
    slowestCpuMs = Math.max(slowestCpuMs, report.slowestCpuMs)
    peakRssBytes = Math.max(peakRssBytes, report.peakRssBytes)
    bad += report.crashes + report.lost
    if (report.first !== undefined) console.error(report.first)
  }
  console.log(
    `${documents} documents, ${mutatedBytes} changed bytes, ${bad} crashes or losses, slowest chunk ` +
      `${slowestCpuMs.toFixed(1)} ms, peak RSS ${(peakRssBytes / 1e6).toFixed(0)} MB`,
  )
  return bad === 0 && slowestCpuMs < mostCpuMs && peakRssBytes < mostRssBytes ? 0 : 1
}

const fitsPerProcess = 100_000
const mostFitsCpuMs = 2000

async function fuzzFits(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: { files: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
  })
  const files = Number(values.files)
  if (!Number.isInteger(files) || files < 1) return fail(`--files must be a whole number above 0, not ${values.files}`)
  const program = fileURLToPath(new URL('../appliance/src/frames/fits/fuzz.ts', import.meta.url))
  let [read, faults, slowestCpuMs, slowest, peakPixelBytes] = [0, 0, 0, 0, 0]
  for (let first = 0; first < files; first += fitsPerProcess) {
    const count = Math.min(fitsPerProcess, files - first)
    const { stdout } = await promisify(execFile)(process.execPath, [program, `${count}`, values.seed, `${first}`])
    const report = JSON.parse(stdout) as FitsFuzzReport
    read += report.read
    faults += report.faults
    if (report.slowestCpuMs > slowestCpuMs) [slowestCpuMs, slowest] = [report.slowestCpuMs, report.slowest]
    peakPixelBytes = Math.max(peakPixelBytes, report.peakPixelBytes)
    if (report.firstFault !== undefined) console.error(report.firstFault)
  }
  console.log(
    `${files} damaged files: ${read} read, ${files - read - faults} refused, ${faults} faults; slowest ` +
      `${slowestCpuMs.toFixed(1)} ms (file ${slowest}), at most ${(peakPixelBytes / 1e6).toFixed(1)} MB of pixel memory`,
  )
  return faults === 0 && slowestCpuMs < mostFitsCpuMs ? 0 : 1
}

async function systemd(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { json: { type: 'boolean', default: false } } })
  const obstacle = machineObstacle()
  if (obstacle !== undefined) return fail(obstacle)
  const say = (step: string): void => void (values.json || console.error(step))
  say('making a small Debian, if there is none yet')
  await makeDebianRoot()
  const report = await proveUnit(say)
  if (values.json) console.log(JSON.stringify(report))
  else for (const [what, value] of Object.entries(report)) console.log(`${what}: ${shown(value)}`)
  return report.verified && report.complaints.length === 0 && report.phases.at(-1) === 'closed' ? 0 : 1
}

const shown = (value: unknown): string => (typeof value === 'number' ? value.toFixed(1) : String(value))

function fail(reason: string): number {
  console.error(`soak: ${reason}`)
  return 2
}

const [what, ...argv] = process.argv.slice(2)
const soaks: Readonly<Record<string, (argv: string[]) => Promise<number>>> = {
  'power-cut': powerCut,
  'fuzz-indi': fuzzIndi,
  'fuzz-fits': fuzzFits,
  systemd,
}
const soak = Object.hasOwn(soaks, what ?? '') ? soaks[what!] : undefined
if (soak && !argv.includes('--help')) process.exitCode = await soak(argv)
else {
  console.log(help)
  process.exitCode = what === undefined || what === '--help' || soak ? 0 : 2
}

import { parseArgs } from 'node:util'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { cutPower, powerCutObstacle } from '../appliance/test/faults/powerCut.ts'

const help = `Usage: scripts/soak power-cut [--cuts N] [--seed N] [--json]

Cuts the power of a writing store N times (default 40) and counts what it had acknowledged and lost.
Needs root, for mounting a file system in a file. Exit status: 0 when nothing was lost.`

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

function fail(reason: string): number {
  console.error(`soak: ${reason}`)
  return 2
}

const [what, ...argv] = process.argv.slice(2)
if (what === 'power-cut' && !argv.includes('--help')) process.exitCode = await powerCut(argv)
else {
  console.log(help)
  process.exitCode = what === undefined || what === '--help' || what === 'power-cut' ? 0 : 2
}

import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { verifyFolder } from '../store/verify.ts'

export const help = `Usage: nightjar verify DATA [--json]

Proves a data folder without changing it, also beside a running daemon: every journal line follows the one
before, every stored file has the bytes that were announced, every row names rows that exist.

  DATA     the daemon's data folder
  --json   print the whole report as one JSON object

Exit status: 0 when all is well, 1 when something is wrong, 2 for a wrong call.`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    options: { json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [folder, ...more] = positionals
  if (folder === undefined || more.length > 0) {
    throw new NightjarError('cli/usage', 'name one data folder: nightjar verify DATA')
  }
  const report = await verifyFolder(folder)
  if (values.json) console.log(JSON.stringify(report))
  else {
    for (const problem of report.problems) console.log(problem)
    for (const orphan of report.orphans) console.log(`${orphan}: no row speaks of it (harmless)`)
    const verdict = report.ok ? 'all is well' : `${report.problems.length} problem(s)`
    console.log(`${report.events} events, ${report.files} files: ${verdict}`)
  }
  return report.ok ? 0 : 1
}

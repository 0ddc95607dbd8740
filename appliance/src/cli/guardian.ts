import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { guardianPaths } from '../guardian/config.ts'
import { readGuardianJournal } from '../guardian/journal.ts'
import { guardianMain } from '../guardian/main.ts'

export const help = `Usage: nightjar guardian --data FOLDER [--stay]
       nightjar guardian --data FOLDER --journal

Runs the guardian of a data folder: the small process that parks the mount and then closes the roof when the daemon is dead
or hangs, in rain, when the mains are lost, or when a sensor falls silent. "nightjar start" starts one by itself; run it
here for a service manager, or to look at it.

  --data FOLDER       the data folder; the daemon writes guardian.json there
  --stay              wait for the settings, and never end by itself (for a service manager)
  --journal           print what the guardian has done, one JSON object a line, and end

SIGTERM parks, closes and then ends; a second one ends at once. Exit status 75: another guardian has the folder.`

export async function run(argv: string[]): Promise<number> {
  const options = {
    data: { type: 'string' },
    stay: { type: 'boolean', default: false },
    journal: { type: 'boolean', default: false },
  } as const
  const { values } = parseArgs({ args: argv, options })
  if (values.data === undefined) throw new NightjarError('cli/usage', 'give the data folder: --data FOLDER')
  if (values.journal) {
    const entries = readGuardianJournal(guardianPaths(values.data).journal)
    process.stdout.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    return 0
  }
  const args = ['--folder', values.data, ...(values.stay ? ['--stay'] : [])]
  return guardianMain(args, () => process.stdout.write('ready\n'))
}

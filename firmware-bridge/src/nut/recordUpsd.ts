/**
 * Records `tapes/nut-upsd-2.8.0.jsonl` from a running upsd with a UPS named `sim` (Debian's nut-server with dummy-ups):
 * two listings and an unknown name. Run by hand: `node recordUpsd.ts PORT TAPE`.
 */
import { writeFileSync } from 'node:fs'
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { recordTape } from '../wire/tape.ts'
import { connectTcp } from '../wire/tcp.ts'
import { createNutSession } from './session.ts'

/** The recording without the name of a temporary folder of this machine. */
function withoutFolder(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  if (typeof entry['bytes'] !== 'string') return line
  const text = Buffer.from(entry['bytes'], 'base64').toString('latin1')
  const clean = text.replaceAll(/"\/[^"]*\/sim\.dev"/g, '"/observatory/sim.dev"')
  return JSON.stringify({ ...entry, bytes: Buffer.from(clean, 'latin1').toString('base64') })
}

const lines: string[] = []
{
  const connect = recordTape(
    connectTcp({ host: '127.0.0.1', port: Number(process.argv[2]) }),
    (line) => void lines.push(withoutFolder(line)),
    clock,
  )
  await using session = createNutSession(connect, {
    clock,
    random: createRandom(1),
    ups: 'sim',
    username: 'watcher',
    password: 'sky',
    pollMs: 500,
  })
  await clock.sleep(900)
  process.stdout.write(`${session.variables.size} variables, ${session.problem ?? 'no problem'}\n`)
}
writeFileSync(process.argv[3] ?? 'nut.jsonl', `${lines.join('\n')}\n`)

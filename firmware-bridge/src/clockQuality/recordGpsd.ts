/**
 * Records `tapes/gpsd-3.22.jsonl` from a running gpsd with a receiver, five seconds of what it tells a watcher.
 * Run by hand: `node recordGpsd.ts PORT TAPE`.
 */
import { writeFileSync } from 'node:fs'
import { systemClock as clock } from '../clock.ts'
import { createGpsd } from '../devices/gpsd.ts'
import { createRandom } from '../random.ts'
import { recordTape } from '../wire/tape.ts'
import { connectTcp } from '../wire/tcp.ts'

const recordMs = 5_000
/** The recording without the name of this machine's device. */
function withoutDevice(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  if (typeof entry['bytes'] !== 'string') return line
  const text = Buffer.from(entry['bytes'], 'base64').toString('latin1')
  const clean = text.replaceAll(/"(device|path)":"[^"]*"/g, '"$1":"/dev/ttyACM0"')
  return JSON.stringify({ ...entry, bytes: Buffer.from(clean, 'latin1').toString('base64') })
}

const lines: string[] = []
{
  const wire = connectTcp({ host: '127.0.0.1', port: Number(process.argv[2]) })
  const connect = recordTape(wire, (line) => void lines.push(withoutDevice(line)), clock)
  await using gpsd = createGpsd(connect, { clock, random: createRandom(1) })
  await clock.sleep(recordMs)
  process.stdout.write(`${JSON.stringify([gpsd.gps.state(), gpsd.timeSource.state()])}\n`)
}
writeFileSync(process.argv[3] ?? 'gpsd.jsonl', `${lines.join('\n')}\n`)

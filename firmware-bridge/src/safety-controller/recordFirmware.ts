/**
 * Records `tapes/safety-controller-1.0.0.jsonl` from the firmware in simavr: greeting, dead man, opening, settings, rain,
 * a fault. Run by hand, with the tape as argument.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { systemClock, VirtualClock } from '../clock.ts'
import { createSafetyController } from '../devices/safetyController.ts'
import { createRandom } from '../random.ts'
import { recordTape } from '../wire/tape.ts'
import { paceChip } from './firmwareBench.ts'
import { nightSeed, nightStartMs, playNight } from './night.ts'
import { buildHost, openFirmwareBuild, startSimavr } from './simavr.ts'

/** The recording without the name of this machine's pseudo-terminal. */
function named(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  return JSON.stringify('tape' in entry ? { ...entry, name: 'serial, firmware 1.0.0 in simavr' } : entry)
}

const file = openSync(process.argv[2] ?? 'safety-controller.jsonl', 'w')
{
  using build = openFirmwareBuild()
  await using chip = await startSimavr(await buildHost(build), await build.chip('firmware.elf'))
  chip.tell('ROOF 2000 0')
  const clock = new VirtualClock(nightStartMs)
  const connect = recordTape(chip.connect, (line) => void writeSync(file, `${named(line)}\n`), clock)
  const controller = createSafetyController(connect, { clock, random: createRandom(nightSeed) })
  const pass = (ms: number): Promise<void> => paceChip(chip, clock, ms)
  // The port is opened in real time, before the night begins.
  while (controller.session.name === 'closed wire') await systemClock.sleep(10)
  const story = await playNight(controller, { pass, world: (line) => chip.tell(line) })
  process.stdout.write(`${story.join('\n')}\n`)
  await controller[Symbol.asyncDispose]()
}
closeSync(file)

import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { createSimulatedObservatory, type SimulatedObservatory } from '../simulation/observatory.ts'
import type { Scenario } from '../simulation/scenario.ts'
import { createSky } from '../simulation/sky.ts'

export const help = `Usage: nightjar simulate --scenario JSON [--port PORT | --socket PATH] [--size PIXELS] [--time-factor X]
                        [--until-alone]

Runs the simulated observatory alone: an INDI server with a mount, a camera and a focuser for any INDI client. Prints one
JSON line {"address"} when it listens and runs until it is told to stop.

  --scenario JSON     seed, site, field and transients, as "nightjar start" writes them
  --port PORT         on 127.0.0.1 (default 0: the system chooses)
  --socket PATH       a unix socket instead of a port
  --size PIXELS       width and height of the sensor (default 1024)
  --until-alone       end by itself when the last client has been gone for some seconds
  --time-factor X     exposures, readouts and slews take this fraction of their time (default 1)`

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      scenario: { type: 'string' },
      port: { type: 'string', default: '0' },
      socket: { type: 'string' },
      size: { type: 'string', default: '1024' },
      'time-factor': { type: 'string', default: '1' },
      'until-alone': { type: 'boolean', default: false },
    },
  })
  if (values.scenario === undefined) throw new NightjarError('cli/usage', 'give the scenario: --scenario JSON')
  const scenario = JSON.parse(values.scenario) as Scenario
  const size = number('--size', values.size, 64, 16384)
  const sky = createSky({ seed: scenario.seed, catalogue: openStarCatalogue(), transients: scenario.transients })
  await using observatory = createSimulatedObservatory({
    seed: scenario.seed,
    clock: systemClock,
    site: scenario.site,
    sky,
    widthPixels: size,
    heightPixels: size,
    timeFactor: number('--time-factor', values['time-factor'], 0.001, 100),
  })
  const at =
    values.socket === undefined
      ? { host: '127.0.0.1', port: number('--port', values.port, 0, 65535) }
      : { path: values.socket }
  console.log(JSON.stringify({ address: await observatory.listen(at) }))
  const told = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  await (values['until-alone'] ? Promise.race([told, alone(observatory)]) : told)
  return 0
}

/** A daemon that starts again after a kill has a simulator of its own; this one waits for the guardian alone. */
const aloneMs = 5_000

async function alone(observatory: SimulatedObservatory): Promise<void> {
  for (let sinceMs = systemClock.monotonic(); systemClock.monotonic() - sinceMs < aloneMs; ) {
    await systemClock.sleep(aloneMs / 10)
    if (observatory.clients > 0) sinceMs = systemClock.monotonic()
  }
}

function number(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= least && value <= most) return value
  throw new NightjarError('cli/usage', `${option} must be a number from ${least} to ${most}, not ${text}`)
}

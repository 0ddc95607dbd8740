/**
 * Records `tapes/indi-simulators-1.9.9.jsonl` from Debian's indiserver with its telescope and camera simulators: both
 * connect, one frame of 64 × 64 pixels is taken, the mount makes a short slew. Run by hand, with the tape as argument.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock as clock } from '../clock.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import { createRandom } from '../random.ts'
import { recordTape } from '../wire/tape.ts'
import { createIndiClient } from './client.ts'
import { startIndiserver } from './indiserver.ts'

/** The recording without the name of a temporary folder of this machine. */
function withoutFolder(line: string, folder: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  const replaced = (text: string): string => text.replaceAll(`${folder}/`, '/observatory/')
  if (typeof entry['name'] === 'string') entry['name'] = replaced(entry['name'])
  if (typeof entry['bytes'] === 'string') {
    const text = Buffer.from(entry['bytes'], 'base64').toString('latin1')
    entry['bytes'] = Buffer.from(replaced(text), 'latin1').toString('base64')
  }
  return JSON.stringify(entry)
}

const file = openSync(process.argv[2] ?? 'simulators.jsonl', 'w')
{
  await using server = await startIndiserver({ drivers: ['indi_simulator_telescope', 'indi_simulator_ccd'], clock })
  const folder = dirname(server.socketPath)
  const write = (line: string): void => void writeSync(file, `${withoutFolder(line, folder)}\n`)
  const connect = recordTape(server.connect, write, clock)
  await using client = createIndiClient(connect, { clock, random: createRandom(1) })
  const camera = createIndiCamera(client, 'CCD Simulator', { clock })
  const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
  const mount = createIndiMount(client, 'Telescope Simulator', { clock, site })
  await client.waitFor(() => (camera.state().connected && mount.state().connected) || undefined, 10_000)
  await clock.sleep(500)
  await client.set('CCD Simulator', 'SIMULATOR_SETTINGS', { SIM_XRES: 512, SIM_YRES: 512 })
  await client.waitFor(() => camera.state().widthPixels === 512 || undefined, 10_000)
  await camera.setRoi({ x: 0, y: 0, widthPixels: 64, heightPixels: 64 })
  const frame = await camera.expose({ seconds: 1, frameType: 'light' })
  const slew = await mount.slew((mount.state().raDeg + 2) % 360, 88, 60_000)
  process.stdout.write(`${frame.ok ? frame.bytes.length : frame.reason} ${JSON.stringify([slew, mount.state()])}\n`)
}
closeSync(file)

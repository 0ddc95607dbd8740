/**
 * Records tapes of Debian's serial drivers (indi-bin 1.9.9) with our simulators at the far end, from the simulator's side:
 * what comes in is the real driver's. Run by hand, with the folder for the tapes and the built `moonlite/noflush.c` as
 * arguments.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '../clock.ts'
import { toIcrs } from '../devices/epoch.ts'
import { createIndiFocuser } from '../devices/indiFocuser.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import { createRandom } from '../random.ts'
import { createLx200MountSimulator, type Lx200Simulator } from '../simulators/lx200Mount.ts'
import { createMoonliteSimulator } from '../simulators/moonliteFocuser.ts'
import type { Accept } from '../wire/serialServe.ts'
import { type PeerDriver, startDriverPeers } from './driverPeer.ts'
import { recordedMoonlite, recordedMount, tickingClock } from './recorded.ts'

const [folder = '.', shim = ''] = process.argv.slice(2)
const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 150 }
const until = async (condition: () => boolean): Promise<void> => {
  for (let n = 0; n < 1_000 && !condition(); n++) await clock.sleep(20)
}

/** One driver with its tape; the wire's name, which has a folder of this machine, becomes the driver's. */
async function record(
  tape: string,
  peer: Omit<PeerDriver, 'record'>,
  env: Record<string, string>,
  drive: (client: Parameters<typeof createIndiMount>[0]) => Promise<void>,
): Promise<void> {
  const lines: string[] = []
  const sink = (line: string): void => {
    const entry = JSON.parse(line) as Record<string, unknown>
    if ('tape' in entry) entry['name'] = `${peer.driver} 1.9.9 on a pseudo-terminal`
    lines.push(`${JSON.stringify(entry)}\n`)
  }
  {
    await using rig = await startDriverPeers({
      clock,
      random: createRandom(1),
      env,
      drivers: [{ ...peer, record: sink }],
    })
    await drive(rig.client)
  }
  writeFileSync(join(folder, tape), lines.join(''))
}

for (const [driver, device, dialect] of [
  ['indi_lx200_OnStep', 'LX200 OnStep', 'onstep'],
  ['indi_lx200classic', 'LX200 Classic', 'classic'],
  ['indi_lx200basic', 'LX200 Basic', 'classic'],
] as const) {
  let simulator: Lx200Simulator | undefined
  // Made when the tape begins, so that a replay begins with the same mount.
  const accept: Accept = (open) => {
    const random = createRandom(driver)
    simulator = createLx200MountSimulator({ clock: tickingClock(clock), random, dialect, ...recordedMount })
    simulator.accept(open)
  }
  await record(`lx200-${driver}-1.9.9.jsonl`, { driver, device, simulator: accept }, {}, async (client) => {
    const mount = createIndiMount(client, device, { clock, site })
    await until(() => mount.state().connected && simulator?.heard.includes('declination') === true)
    await clock.sleep(1_500)
    const { raDeg = 0, haDeg = 0 } = simulator?.pointing() ?? {}
    const target = toIcrs({ raDeg: (raDeg + haDeg + 30 + 720) % 360, decDeg: 40 }, clock.now())
    const outcomes = [
      await mount.slew(target.raDeg, target.decDeg, 30_000),
      await mount.sync(target.raDeg, target.decDeg + 0.1),
    ]
    await clock.sleep(1_500)
    if (driver !== 'indi_lx200basic') outcomes.push(await mount.setTrackRate('lunar'))
    if (dialect === 'onstep') outcomes.push(await mount.park(30_000), await mount.unpark())
    await clock.sleep(1_500)
    process.stdout.write(`${driver}: ${JSON.stringify(outcomes)}\n`)
  })
}

const accept: Accept = (open) =>
  createMoonliteSimulator({ clock: tickingClock(clock), ...recordedMoonlite }).accept(open)
const moonlite = { driver: 'indi_moonlite_focus', device: 'MoonLite', simulator: accept }
await record('moonlite-indi_moonlite_focus-1.9.9.jsonl', moonlite, { LD_PRELOAD: shim }, async (client) => {
  const focuser = createIndiFocuser(client, 'MoonLite')
  await until(() => focuser.state().connected && focuser.state().temperatureC !== undefined)
  const outcomes = [await focuser.moveTo(6_500, 20_000), await focuser.moveTo(4_000, 20_000)]
  process.stdout.write(`indi_moonlite_focus: ${JSON.stringify(outcomes)}\n`)
})

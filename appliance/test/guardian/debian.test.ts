import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { judgeAccepted } from '@nightjar/firmware-bridge/indi/command.ts'
import { findProperty } from '@nightjar/firmware-bridge/indi/properties.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { describe, expect, it } from 'vitest'
import { driverSocket } from '../../src/guardian/drivers.ts'
import { guard, startDaemon, temporaryFolder, until } from './processes.ts'

/** Debian's own telescope and dome, under the guardian. */
const programs = ['indi_simulator_telescope', 'indi_simulator_dome']
const onPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)))
const missing = ['indiserver', 'unshare', 'ip', ...programs].filter((program) => !onPath(program))
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install indi-bin util-linux iproute2)`)

const telescope = 'Telescope Simulator'
const dome = 'Dome Simulator'

describe.skipIf(missing.length > 0)('a guardian that runs Debian’s drivers of mount and dome', () => {
  it('keeps them when the daemon is killed, parks the telescope and then closes the dome', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const server = { path: driverSocket(folder, 'site') }
    const guardian = await guard(stack, {
      folder,
      drivers: [{ name: 'site', programs }],
      mount: { kind: 'indi', server, device: telescope },
      roof: { kind: 'indi', server, device: dome },
      inputs: [],
    })
    const daemon = await startDaemon(stack, folder)
    const client = stack.use(createIndiClient(connectTcp(server), { clock, random: createRandom(1) }))
    const states: string[] = []
    client.listen((event) => {
      if (event.type !== 'updated' || !['TELESCOPE_PARK', 'DOME_SHUTTER'].includes(event.name)) return
      const property = findProperty(client.state, event.device, event.name)
      const on = property?.kind === 'switch' ? property.elements.find((element) => element.value)?.name : undefined
      states.push(`${on} ${property?.state}`)
    })
    expect(await client.connectDevice(telescope)).toEqual({ ok: true })
    expect(await client.connectDevice(dome)).toEqual({ ok: true })
    expect(await client.set(telescope, 'TELESCOPE_PARK', { UNPARK: true })).toEqual({ ok: true })
    // Its own park position is a slew of 20 s away.
    const here = await client.set(telescope, 'TELESCOPE_PARK_OPTION', { PARK_CURRENT: true }, { judge: judgeAccepted })
    expect(here).toEqual({ ok: true })
    expect(await client.set(dome, 'DOME_SHUTTER', { SHUTTER_OPEN: true }, { timeoutMs: 20_000 })).toEqual({ ok: true })
    await until(() => daemon.latest()?.roof?.position === 'open', 'an open dome')
    states.length = 0
    daemon.signal('SIGKILL')
    await until(() => states.includes('SHUTTER_CLOSE Ok'), 'the closed dome', 30_000)
    const [parked, closing] = [states.indexOf('PARK Ok'), states.indexOf('SHUTTER_CLOSE Busy')]
    expect(parked).toBeGreaterThanOrEqual(0)
    expect(closing).toBeGreaterThan(parked)
    const actions = guardian.journal().filter(({ event }) => event === 'action')
    expect(actions.map(({ type }) => type)).toEqual(['park', 'closeRoof'])
  })
})

import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createAlpacaCameraSimulator } from '@nightjar/firmware-bridge/simulators/alpacaCamera.ts'
import { createAlpacaDomeSimulator } from '@nightjar/firmware-bridge/simulators/alpacaDevices.ts'
import { createSimulatedAlpacaServer } from '@nightjar/firmware-bridge/simulators/alpacaServer.ts'
import { createAlpacaTelescopeSimulator } from '@nightjar/firmware-bridge/simulators/alpacaTelescope.ts'
import { describe, expect, it } from 'vitest'
import { kindOf } from '../../src/cli/start.ts'
import { defaultSettings, type Settings } from '../../src/contract/config.ts'
import { addressesOf, type DevicesSettings } from '../../src/contract/deviceSettings.ts'
import { guardianPaths } from '../../src/guardian/config.ts'
import { readGuardianJournal } from '../../src/guardian/journal.ts'
import { openSettings } from '../../src/store/settings.ts'
import { temporaryFolder, until } from '../guardian/processes.ts'
import { startLife, survivorsOf } from '../once/lives.ts'

const settingsOf = (devices: object): Settings => ({ ...defaultSettings, devices: devices as DevicesSettings })

describe('what nightjar start brings up', () => {
  it('is the site that the settings describe, by whatever addresses; simulated only where all is', () => {
    for (const mount of addressesOf.mount)
      for (const camera of addressesOf.camera) {
        const settings = settingsOf({ mount: { kind: mount }, camera: { kind: camera } })
        const simulated = [mount, camera].filter((kind) => kind === 'simulated').length
        if (simulated === 1) expect(() => kindOf(undefined, settings)).toThrow(/simulated beside real hardware/)
        else expect(kindOf(undefined, settings)).toBe(simulated === 2 ? 'simulated' : 'configured')
      }
  })

  it('is refused with the names of what is simulated beside real hardware', () => {
    const real = { kind: 'alpaca' }
    const devices = { mount: real, camera: real, roof: { kind: 'simulated' }, weather: { kind: 'simulated' } }
    expect(() => kindOf(undefined, settingsOf(devices))).toThrow(/^devices\.roof, devices\.weather in settings\.json/)
  })

  it('runs on Alpaca devices alone, with a guardian that sees them', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = temporaryFolder(stack)
    const server = createSimulatedAlpacaServer([
      createAlpacaTelescopeSimulator(clock),
      createAlpacaCameraSimulator({ clock, widthPixels: 64, heightPixels: 48 }),
      createAlpacaDomeSimulator(clock).device,
    ])
    const { port } = stack.use(await server.listen())
    const alpaca = { kind: 'alpaca', host: '127.0.0.1', port, number: 0 } as const
    const file = await openSettings(folder)
    await file.update((current) => ({ ...current, devices: { mount: alpaca, camera: alpaca, roof: alpaca } }))
    const name = `${process.pid}-sites-start`
    const life = startLife(name, ['--data', folder, '--port', '0'])
    stack.defer(async () => {
      await life.kill()
      for (const pid of await survivorsOf(name, folder)) process.kill(pid, 'SIGKILL')
    })
    await until(() => life.readySeconds() !== undefined, 'the panel', 20_000)
    const readBy = (member: string): number => server.log.filter((line) => line === `GET ${member}`).length
    await until(() => readBy('telescope/0/atpark') > 2 && readBy('dome/0/shutterstatus') > 2, 'both at the mount')
    expect(readGuardianJournal(guardianPaths(folder).journal).map(({ event }) => event)).toContain('guardian.started')
    process.kill(life.pid, 'SIGTERM')
    expect(await life.ended()).toMatchObject({ status: 0 })
  }, 60_000)
})

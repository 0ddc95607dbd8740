import { describe, expect, it } from 'vitest'
import { defaultSettings, type Settings } from '../contract/config.ts'
import type { DevicesSettings } from '../contract/deviceSettings.ts'
import { parseGuardianConfig } from '../guardian/config.ts'
import { guardianConfigFor } from './guardConfig.ts'

const folder = '/var/lib/nightjar'
const alpaca = { kind: 'alpaca', host: '192.168.1.20', port: 11111, number: 0 } as const
const indi = (device: string) => ({ kind: 'indi', host: '192.168.1.9', port: 7624, device }) as const
const driver = (program: string, device: string) => ({ kind: 'driver', driver: program, device }) as const
const controller = { path: '/dev/serial/by-id/roof', baudRate: 38_400 }
const simulated = {
  server: { host: '127.0.0.1', port: 41_000 },
  names: { mount: 'Telescope Simulator', roof: 'RollOff Simulator', weather: 'Weather Simulator' },
}

const mounts = {
  simulated: { kind: 'simulated' },
  indi: indi('EQMod Mount'),
  driver: driver('indi_lx200_OnStep', 'LX200 OnStep'),
  serial: { kind: 'serial', protocol: 'lx200', path: '/dev/ttyUSB0', baudRate: 9600 },
  alpaca,
} as const
const roofs = {
  none: undefined,
  simulated: { kind: 'simulated' },
  indi: indi('RollOff ino'),
  driver: driver('indi_rolloffino', 'RollOff ino'),
  alpaca,
  controller: { kind: 'controller' },
} as const
const weathers = { none: undefined, simulated: { kind: 'simulated' }, indi: indi('Vantage'), alpaca } as const
const upses = { none: undefined, nut: { kind: 'nut', host: 'localhost', port: 3493, ups: 'apc' } } as const

const pairs = <T extends object>(choices: T): [keyof T, T[keyof T]][] =>
  Object.entries(choices) as [keyof T, T[keyof T]][]

function settingsOf(devices: Partial<DevicesSettings>, gate: Partial<Settings['gate']> = {}): Settings {
  return {
    ...defaultSettings,
    devices: { mount: mounts.indi, camera: indi('CCD'), ...devices } as DevicesSettings,
    gate: { ...defaultSettings.gate, ...gate },
  }
}

const configOf = (devices: object, gate: Partial<Settings['gate']> = {}) => {
  const config = guardianConfigFor({ folder, settings: settingsOf(devices, gate), simulated })
  return config && parseGuardianConfig(JSON.parse(JSON.stringify(config)))
}

describe('what the guardian is told', () => {
  it('is a whole and valid configuration for every mount with every roof, weather station and UPS', () => {
    let count = 0
    for (const [mountKind, mount] of pairs(mounts))
      for (const [roofKind, roof] of pairs(roofs))
        for (const [weatherKind, weather] of pairs(weathers))
          for (const [upsKind, ups] of pairs(upses)) {
            const onController = roofKind === 'controller' ? { controller } : {}
            const config = configOf({ mount, roof, weather, ups, ...onController })
            const name = `${mountKind}, ${roofKind}, ${weatherKind}, ${upsKind}`
            const kinds = config?.inputs.map(({ kind }) => kind)
            expect(config?.mount, name).not.toBeNull()
            expect(config?.roof === null, name).toBe(roofKind === 'none')
            expect(kinds?.includes('nut'), name).toBe(upsKind === 'nut')
            expect(kinds?.includes('controller'), name).toBe(roofKind === 'controller')
            expect(kinds?.includes('alpacaWeather'), name).toBe(weatherKind === 'alpaca')
            expect(kinds?.includes('indiWeather'), name).toBe(weatherKind === 'indi' || weatherKind === 'simulated')
            expect(config?.policy.mountPortIsDaemons, name).toBe(mountKind === 'serial')
            expect(
              config?.drivers.map((group) => group.name),
              name,
            ).toEqual([...(mountKind === 'driver' ? ['mount'] : []), ...(roofKind === 'driver' ? ['roof'] : [])])
            count++
          }
    expect(count).toBe(5 * 6 * 4 * 2)
  })

  it('names where each device is', () => {
    const config = configOf({ mount: mounts.driver, roof: roofs.indi, weather: weathers.simulated })
    expect(config?.mount).toEqual({
      kind: 'indi',
      server: { path: `${folder}/guardian-indi-mount.sock` },
      device: 'LX200 OnStep',
    })
    expect(config?.roof).toMatchObject({ server: { host: '192.168.1.9', port: 7624 }, device: 'RollOff ino' })
    expect(config?.inputs[0]).toMatchObject({ server: simulated.server, device: 'Weather Simulator' })
  })

  it('is one program for one driver that moves mount and roof', () => {
    const both = (device: string) => driver('indi_observatory', device)
    const config = configOf({ mount: both('Mount'), roof: both('Roof') })
    expect(config?.drivers).toEqual([{ name: 'mount', programs: ['indi_observatory'] }])
    expect(config?.roof).toMatchObject({ server: { path: `${folder}/guardian-indi-mount.sock` }, device: 'Roof' })
  })

  it('takes the ages that a site may set beyond what the guardian takes', () => {
    const agesSeconds = { ...defaultSettings.gate.agesSeconds, weather: 86_400, ups: 0.01 }
    const config = configOf({ roof: roofs.indi, weather: weathers.indi, ups: upses.nut }, { agesSeconds })
    expect(config?.inputs.map(({ limitMs }) => limitMs)).toEqual([3_600_000, 100])
  })

  it('uses the park sensor only where a controller has it', () => {
    const inputs = { ...defaultSettings.gate.inputs, mountParkedSensor: 'required' } as const
    expect(configOf({ roof: roofs.controller, controller }, { inputs })?.policy.parkedSignals).toBe('both')
    expect(configOf({ roof: roofs.indi }, { inputs })?.policy.parkedSignals).toBe('mount')
  })

  it('is nothing where the simulated devices end with the daemon', () => {
    const settings = settingsOf({ mount: mounts.simulated, roof: roofs.simulated })
    expect(guardianConfigFor({ folder, settings })).toBeUndefined()
  })

  it.each([
    ['a simulated mount under a real roof', { mount: mounts.simulated, roof: roofs.indi }, /cannot reach a mount/],
    ['a simulated roof over a real mount', { roof: roofs.simulated }, /cannot reach a roof by "simulated"/],
    ['a roof on a controller without a port', { roof: roofs.controller }, /devices\.controller/],
    [
      'a safety controller that does not move the roof',
      { roof: roofs.indi, safety: { kind: 'controller' }, controller },
      /devices\.roof/,
    ],
    [
      'a controller by its USB identity',
      { roof: roofs.controller, controller: { ...controller, path: 'usb:2341:0043' } },
      /\/dev\/serial\/by-id \(devices\.controller\)/,
    ],
    ['a focuser for a mount', { mount: { ...mounts.serial, protocol: 'moonlite' } }, /speaks lx200, not moonlite/],
  ])('is refused with what to change for %s', (_, devices, words) => {
    expect(() => guardianConfigFor({ folder, settings: settingsOf(devices as object) })).toThrow(words)
  })
})

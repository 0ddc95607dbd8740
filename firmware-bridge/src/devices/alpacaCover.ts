import { type AlpacaDeviceOptions, commonState, createAlpacaDevice, type Verdict } from '../alpaca/device.ts'
import type { Outcome } from '../outcome.ts'
import type { Cover, CoverPosition } from './cover.ts'
import { driverCard } from './device.ts'
import type { FlatPanel } from './flatPanel.ts'
import type { Capability } from './kinds.ts'

export const alpacaCoverCard = driverCard('cover', 'Alpaca', ['open', 'close', 'abort'])
export const alpacaFlatPanelCard = driverCard('flatPanel', 'Alpaca', ['light', 'brightness'])

const coverMs = 120_000
const lightMs = 60_000
/** ICoverCalibratorV1, CoverStatus: not present, closed, moving, open, unknown, error. */
const positions: readonly CoverPosition[] = ['unknown', 'closed', 'moving', 'open', 'unknown', 'unknown']
const coverStates = { absent: 0, error: 5 } as const
/** ICoverCalibratorV1, CalibratorStatus. */
const lightStates = { absent: 0, off: 1, ready: 3, error: 5 } as const

/** The cover of an ASCOM Alpaca cover calibrator. */
export function createAlpacaCover(options: AlpacaDeviceOptions): Cover {
  const device = createAlpacaDevice('covercalibrator', { fixed: [], changing: ['coverstate'] }, options)
  let motion = new AbortController()
  const position = (): CoverPosition => (device.connected && positions[device.number('coverstate') ?? 4]) || 'unknown'

  async function move(command: string, wanted: CoverPosition, timeoutMs: number): Promise<Outcome> {
    motion.abort('another motion was asked for')
    motion = new AbortController()
    const { signal } = motion
    const taken = await device.command(command)
    if (!taken.ok) return taken
    const judge = (): Verdict => {
      if (device.number('coverstate') === coverStates.error) return { failed: 'the cover reports an error' }
      return position() === wanted ? 'done' : 'wait'
    }
    return device.until(judge, timeoutMs, signal)
  }

  return {
    state: () => ({ ...commonState(device), position: position() }),
    can: () => new Set((device.number('coverstate') ?? 0) === coverStates.absent ? [] : alpacaCoverCard.can),
    open: (timeoutMs = coverMs) => move('opencover', 'open', timeoutMs),
    close: (timeoutMs = coverMs) => move('closecover', 'closed', timeoutMs),
    async abort() {
      motion.abort('the motion was aborted')
      return device.command('haltcover')
    },
    async [Symbol.asyncDispose]() {
      motion.abort('disposed')
      await device[Symbol.asyncDispose]()
    },
  }
}

/** The light of an ASCOM Alpaca cover calibrator. */
export function createAlpacaFlatPanel(options: AlpacaDeviceOptions): FlatPanel {
  const members = { fixed: ['maxbrightness'], changing: ['calibratorstate', 'brightness'] }
  const device = createAlpacaDevice('covercalibrator', members, options)
  let wanted: number | undefined
  const brightest = (): number => device.number('maxbrightness') ?? 1

  function untilState(state: number): Promise<Outcome> {
    const judge = (): Verdict => {
      const now = device.number('calibratorstate')
      if (now === lightStates.error) return { failed: 'the light reports an error' }
      return now === state ? 'done' : 'wait'
    }
    return device.until(judge, lightMs)
  }

  async function shine(brightness: number): Promise<Outcome> {
    const taken = await device.command('calibratoron', { Brightness: Math.round(brightness) })
    return taken.ok ? untilState(lightStates.ready) : taken
  }

  return {
    state: () => ({
      ...commonState(device),
      lit: device.number('calibratorstate') === lightStates.ready,
      brightness: device.number('brightness'),
      maxBrightness: device.number('maxbrightness'),
    }),
    can() {
      const able = new Set<Capability<'flatPanel'>>()
      if ((device.number('calibratorstate') ?? 0) === lightStates.absent) return able
      able.add('light')
      if (brightest() > 1) able.add('brightness')
      return able
    },
    async light(on) {
      if (on) return shine(wanted ?? brightest())
      const taken = await device.command('calibratoroff')
      return taken.ok ? untilState(lightStates.off) : taken
    },
    async setBrightness(brightness) {
      wanted = brightness
      return shine(brightness)
    },
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  }
}

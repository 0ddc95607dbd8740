import type { Clock } from '../clock.ts'
import { SimulatedDevice } from './device.ts'

export interface SimulatedWatchdog {
  readonly device: SimulatedDevice
  /** How often it has acted because no heartbeat came in time. */
  triggered(): number
}

/** indi_watchdog's properties: it acts when no new heartbeat comes within the time that the last one gave. */
export function createSimulatedWatchdog(options: {
  readonly clock: Clock
  readonly name?: string
  readonly onTrigger?: () => void
}): SimulatedWatchdog {
  const { clock, name = 'WatchDog' } = options
  let waiting: AbortController | undefined
  let triggered = 0
  const device = new SimulatedDevice(name, { exec: 'indi_watchdog', interface: 32_768 }, () => waiting?.abort())

  async function wait(seconds: number): Promise<void> {
    waiting?.abort('a heartbeat came')
    if (seconds <= 0) return
    const own = new AbortController()
    waiting = own
    try {
      await clock.sleep(seconds * 1000, own.signal)
      triggered++
      device.say('[WARNING] Warning: no heartbeat, parking')
      options.onTrigger?.()
    } catch {
      // A heartbeat came in time.
    }
  }

  device.numbers(
    'WATCHDOG_HEARTBEAT',
    { WATCHDOG_HEARTBEAT_VALUE: [0, 0, 3600, '%.f'] },
    {
      onNew(values) {
        device.update('WATCHDOG_HEARTBEAT', values)
        void wait(values['WATCHDOG_HEARTBEAT_VALUE'] ?? 0)
      },
    },
  )
  return { device, triggered: () => triggered }
}

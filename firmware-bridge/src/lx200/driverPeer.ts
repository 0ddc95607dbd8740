/**
 * Debian's INDI drivers of serial devices, each on a pseudo-terminal with one of our simulators at its far end: for tests
 * against the real program, and for tapes of what it says.
 */
import type { Clock } from '../clock.ts'
import { createIndiClient, type IndiClient } from '../indi/client.ts'
import { startIndiserver } from '../indi/indiserver.ts'
import { findProperty } from '../indi/properties.ts'
import type { Random } from '../random.ts'
import { type Accept, attach, type ServedPort, servePty } from '../wire/serialServe.ts'
import { recordTape } from '../wire/tape.ts'

export interface PeerDriver {
  /** `indi_lx200_OnStep`. */
  readonly driver: string
  /** The name of its device: `LX200 OnStep`. */
  readonly device: string
  readonly simulator: Accept
  /** Each line of a tape, from the simulator's side: what comes in is the driver's. */
  readonly record?: (line: string) => void
}

export interface PeerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly drivers: readonly PeerDriver[]
  readonly env?: Readonly<Record<string, string>>
}

export interface DriverPeers extends AsyncDisposable {
  readonly client: IndiClient
  readonly ports: ReadonlyMap<string, ServedPort>
}

const appearMs = 15_000

/** Starts the server with the drivers, gives each its port and leaves the connecting to the caller. */
export async function startDriverPeers({ clock, random, drivers, env }: PeerOptions): Promise<DriverPeers> {
  const stack = new AsyncDisposableStack()
  try {
    const ports = new Map<string, ServedPort>()
    for (const { device, simulator, record } of drivers) {
      const accept: Accept = record
        ? (open) =>
            void attach(
              simulator,
              recordTape(async (handlers) => open(handlers), record, clock),
            )
        : simulator
      ports.set(device, stack.use(await servePty(accept, clock)))
    }
    const programs = drivers.map((one) => one.driver)
    const server = stack.use(await startIndiserver({ drivers: programs, clock, ...(env ? { env } : {}) }))
    const client = stack.use(createIndiClient(server.connect, { clock, random }))
    for (const [device, port] of ports) {
      client.want(device, 'DEVICE_AUTO_SEARCH', { INDI_ENABLED: false, INDI_DISABLED: true })
      client.want(device, 'DEVICE_PORT', { PORT: port.path })
      await client.waitFor((state) => portOf(state, device) === port.path || undefined, appearMs)
    }
    return { client, ports, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

function portOf(state: IndiClient['state'], device: string): string | undefined {
  const property = findProperty(state, device, 'DEVICE_PORT')
  return property?.kind === 'text' ? property.elements.find((element) => element.name === 'PORT')?.value : undefined
}

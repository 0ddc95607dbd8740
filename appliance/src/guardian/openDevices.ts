/** From the settings to guarded devices: every wire here is the guardian's own. */
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createLx200Mount } from '@nightjar/firmware-bridge/devices/lx200Mount.ts'
import type { Mount } from '@nightjar/firmware-bridge/devices/mount.ts'
import { createNutUps } from '@nightjar/firmware-bridge/devices/nutUps.ts'
import type { Power } from '@nightjar/firmware-bridge/devices/power.ts'
import type { Roof } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Safety } from '@nightjar/firmware-bridge/devices/safety.ts'
import type { Weather } from '@nightjar/firmware-bridge/devices/weather.ts'
import { createIndiClient, type IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { defaultBackoff } from '@nightjar/firmware-bridge/wire/reconnect.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { connectTty } from '@nightjar/firmware-bridge/wire/tty.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import { guardAlpacaInput, guardAlpacaMount, guardAlpacaRoof } from './alpacaGuards.ts'
import type { GuardianConfig, InputConfig, MountConfig, ServerAddress } from './config.ts'
import type { GuardedDevices, GuardedInput, GuardedMount, GuardedRoof, InputReading } from './devices.ts'
import { guardIndiMount, guardIndiRoof, guardIndiWeather, toldBy } from './indiGuards.ts'

/** What a safety controller is to the guardian. */
export interface Controller extends AsyncDisposable {
  readonly roof: Roof
  readonly safety: Safety
  readonly weather: Weather
  readonly power: Power
  readonly session: { look(): Promise<void> }
}

export interface OpenDeps {
  readonly clock: Clock
  readonly random: Random
  /** Opens the controller's session on a wire. */
  readonly openController: (connect: Connect) => Controller
}

/** A server that was restarted must be found again before the roof has stood open for long. */
const backoff = { ...defaultBackoff, firstMs: 100, longestMs: 1_000, connectMs: 3_000 }
/** Three probes without a byte, and the wire is opened anew. */
const timing = { probeMs: 1_000, reviveMs: 5_000 }

/** How long a mount on a serial port may take to say what it is. */
const greetMs = 8_000
const greetPollMs = 50

export interface OpenedDevices extends GuardedDevices {
  /** The controller, to be served; undefined where the roof is another's. */
  readonly controller: Controller | undefined
}

export function openDevices(config: GuardianConfig, deps: OpenDeps): OpenedDevices {
  const stack = new AsyncDisposableStack()
  const listeners = new Set<() => void>()
  const clients = new Map<string, IndiClient>()

  function client(server: ServerAddress): IndiClient {
    const key = JSON.stringify(server)
    const known = clients.get(key)
    if (known) return known
    const opened = stack.use(createIndiClient(connectTcp(server), { ...deps, backoff, timing }))
    opened.listen(() => {
      for (const listener of listeners) listener()
    })
    clients.set(key, opened)
    return opened
  }

  function input(one: InputConfig): GuardedInput {
    if (one.kind === 'indiWeather') return stack.use(guardIndiWeather(client(one.server), one.device, one))
    if (one.kind === 'alpacaWeather' || one.kind === 'alpacaSafety') return stack.use(guardAlpacaInput(one, deps.clock))
    if (one.kind === 'controller') return controllerInput(controller as Controller, one)
    const ups = stack.use(createNutUps(connectTcp(one.server), { ...deps, ups: one.ups }))
    const reading = () =>
      toldBy(
        ups.state(),
        ({ onMains, lowBattery }): InputReading => ({
          mainsLost: onMains === undefined ? undefined : !onMains,
          unsafe: lowBattery,
          reason: 'the battery is low',
        }),
      )
    return { name: `UPS ${one.ups}`, limitMs: one.limitMs, required: one.required, tells: ['mains'], reading }
  }

  const { roof: roofConfig, mount: mountConfig } = config
  const controller =
    roofConfig?.kind === 'controller' ? stack.use(deps.openController(connectTty(roofConfig))) : undefined
  const roof = openRoof()
  const serial = mountConfig?.kind === 'lx200' ? stack.use(guardSerialMount(mountConfig, deps)) : undefined
  const mount = openMount()

  function openRoof(): GuardedRoof | undefined {
    if (roofConfig?.kind === 'indi') return guardIndiRoof(client(roofConfig.server), roofConfig.device)
    if (roofConfig?.kind === 'alpaca') return stack.use(guardAlpacaRoof(roofConfig, deps.clock))
    return controller && guardControllerRoof(controller)
  }

  function openMount(): GuardedMount | undefined {
    if (mountConfig?.kind === 'indi') return guardIndiMount(client(mountConfig.server), mountConfig.device)
    return mountConfig?.kind === 'alpaca' ? stack.use(guardAlpacaMount(mountConfig, deps.clock)) : serial
  }

  return {
    controller,
    mount,
    roof,
    inputs: config.inputs.map(input),
    parkedSensor: controller && (() => toldBy(controller.safety.state(), (state) => state.mountParked)),
    feed: controller && (() => controller.safety.heartbeat()),
    releaseMount: serial && (() => serial.release()),
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function guardControllerRoof({ roof, session }: Controller): GuardedRoof {
  return {
    reading: () => toldBy(roof.state(), (state) => state.position),
    read: () => void session.look(),
    close: (timeoutMs) => roof.close(timeoutMs),
    abort: () => roof.abort(),
  }
}

/**
 * Rain and mains only: the controller's own verdict also tells that nobody feeds its dead man's switch, which is the
 * guardian's doing.
 */
function controllerInput({ safety }: Controller, { limitMs, required }: InputConfig): GuardedInput {
  return {
    name: 'safety controller',
    limitMs,
    required,
    tells: ['rain', 'mains'],
    reading: () =>
      toldBy(safety.state(), ({ raining, mainsLost }): InputReading => ({ raining, mainsLost, unsafe: false })),
  }
}

interface SerialMount extends GuardedMount, AsyncDisposable {
  release(): Promise<void>
}

/** A mount on a serial port that the daemon holds while it lives: the port is opened at the first command. */
function guardSerialMount(config: MountConfig & { readonly kind: 'lx200' }, { clock, random }: OpenDeps): SerialMount {
  let mount: Mount | undefined
  const take = (): Mount => {
    mount ??= createLx200Mount(connectTty(config), { clock, random, backoff })
    return mount
  }
  /** A port that was just opened takes a moment until the mount has been recognised. */
  const answering = async (taken: Mount): Promise<Mount> => {
    const deadlineMs = clock.monotonic() + greetMs
    while (!taken.state().connected && clock.monotonic() < deadlineMs) await clock.sleep(greetPollMs)
    return taken
  }
  const release = async (): Promise<void> => {
    const taken = mount
    mount = undefined
    await taken?.[Symbol.asyncDispose]()
  }
  return {
    reading: () =>
      mount &&
      toldBy(mount.state(), ({ parked, slewing, tracking }) => ({ parked: parked && !slewing, slewing, tracking })),
    read: () => undefined,
    park: async (timeoutMs) => (await answering(take())).park(timeoutMs),
    abort: async () => (await answering(take())).abort(),
    async stop() {
      const answers = await answering(take())
      const aborted = await answers.abort()
      const still = await answers.track(false)
      return aborted.ok ? still : aborted
    },
    release,
    [Symbol.asyncDispose]: release,
  }
}

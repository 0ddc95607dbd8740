/** One guardian of one data folder: lock, sockets, settings, devices, and the loop over them. */
import { readFileSync } from 'node:fs'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { createSafetyController } from '@nightjar/firmware-bridge/devices/safetyController.ts'
import { createIndiServer } from '@nightjar/firmware-bridge/indi/server.ts'
import type { Random } from '@nightjar/firmware-bridge/random.ts'
import { type GuardianConfig, guardianPaths, parseGuardianConfig } from './config.ts'
import { listenDaemon } from './daemonPort.ts'
import { runDrivers } from './drivers.ts'
import { createGuardian, type Guardian } from './guardian.ts'
import { type GuardianJournal, openGuardianJournal } from './journal.ts'
import { createGuardianNotifier, type GuardianNotifier } from './notify.ts'
import { type OpenedDevices, openDevices } from './openDevices.ts'
import { lockFile, ownIdentity } from './processes.ts'
import { exitCodes, type GuardianStatus, type ProcessIdentity, protocolVersion } from './protocol.ts'
import { type Served, type ServedPermission, serveHeaters, serveRoof, serveStation } from './served.ts'

export interface GuardianRun {
  readonly folder: string
  /** Under a service manager: wait for the settings, and never end by itself. */
  readonly stay: boolean
  readonly clock: Clock
  readonly random: Random
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told once, when it listens. */
  onReady(): void
  /** Aborted: park, close, then end. */
  readonly stop: AbortSignal
}

/** How often the settings are looked at for a change, or waited for. */
const settingsMs = 1_000
const refreshMs = 200
/** A loop that has not turned for so long is not said to live. */
const stuckMs = 5_000
/** The controller is asked this often, and anew whenever the guardian needs to know. */
const controllerPollMs = 500

/** Resolves to the exit status. Throws `guardian/config`, `guardian/socket`. */
export async function runGuardian(run: GuardianRun): Promise<number> {
  const { folder, clock } = run
  const paths = guardianPaths(folder)
  using lock = await lockFile(paths.lock)
  if (!lock) return exitCodes.running
  await using journal = openGuardianJournal(paths.journal, clock)
  const notifier = createGuardianNotifier(run.env)
  const identity = ownIdentity()
  const held: { guardian: Guardian | undefined; turnedAtMs: number } = {
    guardian: undefined,
    turnedAtMs: clock.monotonic(),
  }
  await using port = await listenDaemon({
    path: paths.socket,
    clock,
    status: () => held.guardian?.status() ?? waitingStatus(identity),
    onEvent: (event, details) => journal.write(event, details),
  })
  journal.write('guardian.started', { pid: identity.pid })
  notifier.ready()
  run.onReady()
  const over = new AbortController()
  const alive = notifier.keepAlive(clock, () => clock.monotonic() - held.turnedAtMs < stuckMs, over.signal)
  const turning = turn(clock, held, notifier, over.signal)
  run.stop.addEventListener('abort', () => {
    journal.write('guardian.told.to.stop')
    notifier.stopping()
    held.guardian?.stop()
  })
  try {
    for (;;) {
      const settings = await awaitSettings(paths.config, run)
      if (!settings) break
      const parts = { run, identity, journal, daemon: port, settings }
      if (!(await guardOnce(parts, (guardian) => (held.guardian = guardian)))) break
      journal.write('settings.changed')
    }
    journal.write('guardian.ended')
    return exitCodes.ended
  } finally {
    over.abort()
    await Promise.all([alive, turning])
  }
}

/** Notes that the event loop turns, and says in a line what the guardian does. */
async function turn(
  clock: Clock,
  held: { readonly guardian: Guardian | undefined; turnedAtMs: number },
  notifier: GuardianNotifier,
  signal: AbortSignal,
): Promise<void> {
  let said = ''
  while (!signal.aborted) {
    await clock.sleep(refreshMs, signal).catch(() => undefined)
    held.turnedAtMs = clock.monotonic()
    const text = held.guardian ? words(held.guardian) : 'waits for the settings that the daemon writes'
    if (text !== said) notifier.status(text)
    said = text
  }
}

function words({ latest }: Guardian): string {
  const causes = latest.causes.map((cause) => cause.text).join(', ')
  return [latest.phase, causes, ...latest.alarms].filter((text) => text !== '').join('; ')
}

interface Settings {
  readonly text: string
  readonly config: GuardianConfig
}

/** The settings, at once or, where the guardian stays, when the daemon has written them. Undefined when told to stop. */
async function awaitSettings(path: string, { stay, stop, clock }: GuardianRun): Promise<Settings | undefined> {
  for (;;) {
    const text = readText(path)
    if (text !== undefined || !stay) return { text: text ?? '', config: parseSettings(text, path, stay) }
    if (stop.aborted) return undefined
    await clock.sleep(settingsMs, stop).catch(() => undefined)
  }
}

function parseSettings(text: string | undefined, path: string, stay: boolean): GuardianConfig {
  const config = parseGuardianConfig(text === undefined ? undefined : parseJson(text), path)
  return stay ? { ...config, policy: { ...config.policy, lingerMs: 'forever' } } : config
}

/** What is no JSON is no object either, and is told so. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

interface GuardParts {
  readonly run: GuardianRun
  readonly identity: ProcessIdentity
  readonly journal: GuardianJournal
  readonly daemon: Parameters<typeof createGuardian>[0]['daemon']
  readonly settings: Settings
}

/** Guards with these settings. Resolves to true when they have changed and nothing is under way, false at the end. */
async function guardOnce(parts: GuardParts, onGuardian: (guardian: Guardian) => void): Promise<boolean> {
  const { run, identity, journal, daemon, settings } = parts
  const { clock, random } = run
  const { policy } = settings.config
  await using _drivers = runDrivers({
    folder: run.folder,
    groups: settings.config.drivers,
    clock,
    onEvent: (event, details) => journal.write(event, details),
  })
  await using devices = openDevices(settings.config, {
    clock,
    random,
    openController: (connect) => createSafetyController(connect, { clock, random, pollMs: controllerPollMs }),
  })
  const guardian = createGuardian({ policy, clock, devices, daemon, journal, identity })
  onGuardian(guardian)
  if (run.stop.aborted) guardian.stop()
  const ended = new AbortController()
  await using _served = await serveController(devices, guardian, run, ended.signal)
  const changed = watchSettings(parts, guardian, ended)
  await guardian.run(ended.signal)
  const byChange = ended.signal.aborted
  ended.abort()
  await changed
  return byChange
}

/** Ends the guarding when the file says something else that is valid, but never on the way down. */
async function watchSettings({ run, settings, journal }: GuardParts, guardian: Guardian, ended: AbortController) {
  const path = guardianPaths(run.folder).config
  let refused = ''
  while (!ended.signal.aborted) {
    await run.clock.sleep(settingsMs, ended.signal).catch(() => undefined)
    const text = readText(path)
    const isNews = text !== undefined && text !== settings.text && text !== refused
    if (ended.signal.aborted || !isNews || guardian.latest.phase === 'closing') continue
    try {
      parseSettings(text, path, run.stay)
      ended.abort()
    } catch (error) {
      refused = text
      journal.write('settings.refused', { reason: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** The controller's devices on a unix socket, for the daemon. */
async function serveController(
  devices: OpenedDevices,
  guardian: Guardian,
  run: GuardianRun,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  const { controller } = devices
  if (!controller) return { async [Symbol.asyncDispose]() {} }
  const served = [
    serveRoof(controller.roof, permissions(guardian)),
    serveStation(controller.safety, controller.weather),
    serveHeaters(controller.power),
  ]
  const server = createIndiServer(served, { clients: 8, pendingBytes: 1024 * 1024 })
  await server.listen({ path: guardianPaths(run.folder).roofSocket })
  void refresh(served, run.clock, signal)
  return server
}

async function refresh(served: readonly Served[], clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(refreshMs, signal).catch(() => undefined)
    for (const device of served) device.refresh()
  }
}

function permissions(guardian: Guardian): ServedPermission {
  const mountUp = (): string | undefined =>
    guardian.latest.mountDown ? undefined : 'the mount is not confirmed parked'
  return {
    mayOpen() {
      const { mayOpen, causes } = guardian.latest
      if (!mayOpen) return causes.map((cause) => cause.text).join(', ') || 'it has not been safe for long enough'
      return mountUp()
    },
    mayClose: mountUp,
    mayStop: () => (guardian.latest.phase === 'closing' ? 'it is closing the roof' : undefined),
  }
}

function waitingStatus(identity: ProcessIdentity): GuardianStatus {
  return {
    type: 'status',
    version: protocolVersion,
    ...identity,
    phase: 'watching',
    causes: ['the guardian has no settings yet'],
    alarms: [],
    mayOpen: false,
    mountDown: false,
    mount: null,
    roof: null,
    inputs: [],
    actions: [],
  }
}

import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { done, failure, type Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { letPostgresThrough } from '../central/startPostgres.ts'
import type { Settings } from '../contract/config.ts'
import { type RunningDaemon, startDaemon } from '../daemon.ts'
import { createHttpsDestination } from '../forwarding/http.ts'
import { offloadToWorker } from '../frames/offload.ts'
import { createNotifier } from '../notify.ts'
import { createSetupCode } from '../server/auth/setupCode.ts'
import { startServer } from '../server/server.ts'
import { openSettings } from '../store/settings.ts'
import { type Child, startChild } from './children.ts'
import { type Observatory, openObservatory } from './observatory.ts'
import { awaitOnce } from './once.ts'

export const help = `Usage: nightjar start [options]

Runs Nightjar: the daemon and its panel. With no hardware configured it brings up a simulated observatory and a central
catalogue of its own, and images the simulated sky. Prints the panel's address and, before the first account exists, the
one-time set-up code.

  --data DIR              where everything is kept (default: data in this checkout; --once: a new temporary folder)
  --port PORT             of the panel on 127.0.0.1 (default: settings, 8448; 0 lets the system choose)
  --observatory KIND      simulated (default without hardware), or indi: Debian's indiserver with its simulators
  --database WHERE        of the central catalogue: postgres://…, or sqlite (default: a PostgreSQL of its own where Debian's
                          postgresql and q3c are installed, else SQLite)
  --seed N                of the simulated sky (default 1)
  --time-factor X         simulated exposures and slews take this fraction of their time (default 1; --once: 0.1)
  --size PIXELS           width and height of the simulated sensor (default 1024; below 768 few fields have stars to solve)
  --once                  run unattended until the first injected transient was acknowledged by the receiver, print one JSON
                          object and exit 0; exit 1 with the reason when it did not happen within 180 s`

const options = {
  data: { type: 'string' },
  port: { type: 'string' },
  observatory: { type: 'string' },
  database: { type: 'string' },
  seed: { type: 'string', default: '1' },
  'time-factor': { type: 'string' },
  size: { type: 'string', default: '1024' },
  once: { type: 'boolean', default: false },
} as const

const webFolder = fileURLToPath(new URL('../../../web/dist', import.meta.url))
const defaultData = fileURLToPath(new URL('../../../data', import.meta.url))
/** Pixel threads: every core of a mini-PC. */
const pixelThreads = 2
const watchdogFallbackMs = 5_000

export async function run(argv: string[]): Promise<number> {
  const startedAtMs = systemClock.monotonic()
  const { values } = parseArgs({ args: argv, options })
  const folder = values.data
    ? resolve(values.data)
    : values.once
      ? mkdtempSync(join(tmpdir(), 'nightjar-once-'))
      : defaultData
  const settingsFile = await openSettings(folder)
  const kind = kindOf(values.observatory, settingsFile.current)
  let looks = 0
  let permitTracking = (): Outcome => failure('the daemon is not up yet')
  await using observatory = await openObservatory({
    kind,
    folder,
    settings: settingsFile.current,
    seed: whole('--seed', values.seed),
    timeFactor: positive('--time-factor', values['time-factor'] ?? (values.once ? '0.1' : '1')),
    sizePixels: whole('--size', values.size),
    clock: systemClock,
    hasty: values.once,
    health: () => looks,
    permitTracking: () => permitTracking(),
  })
  await using central = kind === 'configured' ? undefined : await startCentralChild(folder, values.database)
  const settings = withCentral(observatory.settings, central)
  const destinations = settings.forwarding.destinations.map((one) =>
    createHttpsDestination(one, () => systemClock.now()),
  )
  await using daemon = await startDaemon({
    folder,
    settings,
    clock: systemClock,
    random: createRandom(`forwarding ${systemClock.now()}`),
    hardware: observatory,
    offload: offloadToWorker(pixelThreads, systemClock),
    destinations,
    simulated: kind !== 'configured',
    onLook: () => void looks++,
    fetch,
    ...(observatory.guard && { guardian: observatory.guard.says }),
  })
  permitTracking = () => {
    const verdict = daemon.commander.ask({ kind: 'track', on: true }, 'night')
    return verdict.allow ? done : failure(verdict.reason)
  }
  if (values.once) return await awaitOnce({ daemon, observatory, clock: systemClock, startedAtMs })
  const setupCode = createSetupCode()
  const port = values.port === undefined ? settings.server.port : whole('--port', values.port)
  await using server = await startServer(daemon, { host: settings.server.host, port, webFolder, setupCode })
  announce(server.url, daemon, setupCode, systemClock.monotonic() - startedAtMs)
  if (kind !== 'configured') await daemon.startNight('nightjar start')
  await serveUntilStopped(daemon, systemClock)
  for (const destination of destinations) await destination[Symbol.asyncDispose]()
  return 0
}

export function kindOf(asked: string | undefined, settings: Settings): Observatory['kind'] {
  if (asked === 'simulated' || asked === 'indi') return asked
  if (asked !== undefined) throw new NightjarError('cli/usage', `--observatory is simulated or indi, not ${asked}`)
  const { mount, camera } = settings.devices
  if (mount.kind === 'simulated' && camera.kind === 'simulated') return 'simulated'
  refuseMixture(settings)
  return 'configured'
}

/** Under a real telescope nothing is simulated: a simulated roof reads open whatever the real one does. */
function refuseMixture({ devices }: Settings): void {
  const simulated = Object.entries(devices).filter(([, address]) => 'kind' in address && address.kind === 'simulated')
  if (simulated.length === 0) return
  const names = simulated.map(([name]) => `devices.${name}`).join(', ')
  throw new NightjarError(
    'start/devices',
    `${names} in settings.json: simulated beside real hardware; give the address of the real one or leave it out, or make mount and camera simulated too`,
  )
}

async function startCentralChild(folder: string, database: string | undefined): Promise<Child> {
  const more = database === undefined ? [] : ['--database', database]
  await mkdir(folder, { recursive: true, mode: 0o750 })
  await letPostgresThrough(folder)
  return startChild(['central', '--data', join(folder, 'central'), '--port', '0', ...more])
}

/** The central catalogue that was started beside the daemon is one more destination. */
function withCentral(settings: Settings, central: Child | undefined): Settings {
  if (!central) return settings
  const { url, caPath, tokenPath } = central.said as { url: string; caPath: string; tokenPath: string }
  const own = { name: 'central', url: `${url}/v1/alerts`, tokenFile: tokenPath, caFile: caPath }
  return { ...settings, forwarding: { destinations: [...settings.forwarding.destinations, own] } }
}

function announce(url: string, daemon: RunningDaemon, setupCode: string, tookMs: number): void {
  console.log(`Nightjar is at ${url}  (${(tookMs / 1000).toFixed(1)} s)`)
  if (daemon.store.accountCount() === 0) console.log(`Set-up code, needed once to make your account: ${setupCode}`)
  console.log('Ctrl-C parks the mount, closes the roof and stops.')
}

/** Feeds systemd's watchdog while the event loop turns and the database answers; ends at SIGTERM or SIGINT. */
async function serveUntilStopped(daemon: RunningDaemon, clock: Clock): Promise<void> {
  const notifier = createNotifier(process.env)
  const stopping = new AbortController()
  notifier.ready('observing')
  const beat = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      daemon.store.lastSeq()
      notifier.watchdog()
      notifier.status(daemon.tonight().doing)
      await clock.sleep(notifier.watchdogIntervalMs ?? watchdogFallbackMs, stopping.signal).catch(() => undefined)
    }
  }
  const beating = beat()
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  notifier.stopping()
  stopping.abort()
  await beating
}

function whole(option: string, text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new NightjarError('cli/usage', `${option} must be a whole number, not ${text}`)
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new NightjarError('cli/usage', `${option} must be a number above 0, not ${text}`)
}

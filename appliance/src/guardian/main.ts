/**
 * The guardian: a small process of its own that parks the mount and then closes the roof when the daemon is dead or hangs,
 * when it rains, when the mains are lost, or when something that it needs has fallen silent. It shares no memory, no
 * database and no wire with the daemon, and imports nothing that is not Node's or this repository's.
 */
import { flushCompileCache } from 'node:module'
import { parseArgs } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { exitCodes } from './protocol.ts'
import { runGuardian } from './run.ts'

/** Runs until it ends by itself or is told to twice; resolves to the exit status. */
export async function guardianMain(argv: readonly string[], onReady: () => void): Promise<number> {
  const options = { folder: { type: 'string' }, stay: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ args: [...argv], options })
  if (values.folder === undefined) throw new TypeError('give the data folder: --folder FOLDER')
  // Sockets and journal are for this user alone.
  process.umask(0o077)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1)
      stop.abort(signal)
    })
  }
  // A terminal that goes away is nothing to a guardian.
  process.on('SIGHUP', () => undefined)
  return runGuardian({
    folder: values.folder,
    stay: values.stay,
    clock: systemClock,
    random: createRandom(`guardian ${process.pid} ${systemClock.now()}`),
    env: process.env,
    onReady,
    stop: stop.signal,
  })
}

if (import.meta.main) {
  try {
    // Whoever waits for this line may be gone by now.
    process.stdout.on('error', () => undefined)
    process.exitCode = await guardianMain(process.argv.slice(2), () => {
      process.stdout.write('ready\n')
      // The next start then needs no type stripper, which is a third of the memory (NODE_COMPILE_CACHE says where).
      flushCompileCache()
    })
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    process.stderr.write(`nightjar guardian: ${message ?? error}\n`)
    process.exitCode = code === 'guardian/config' ? exitCodes.config : 1
  }
}

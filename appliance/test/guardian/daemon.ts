/**
 * A stand-in for the daemon: it beats through the real link until somebody kills it. `node daemon.ts SOCKET [HOW] [PORT]`
 * HOW "stuck": its work stands still. PORT: it holds this serial port, as it does a mount's, and tells that mount unparked.
 */
import { flushCompileCache } from 'node:module'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTty } from '@nightjar/firmware-bridge/wire/tty.ts'
import { connectGuardian } from '../../src/guardian/link.ts'

const [socketPath = '', how, port] = process.argv.slice(2)
let health = 0
if (port) await connectTty({ path: port, baudRate: 9600 })({ onBytes: () => undefined, onClose: () => undefined })
const mount = { parked: false, slewing: false, tracking: true, ageMs: 0 }
const link = connectGuardian({
  socketPath,
  clock: systemClock,
  random: createRandom(process.pid),
  health: () => (how === 'stuck' ? 0 : ++health),
  ...(port ? { mount: () => mount } : {}),
})
flushCompileCache()
link.listen((status) => process.stdout.write(`${JSON.stringify(status)}\n`))
process.on('SIGTERM', () => {
  void link
    .leave()
    .then(() => link[Symbol.asyncDispose]())
    .then(() => process.exit(0))
})

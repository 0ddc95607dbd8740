/** A stand-in for the daemon: it beats through the real link until somebody kills it. `node daemon.ts SOCKET [stuck]` */
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectGuardian } from '../../src/guardian/link.ts'

const [socketPath = '', how] = process.argv.slice(2)
let health = 0
const link = connectGuardian({
  socketPath,
  clock: systemClock,
  random: createRandom(process.pid),
  health: () => (how === 'stuck' ? 0 : ++health),
})
link.listen((status) => process.stdout.write(`${JSON.stringify(status)}\n`))
process.on('SIGTERM', () => {
  void link
    .leave()
    .then(() => link[Symbol.asyncDispose]())
    .then(() => process.exit(0))
})

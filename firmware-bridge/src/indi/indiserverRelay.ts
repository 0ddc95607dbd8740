/**
 * Runs inside the network namespace that `indiserver.ts` makes: raises the loopback, keeps indiserver running, and joins
 * each connection to the unix socket to the server's TCP port. (On its own unix socket indiserver sends BLOBs as attached
 * file descriptors, which Node cannot receive; over TCP they come inline.) It ends, with everything that it started, when
 * its standard input closes: the daemon is gone.
 */
import { spawn, spawnSync } from 'node:child_process'
import net from 'node:net'
import { systemClock } from '../clock.ts'

const port = 7624
const restartMs = 1_000
const pollMs = 20

const { socketPath, command } = JSON.parse(process.argv[2] ?? '{}') as { socketPath: string; command: string[] }

process.stdin.resume()
process.stdin.once('close', () => process.kill(0, 'SIGKILL'))

const loopback = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8' })
if (loopback.status !== 0) {
  process.stderr.write(`the loopback of the namespace does not come up: ${loopback.stderr}\n`)
  process.exit(1)
}

function dial(): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    socket.once('connect', () => resolve(socket)).once('error', reject)
  })
}

const listener = net.createServer((near) => {
  near.on('error', () => near.destroy())
  dial().then(
    (far) => {
      far.on('error', () => far.destroy())
      near.pipe(far)
      far.pipe(near)
      near.once('close', () => far.destroy())
      far.once('close', () => near.destroy())
    },
    () => near.destroy(),
  )
})
listener.listen(socketPath)

async function announce(): Promise<void> {
  for (;;) {
    const socket = await dial().catch(() => undefined)
    if (socket) {
      socket.destroy()
      process.stdout.write('ready\n')
      return
    }
    await systemClock.sleep(pollMs)
  }
}

function serve(): Promise<string> {
  return new Promise((resolve) => {
    const server = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] })
    server.once('error', (error) => resolve(error.message))
    server.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`))
  })
}

for (;;) {
  const ended = serve()
  void announce()
  process.stdout.write(`died ${await ended}\n`)
  await systemClock.sleep(restartMs)
}

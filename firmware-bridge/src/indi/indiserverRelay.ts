/**
 * Runs inside the network namespace that `indiserver.ts` makes: raises the loopback, keeps indiserver running within its
 * budget of restarts, joins each connection to the unix socket to the server's TCP port, and has a broker
 * (`indiserverBroker.ts`) hand out sockets that are joined to the server's own, on which BLOBs come as shared memory. It
 * ends, with everything that it started, when its standard input closes: the daemon is gone.
 */
import { spawn, spawnSync } from 'node:child_process'
import net from 'node:net'
import { Worker } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import type { RestartLimits } from './indiserver.ts'

const port = 7624
const pollMs = 20
const exitGaveUp = 3

interface Task {
  readonly socketPath: string
  readonly brokerPath: string
  readonly unixName: string
  readonly command: readonly string[]
  readonly restart: RestartLimits
}

const { socketPath, brokerPath, unixName, command, restart } = JSON.parse(process.argv[2] ?? '{}') as Task

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

const broker = new Worker(new URL('./indiserverBroker.ts', import.meta.url), {
  workerData: { brokerPath, unixName },
  // Its descriptors come from the C library.
  trackUnmanagedFds: false,
})
broker.on('error', (error) => process.stderr.write(`no BLOBs as shared memory: ${error.message}\n`))

/** Says when the server takes connections; `alive` ends it when that server has died before. */
async function announce(alive: () => boolean): Promise<void> {
  while (alive()) {
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

/** Waits double from death to death; a server that lived long enough starts them anew. */
const deaths: number[] = []
let waitMs = restart.firstMs
for (;;) {
  const startedAt = systemClock.monotonic()
  let alive = true
  const ended = serve()
  void announce(() => alive)
  const reason = await ended
  alive = false
  const now = systemClock.monotonic()
  process.stdout.write(`died ${reason}\n`)
  if (now - startedAt >= restart.stableMs) waitMs = restart.firstMs
  deaths.push(now)
  if (deaths.filter((at) => now - at < restart.windowMs).length > restart.most) {
    process.stdout.write(`gave up ${restart.most} restarts within ${restart.windowMs / 1000} s were not enough\n`)
    process.exit(exitGaveUp)
  }
  await systemClock.sleep(waitMs)
  waitMs = Math.min(restart.longestMs, waitMs * 2)
}

/** Where the daemon beats: a unix socket that only this user can open. One daemon at a time. */
import { chmodSync, rmSync } from 'node:fs'
import net from 'node:net'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import type { DaemonView } from './decide.ts'
import { isRunning, killProcess } from './processes.ts'
import {
  checkToGuardian,
  createLineReader,
  encodeLine,
  type GuardianStatus,
  type ProcessIdentity,
  protocolVersion,
  type ToGuardian,
  type ToldMount,
} from './protocol.ts'

export interface DaemonPort extends AsyncDisposable {
  view(): DaemonView
  /** The mount as the daemon last told it, its age counted on. */
  toldMount(): ToldMount | undefined
  /** SIGKILL to the process that said hello. */
  kill(): boolean
}

export interface DaemonPortOptions {
  readonly path: string
  readonly clock: Clock
  /** The answer to a beat. */
  status(): GuardianStatus
  onEvent(event: string, details?: Readonly<Record<string, unknown>>): void
}

/** The daemon, somebody who tries to be one, and a panel of a person's: more are turned away. */
const mostClients = 8
/** A client that does not read what it asked for is cut off. */
const mostUnreadBytes = 256 * 1024
/** sockaddr_un(7). */
const longestPathBytes = 107
/** A hello by another process is taken when the daemon before has been silent for so long. */
const silentMs = 2_000

interface Known {
  readonly socket: net.Socket
  readonly identity: ProcessIdentity
  beatAtMs: number
  health: number
  healthAtMs: number
  mount: { readonly told: ToldMount; readonly atMs: number } | undefined
  left: boolean
  lost: boolean
}

/** Listens. Throws `guardian/socket`. */
export async function listenDaemon(options: DaemonPortOptions): Promise<DaemonPort> {
  const { path, clock, onEvent } = options
  const clients = new Set<net.Socket>()
  let known: Known | undefined

  function receive(socket: net.Socket, message: ToGuardian): void {
    if (message.type === 'hello') return greet(socket, message)
    if (known?.socket !== socket) return
    if (message.type === 'bye') return leave(known)
    beat(known, message)
    answer(socket)
  }

  function greet(socket: net.Socket, { pid, startTicks, version }: ToGuardian & { type: 'hello' }): void {
    const identity = { pid, startTicks }
    const refusal = objection(identity, version)
    if (refusal !== undefined) {
      onEvent('daemon.refused', { pid, reason: refusal })
      return void socket.end(encodeLine({ type: 'refused', reason: refusal }))
    }
    if (known && known.socket !== socket) known.socket.destroy()
    const atMs = clock.monotonic()
    known = {
      socket,
      identity,
      beatAtMs: atMs,
      health: Number.NaN,
      healthAtMs: atMs,
      mount: undefined,
      left: false,
      lost: false,
    }
    onEvent('daemon.hello', { pid })
    answer(socket)
  }

  function objection(identity: ProcessIdentity, version: number): string | undefined {
    if (version !== protocolVersion) return `the guardian speaks version ${protocolVersion}, not ${version}`
    if (!isRunning(identity)) return `there is no process ${identity.pid} of that start time`
    const isOther = known && (known.identity.pid !== identity.pid || known.identity.startTicks !== identity.startTicks)
    const isBeating = known && !known.left && !known.lost && clock.monotonic() - known.beatAtMs < silentMs
    return isOther && isBeating ? `process ${known?.identity.pid} is the daemon` : undefined
  }

  function beat(daemon: Known, message: ToGuardian & { type: 'beat' }): void {
    const atMs = clock.monotonic()
    daemon.beatAtMs = atMs
    if (message.health !== daemon.health) daemon.healthAtMs = atMs
    daemon.health = message.health
    if (message.mount) daemon.mount = { told: message.mount, atMs }
  }

  function leave(daemon: Known): void {
    daemon.left = true
    onEvent('daemon.bye', { pid: daemon.identity.pid })
  }

  function answer(socket: net.Socket): void {
    if (socket.writableLength > mostUnreadBytes) return void socket.destroy()
    socket.write(encodeLine(options.status()))
  }

  function accept(socket: net.Socket): void {
    if (clients.size >= mostClients) return void socket.destroy()
    clients.add(socket)
    const refuse = (text: string): void => {
      if (!socket.destroyed) onEvent('daemon.nonsense', { text })
      socket.destroy()
    }
    const read = createLineReader((message) => {
      const checked = checkToGuardian(message)
      if (checked) receive(socket, checked)
      else refuse(message.type.slice(0, 40))
    }, refuse)
    socket.on('data', read)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      clients.delete(socket)
      if (known?.socket !== socket || known.lost) return
      known.lost = true
      if (!known.left) onEvent('daemon.lost', { pid: known.identity.pid })
    })
  }

  const server = await listen(path, accept)
  return {
    view() {
      if (!known) return noDaemon
      const nowMs = clock.monotonic()
      return {
        link: known.left ? 'left' : known.lost ? 'lost' : 'open',
        beatAgeMs: nowMs - known.beatAtMs,
        healthAgeMs: nowMs - known.healthAtMs,
        processAlive: isRunning(known.identity),
      }
    },
    toldMount() {
      if (!known?.mount) return undefined
      const { told, atMs } = known.mount
      return { ...told, ageMs: told.ageMs + clock.monotonic() - atMs }
    },
    kill: () => known !== undefined && killProcess(known.identity),
    async [Symbol.asyncDispose]() {
      for (const socket of clients) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

const noDaemon: DaemonView = {
  link: 'none',
  beatAgeMs: Number.POSITIVE_INFINITY,
  healthAgeMs: Number.POSITIVE_INFINITY,
  processAlive: false,
}

/** The caller holds the lock of the data folder, so a socket file that is there already is a dead guardian's. */
async function listen(path: string, accept: (socket: net.Socket) => void): Promise<net.Server> {
  if (Buffer.byteLength(path) > longestPathBytes)
    throw new NightjarError('guardian/socket', `${path} is too long for a socket: choose a shorter data folder`)
  rmSync(path, { force: true })
  const server = net.createServer(accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new NightjarError('guardian/socket', `${path}: ${cause.message}; is the folder writable?`, { cause })),
    )
    server.listen({ path }, () => resolve())
  })
  chmodSync(path, 0o600)
  return server
}

import { mkdirSync, rmSync } from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import type { Wire, WireHandlers } from '../wire/wire.ts'
import { createDecoder } from './decode.ts'
import { encode } from './encode.ts'
import type {
  BlobPolicy,
  DefMessage,
  EnableBlob,
  GetProperties,
  IndiMessage,
  NewMessage,
  SetMessage,
} from './messages.ts'

/** One device on the server: it answers for its own properties. */
export interface ServedDevice {
  readonly name: string
  /** Its properties as they are now. */
  definitions(): Iterable<DefMessage>
  /** A client asks for a change. The device answers through `publish`. */
  receive(message: NewMessage): void
  /**
   * The server's way out; called once. A `getProperties` that names another device snoops on it from then on, an
   * `enableBLOB` also on its BLOBs.
   */
  attach(publish: (message: IndiMessage) => void): void
  /** What a device says that this one snoops on. */
  snooped?(message: IndiMessage): void
}

export interface ServerLimits {
  /** A client that is further behind than this is dropped: it does not read. */
  readonly pendingBytes: number
  readonly clients: number
}

export const serverLimits: ServerLimits = { pendingBytes: 512 * 1024 * 1024, clients: 32 }

/** Different `getProperties` and `enableBLOB` that one client may send; more than that is no client. */
const rememberedPerClient = 1000

/**
 * The server side of INDI 1.7, for any client: several clients, `getProperties` by device and name, BLOB policies per
 * client, device and property, pings answered in order. It listens only where it is told to, never on every interface.
 */
export interface IndiServer extends AsyncDisposable {
  /** Serves one more client over any wire. */
  accept(open: (handlers: WireHandlers) => Wire): void
  /** Serves clients of a TCP port on loopback (0 lets the system choose) or of a unix socket; resolves to its address. */
  listen(at: { readonly host: string; readonly port: number } | { readonly path: string }): Promise<string>
  readonly clients: number
  /** Clients that were dropped because they did not read, or asked for too much, since the start. */
  readonly dropped: number
}

/** What somebody asked to see: a client, or a device that snoops. */
interface Interests {
  /** `undefined` = everything. */
  readonly interests: { readonly device: string | undefined; readonly name: string | undefined }[]
  readonly policies: Map<string, BlobPolicy>
}

interface Session extends Interests {
  readonly wire: Wire
  pendingBytes: number
}

const noInterests = (): Interests => ({ interests: [], policies: new Map() })

export function createIndiServer(devices: readonly ServedDevice[], limits: ServerLimits = serverLimits): IndiServer {
  const sessions = new Set<Session>()
  const listeners = new Set<net.Server>()

  const snoops = new Map<ServedDevice, Interests>(devices.map((device) => [device, noInterests()]))
  let dropped = 0

  for (const device of devices) device.attach((message) => publish(device, message))

  function publish(from: ServedDevice, message: IndiMessage): void {
    const snoop = snoops.get(from)!
    if (message.type === 'getProperties') return startSnoop(from, snoop, message)
    if (message.type === 'enableBLOB') {
      if (hasRoom(snoop.policies)) snoop.policies.set(policyKey(message.device, message.name), message.policy)
      return
    }
    for (const [device, interests] of snoops) {
      if (device !== from && wants(interests, message)) device.snooped?.(message)
    }
    broadcast(message)
  }

  /** The device hears at once what there is; clients see who looks at whom, as a chained server must. */
  function startSnoop(from: ServedDevice, snoop: Interests, message: GetProperties): void {
    if (snoop.interests.length >= rememberedPerClient) return
    snoop.interests.push({ device: message.device, name: message.name })
    for (const definition of definitionsOf(message.device, message.name)) {
      if (definition.device !== from.name) from.snooped?.(definition)
    }
    broadcast(message)
  }

  function broadcast(message: IndiMessage): void {
    let bytes: Uint8Array | undefined
    for (const session of [...sessions]) {
      if (wants(session, message)) send(session, (bytes ??= encode(message)))
    }
  }

  /** Forgotten at once: nothing more is kept for who is behind. */
  function drop(session: Session): void {
    if (sessions.delete(session)) dropped++
    void session.wire.close()
  }

  function send(session: Session, bytes: Uint8Array): void {
    session.pendingBytes += bytes.length
    if (session.pendingBytes > limits.pendingBytes) return drop(session)
    session.wire.write(bytes).then(
      () => {
        session.pendingBytes -= bytes.length
      },
      () => sessions.delete(session),
    )
  }

  function receive(session: Session, message: IndiMessage): void {
    if (message.type === 'getProperties') return define(session, message.device, message.name)
    if (message.type === 'enableBLOB') return setPolicy(session, message)
    if (message.type === 'pingRequest') return send(session, encode({ type: 'pingReply', uid: message.uid }))
    if (message.type === 'new') devices.find((device) => device.name === message.device)?.receive(message)
  }

  function setPolicy(session: Session, { device, name, policy }: EnableBlob): void {
    const key = policyKey(device, name)
    if (!session.policies.has(key) && !hasRoom(session.policies)) return drop(session)
    session.policies.set(key, policy)
  }

  function define(session: Session, device: string | undefined, name: string | undefined): void {
    if (!session.interests.some((known) => known.device === device && known.name === name)) {
      if (session.interests.length >= rememberedPerClient) return drop(session)
      session.interests.push({ device, name })
    }
    const wanted = definitionsOf(device, name)
    // In one write: a client that sends its command at the first definition and leaves (indi_setprop does) would
    // otherwise reset the connection, and the kernel throw its command away, while the rest is still being written.
    if (wanted.length > 0) send(session, Buffer.concat(wanted.map((definition) => encode(definition))))
  }

  function definitionsOf(device: string | undefined, name: string | undefined): DefMessage[] {
    return devices
      .filter((served) => device === undefined || served.name === device)
      .flatMap((served) => [...served.definitions()])
      .filter((definition) => name === undefined || definition.name === name)
  }

  function accept(open: (handlers: WireHandlers) => Wire): void {
    let session: Session | undefined
    const decoder = createDecoder({
      onMessage: (message) => session && receive(session, message),
      onFault: () => undefined,
    })
    const wire = open({
      onBytes: (bytes) => decoder.feed(bytes),
      onClose: () => session && void sessions.delete(session),
    })
    if (sessions.size >= limits.clients) return void wire.close()
    session = { wire, ...noInterests(), pendingBytes: 0 }
    sessions.add(session)
  }

  return {
    accept,
    get clients() {
      return sessions.size
    },
    get dropped() {
      return dropped
    },
    async listen(at) {
      const server = net.createServer((socket) => accept((handlers) => socketWire(socket, handlers)))
      listeners.add(server)
      if ('path' in at) prepareSocketFolder(at.path)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen('path' in at ? { path: at.path } : at, () => resolve())
      })
      const address = server.address()
      return typeof address === 'string' || address === null ? String(address) : `${address.address}:${address.port}`
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) await session.wire.close()
      for (const server of listeners) await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** The socket file is for its owner alone, and one that a killed process left behind is in the way. */
function prepareSocketFolder(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  rmSync(path, { force: true })
}

const policyKey = (device: string, name: string | undefined): string => `${device}\n${name ?? ''}`

const hasRoom = (policies: Map<string, BlobPolicy>): boolean => policies.size < rememberedPerClient

function interested(session: Interests, device: string | undefined, name: string | undefined): boolean {
  if (device === undefined) return session.interests.length > 0
  return session.interests.some(
    (interest) =>
      (interest.device === undefined || interest.device === device) &&
      (interest.name === undefined || name === undefined || interest.name === name),
  )
}

/** BLOBs go only to whom asked for them; `Only` keeps the rest of that device away. */
function wants(session: Interests, message: IndiMessage): boolean {
  if (message.type === 'pingReply' || message.type === 'pingRequest' || message.type === 'enableBLOB') return false
  const name = message.type === 'message' ? undefined : message.name
  const { device } = message
  if (!interested(session, device, name)) return false
  const policy = policyOf(session, device, name)
  return isBlob(message) ? policy !== 'Never' : policy !== 'Only'
}

const isBlob = (message: IndiMessage): message is SetMessage & { kind: 'blob' } =>
  message.type === 'set' && message.kind === 'blob'

function policyOf(session: Interests, device: string | undefined, name: string | undefined): BlobPolicy {
  if (device === undefined) return 'Never'
  return session.policies.get(policyKey(device, name)) ?? session.policies.get(policyKey(device, undefined)) ?? 'Never'
}

function socketWire(socket: net.Socket, handlers: WireHandlers): Wire {
  socket.setNoDelay(true)
  socket.on('data', (bytes) => handlers.onBytes(bytes))
  socket.on('error', () => socket.destroy())
  socket.on('close', () => handlers.onClose('the client went away'))
  return {
    name: 'indi client',
    write: (bytes) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the client went away'))
        socket.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: async () => void socket.destroy(),
  }
}

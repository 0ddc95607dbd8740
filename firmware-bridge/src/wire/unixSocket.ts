/**
 * What Node's `net` cannot do with a unix socket: receive and send file descriptors (`SCM_RIGHTS`, unix(7)). The calls of
 * the C library are made through koffi, which is loaded at the first use only. Structures are those of 64-bit Linux
 * (`struct msghdr`, `struct iovec`, `struct cmsghdr`), the same on x86-64 and arm64.
 */
import { closeSync, fstatSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { NightjarError } from '../errors.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000
const MSG_NOSIGNAL = 0x4000
const MSG_CTRUNC = 0x8
const SHUT_RDWR = 2
const POLLIN = 1
const { EAGAIN, EINTR } = constants.errno

const messageHeaderBytes = 56
const controlHeaderBytes = 16
const descriptorBytes = 4
/** libindi sends at most 16 in one message. */
const mostDescriptors = 32
const longestPathBytes = 107
const longestCallMs = 250

type Call = (...args: unknown[]) => number

interface Libc {
  readonly socket: Call
  readonly connect: Call
  readonly bind: Call
  readonly listen: Call
  readonly accept: Call
  readonly recvmsg: Call
  readonly sendmsg: Call
  readonly poll: Call
  readonly shutdown: Call
  readonly dup: Call
  address(bytes: Uint8Array): bigint
  errno(): number
}

let loaded: Libc | undefined

function libc(): Libc {
  loaded ??= load()
  return loaded
}

function load(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const library = koffi.load(null)
  const declare = (signature: string): Call => library.func(signature) as unknown as Call
  return {
    socket: declare('int socket(int, int, int)'),
    connect: declare('int connect(int, const uint8_t *, uint32_t)'),
    bind: declare('int bind(int, const uint8_t *, uint32_t)'),
    listen: declare('int listen(int, int)'),
    accept: declare('int accept(int, void *, void *)'),
    recvmsg: declare('long recvmsg(int, void *, int)'),
    sendmsg: declare('long sendmsg(int, void *, int)'),
    poll: declare('int poll(void *, uint64_t, int)'),
    shutdown: declare('int shutdown(int, int)'),
    dup: declare('int fcntl(int, int, int)'),
    address: (bytes) => koffi.address(bytes),
    errno: () => koffi.errno(),
  }
}

const errorName = (code: number): string =>
  Object.entries(constants.errno).find(([, value]) => value === code)?.[0] ?? `errno ${code}`

/** `struct sockaddr_un`; a name that begins with `@` is abstract, as people and tools write it. */
function socketAddress(path: string): Buffer {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > longestPathBytes + 1) {
    throw new NightjarError('wire/path', `${path} is longer than the ${longestPathBytes} bytes of a socket's path`)
  }
  return Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), name])
}

/** A stream socket joined to `path`. Does not wait for a listener whose queue is full. Throws `wire/connect`. */
export function connectUnixSocket(path: string): number {
  const address = socketAddress(path)
  const descriptor = libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  if (libc().connect(descriptor, address, address.length) === 0) return descriptor
  const name = errorName(libc().errno())
  closeSync(descriptor)
  throw new NightjarError('wire/connect', `unix ${path}: ${name}: start the server or correct the path`)
}

/** A listening stream socket at `path`. Throws `wire/listen`. */
export function listenUnixSocket(path: string): number {
  const address = socketAddress(path)
  const descriptor = libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
  if (libc().bind(descriptor, address, address.length) === 0 && libc().listen(descriptor, 16) === 0) return descriptor
  const name = errorName(libc().errno())
  closeSync(descriptor)
  throw new NightjarError('wire/listen', `unix ${path}: ${name}: remove what is in the way`)
}

/** Waits for the next connection, blocking this thread; undefined when it went away or the listener has been shut down. */
export function acceptUnixSocket(listener: number): number | undefined {
  waitReadable(listener)
  const descriptor = libc().accept(listener, null, null)
  return descriptor < 0 ? undefined : descriptor
}

/** Ends both directions; a thread that waits on the socket wakes up. */
export function shutdownSocket(descriptor: number): void {
  libc().shutdown(descriptor, SHUT_RDWR)
}

/** Another number for the same socket, closed on exec. */
export function duplicateDescriptor(descriptor: number): number {
  const F_DUPFD_CLOEXEC = 1030
  const copy = libc().dup(descriptor, F_DUPFD_CLOEXEC, 0)
  if (copy < 0) throw new NightjarError('wire/descriptors', 'no file descriptor is free: close something')
  return copy
}

export type Received =
  | { readonly bytes: number; readonly descriptors: readonly number[] }
  /** The far side has closed (`reason` undefined) or the socket has failed. */
  | { readonly ended: true; readonly reason: string | undefined }

/** A `msghdr` over `data` and room for descriptors; keep it for as long as the calls go on. */
function messageHeader(data: Uint8Array, control: Uint8Array): { readonly header: Buffer; readonly vector: Buffer } {
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(libc().address(data), 0)
  vector.writeBigUInt64LE(BigInt(data.length), 8)
  const header = Buffer.alloc(messageHeaderBytes)
  header.writeBigUInt64LE(libc().address(vector), 16)
  header.writeBigUInt64LE(1n, 24)
  header.writeBigUInt64LE(libc().address(control), 32)
  header.writeBigUInt64LE(BigInt(control.length), 40)
  return { header, vector }
}

/** Waits for bytes into `into`, blocking this thread, and takes the descriptors that came with them. */
export function receiveMessage(descriptor: number, into: Uint8Array): Received {
  const control = Buffer.alloc(controlHeaderBytes + mostDescriptors * descriptorBytes)
  for (;;) {
    waitReadable(descriptor)
    // `vector` must live until the call is over.
    const { header, vector } = messageHeader(into, control)
    const bytes = libc().recvmsg(descriptor, header, MSG_CMSG_CLOEXEC)
    void vector
    if (bytes === 0) return { ended: true, reason: undefined }
    if (bytes < 0) {
      const code = libc().errno()
      if (code === EAGAIN || code === EINTR) continue
      return { ended: true, reason: errorName(code) }
    }
    const descriptors = takeDescriptors(control.subarray(0, Number(header.readBigUInt64LE(40))))
    if ((header.readInt32LE(48) & MSG_CTRUNC) === 0) return { bytes, descriptors }
    for (const taken of descriptors) closeSync(taken)
    return { ended: true, reason: `more than ${mostDescriptors} descriptors came at once` }
  }
}

/**
 * `struct pollfd` { int fd; short events; short revents }. Returns also at a hang-up. A process that exits waits for its
 * threads, and a thread can be ended only between two calls, so none is long.
 */
function waitReadable(descriptor: number): void {
  const poll = Buffer.alloc(8)
  poll.writeInt32LE(descriptor, 0)
  poll.writeInt16LE(POLLIN, 4)
  while (libc().poll(poll, 1, longestCallMs) === 0);
}

/** Every `SCM_RIGHTS` message of a control buffer; headers begin at multiples of eight bytes. */
function takeDescriptors(control: Buffer): number[] {
  const found: number[] = []
  for (let at = 0; at + controlHeaderBytes <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at))
    if (length < controlHeaderBytes || at + length > control.length) break
    if (control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS) {
      for (let i = at + controlHeaderBytes; i + descriptorBytes <= at + length; i += descriptorBytes) {
        found.push(control.readInt32LE(i))
      }
    }
    at += (length + 7) & ~7
  }
  return found
}

/** Sends bytes with open descriptors; the receiver gets numbers of its own for them. False when the far side is gone. */
export function sendWithDescriptors(socket: number, bytes: Uint8Array, descriptors: readonly number[]): boolean {
  const length = controlHeaderBytes + descriptors.length * descriptorBytes
  const control = Buffer.alloc((length + 7) & ~7)
  control.writeBigUInt64LE(BigInt(length), 0)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  descriptors.forEach((descriptor, i) => {
    control.writeInt32LE(descriptor, controlHeaderBytes + i * descriptorBytes)
  })
  const { header, vector } = messageHeader(bytes, control)
  const sent = libc().sendmsg(socket, header, MSG_NOSIGNAL)
  void vector
  return sent === bytes.length
}

/**
 * What the memory behind a descriptor holds, copied, and the descriptor closed; empty when it is no memory (a pipe or a
 * device could make the read wait for ever) or more than `mostBytes`. It is read, not mapped: the other process may make
 * it smaller at any time, which a read answers with fewer bytes and a mapping with the death of this process.
 */
export function takeMemory(descriptor: number, mostBytes: number): ArrayBuffer {
  try {
    const status = fstatSync(descriptor)
    if (!status.isFile() || status.size > mostBytes) return new ArrayBuffer(0)
    const into = new ArrayBuffer(status.size)
    const bytes = new Uint8Array(into)
    let at = 0
    while (at < bytes.length) {
      const got = readSync(descriptor, bytes, at, bytes.length - at, at)
      if (got === 0) break
      at += got
    }
    return at === bytes.length ? into : into.slice(0, at)
  } finally {
    closeSync(descriptor)
  }
}

/** Whether descriptors can be received here: 64-bit Linux, with the native module in place. */
export function canReceiveDescriptors(): boolean {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return false
  try {
    libc()
    return true
  } catch {
    return false
  }
}

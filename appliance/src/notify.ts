import { createRequire } from 'node:module'

/**
 * systemd's readiness and watchdog protocol, sd_notify(3): one datagram to the unix socket that the service manager names.
 * Node has no unix datagram sockets and a spawned `systemd-notify` is not the main process (with NotifyAccess=main systemd
 * drops what it says), so the three libc calls are made from this process through koffi.
 */
export interface Notifier {
  /** The daemon serves: systemd may start what waits for it. False when the message could not be sent. */
  ready(status: string): boolean
  /** Still alive. Send one every `watchdogIntervalMs`. */
  watchdog(): boolean
  /** One line for `systemctl status`. */
  status(text: string): boolean
  /** The clean stop has begun. */
  stopping(status?: string): boolean
  /** Half of what WatchdogSec allows; undefined when systemd does not watch this process. */
  readonly watchdogIntervalMs: number | undefined
}

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
/** MSG_NOSIGNAL | MSG_DONTWAIT: neither a vanished nor a stuck service manager may stop the event loop. */
const SEND_FLAGS = 0x4000 | 0x40
/** `sizeof(sun_path)` on Linux. */
const PATH_BYTES = 108

type Send = (message: string) => boolean

/** The sender for `env`: talks to NOTIFY_SOCKET, or does nothing (and says true) when that is not set. */
export function createNotifier(env: Readonly<Record<string, string | undefined>>, pid = process.pid): Notifier {
  const socketPath = env.NOTIFY_SOCKET
  const send: Send = socketPath ? openSender(socketPath) : () => true
  return {
    ready: (status) => send(`READY=1\nSTATUS=${oneLine(status)}`),
    watchdog: () => send('WATCHDOG=1'),
    status: (text) => send(`STATUS=${oneLine(text)}`),
    stopping: (status) => send(status ? `STOPPING=1\nSTATUS=${oneLine(status)}` : 'STOPPING=1'),
    watchdogIntervalMs: watchdogIntervalMs(env, pid),
  }
}

/** A line break would start a new assignment: a device's name must not be able to say MAINPID=1. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]+/g, ' ')
}

function watchdogIntervalMs(env: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  const watchedPid = env.WATCHDOG_PID
  if (watchedPid && Number(watchedPid) !== pid) return undefined
  const limitMs = Number(env.WATCHDOG_USEC) / 1000
  return Number.isFinite(limitMs) && limitMs > 0 ? limitMs / 2 : undefined
}

/** `struct sockaddr_un` for a path, or for an abstract name when it begins with '@'. Undefined when it does not fit. */
export function unixAddress(path: string): Uint8Array | undefined {
  const abstract = path.startsWith('@')
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > PATH_BYTES || !(abstract || path.startsWith('/'))) return undefined
  const family = new Uint8Array(new Uint16Array([AF_UNIX]).buffer)
  return Buffer.concat([family, name])
}

function openSender(path: string): Send {
  const address = unixAddress(path)
  if (!address) return () => false
  // Loaded only here: outside systemd nobody pays for a native module.
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int, int, int)')
  const sendto = libc.func('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)')
  const descriptor: number = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
  return (message) => {
    const bytes = Buffer.from(message)
    return sendto(descriptor, bytes, bytes.length, SEND_FLAGS, address, address.length) === bytes.length
  }
}

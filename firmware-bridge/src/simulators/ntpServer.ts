import dgram from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../clock.ts'

export interface SimulatedNtpServer extends AsyncDisposable {
  readonly port: number
  /** Its clock minus ours, seconds. */
  offsetSeconds: number
  /** Hears and does not answer. */
  mute: boolean
}

const packetBytes = 48
/** Seconds from 1900, where NTP's era 0 begins, to 1970. */
const ntpToUnixSeconds = 2_208_988_800
const modeClient = 3

/** A stratum-1 server on the loopback, for one who asks: RFC 5905, section 7.3. Rejects when no port can be had. */
export async function startSimulatedNtpServer(options: {
  readonly clock: Clock
  readonly offsetSeconds?: number
  /** What it admits of its own error, seconds. */
  readonly rootDispersionSeconds?: number
  readonly rootDelaySeconds?: number
}): Promise<SimulatedNtpServer> {
  const { clock, rootDispersionSeconds = 0.001, rootDelaySeconds = 0 } = options
  const socket = dgram.createSocket('udp4')
  const server = { offsetSeconds: options.offsetSeconds ?? 0, mute: false }

  function writeTime(packet: Buffer, at: number): void {
    const unixSeconds = clock.now() / 1000 + server.offsetSeconds
    const whole = Math.floor(unixSeconds)
    packet.writeUInt32BE((whole + ntpToUnixSeconds) % 2 ** 32, at)
    packet.writeUInt32BE(Math.floor((unixSeconds - whole) * 2 ** 32), at + 4)
  }

  function reply(request: Buffer): Buffer {
    const packet = Buffer.alloc(packetBytes)
    const versionBits = (request[0] ?? 0) & 0x38
    packet[0] = versionBits | 4
    packet[1] = 1
    packet[2] = request[2] ?? 0
    packet.writeInt8(-10, 3)
    packet.writeUInt32BE(Math.round(rootDelaySeconds * 65536), 4)
    packet.writeUInt32BE(Math.round(rootDispersionSeconds * 65536), 8)
    packet.write('SIM', 12, 'latin1')
    writeTime(packet, 16)
    request.copy(packet, 24, 40, 48)
    writeTime(packet, 32)
    writeTime(packet, 40)
    return packet
  }

  socket.on('message', (request, from) => {
    if (server.mute || request.length < packetBytes || ((request[0] ?? 0) & 7) !== modeClient) return
    socket.send(reply(request), from.port, from.address)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, '127.0.0.1', resolve)
  })
  return Object.assign(server, {
    port: (socket.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void socket.close(() => resolve())),
  })
}

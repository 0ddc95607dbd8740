import dgram from 'node:dgram'
import os from 'node:os'
import type { Clock } from '../clock.ts'

/** Where Alpaca servers listen for the question: Alpaca API reference, "Discovery". */
export const discoveryPort = 32227
const question = Buffer.from('alpacadiscovery1')
const mostFound = 64

export interface DiscoveredAlpaca {
  readonly host: string
  readonly port: number
}

export interface AlpacaDiscoveryOptions {
  readonly clock: Clock
  /** How long answers are waited for. */
  readonly waitMs?: number
  /** Where the question goes; by default the broadcast address of every IPv4 network of this machine, and the loopback. */
  readonly addresses?: readonly string[]
  readonly port?: number
}

/** The Alpaca servers that answer a broadcast, each once. Sends nothing but the question; rejects when it has no socket. */
export async function discoverAlpaca(options: AlpacaDiscoveryOptions): Promise<DiscoveredAlpaca[]> {
  const { clock, waitMs = 2_000, addresses = broadcastAddresses(), port = discoveryPort } = options
  const found = new Map<string, DiscoveredAlpaca>()
  const socket = dgram.createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(0, resolve)
    })
    socket.on('error', () => undefined)
    socket.setBroadcast(true)
    socket.on('message', (message, from) => {
      const answered = parseDiscovery(message.toString('utf8'))
      if (answered === undefined || found.size >= mostFound) return
      found.set(`${from.address}:${answered}`, { host: from.address, port: answered })
    })
    for (const address of addresses) socket.send(question, port, address, () => undefined)
    await clock.sleep(waitMs)
  } finally {
    socket.close()
  }
  return [...found.values()]
}

/** The port in an answer, `{"AlpacaPort": 11111}`; undefined when it is none. */
export function parseDiscovery(text: string): number | undefined {
  try {
    const port = (JSON.parse(text) as { AlpacaPort?: unknown } | null)?.AlpacaPort
    return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536 ? (port as number) : undefined
  } catch {
    return undefined
  }
}

function broadcastAddresses(): string[] {
  const networks = Object.values(os.networkInterfaces()).flatMap((each) => each ?? [])
  const found = networks
    .filter(({ family }) => family === 'IPv4')
    .map(({ address, netmask }) => broadcastOf(address, netmask))
  return [...new Set([...found, '127.0.0.1'])]
}

/** Every host bit set: 192.168.1.20 of 255.255.255.0 is in 192.168.1.255. */
export function broadcastOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number)
  return address
    .split('.')
    .map((part, index) => Number(part) | (~(mask[index] ?? 0) & 255))
    .join('.')
}

/** WS-Discovery 1.0 as ONVIF uses it: ONVIF Core Specification, "Device discovery". */
import { randomUUID } from 'node:crypto'
import dgram from 'node:dgram'
import type { Clock } from '../clock.ts'

const multicastAddress = '239.255.255.250'
const discoveryPort = 3702
const mostFound = 64
const longestReply = 64 * 1024
const mostAddresses = 8

export interface DiscoveredCamera {
  /** `urn:uuid:…`, the same at every discovery. */
  readonly endpoint: string
  /** Where the answer came from: what to connect to when the camera lies about its own address. */
  readonly host: string
  /** Device services, as the camera says. */
  readonly services: readonly string[]
  /** From its scopes, where it has one. */
  readonly name?: string | undefined
}

/** Asks once and listens for `waitMs`. Rejects when it has no socket. */
export async function discoverOnvif(options: {
  readonly clock: Clock
  readonly waitMs?: number
  readonly address?: string
  readonly port?: number
}): Promise<DiscoveredCamera[]> {
  const { clock, waitMs = 3_000, address = multicastAddress, port = discoveryPort } = options
  const found = new Map<string, DiscoveredCamera>()
  const id = `urn:uuid:${randomUUID()}`
  const socket = dgram.createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(0, resolve)
    })
    socket.on('error', () => undefined)
    socket.on('message', (message, from) => {
      const camera = parseProbeMatch(message.subarray(0, longestReply).toString('utf8'), from.address, id)
      if (camera && found.size < mostFound) found.set(camera.endpoint, camera)
    })
    socket.send(Buffer.from(probe(id)), port, address, () => undefined)
    await clock.sleep(waitMs)
  } finally {
    socket.close()
  }
  return [...found.values()]
}

function probe(id: string): string {
  return (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"' +
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"' +
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>' +
    `<a:MessageID>${id}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>` +
    '<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></s:Header><s:Body><d:Probe>' +
    '<d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>'
  )
}

/** The text of the first element of this local name, whatever its prefix. */
function element(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:[\\w.-]+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(xml)?.[1]?.trim()
}

/** A camera's answer to the question `id`; undefined for anything else. Never throws. */
export function parseProbeMatch(xml: string, host: string, id: string): DiscoveredCamera | undefined {
  const relatesTo = element(xml, 'RelatesTo')
  const addresses = element(xml, 'XAddrs')
  const at = xml.search(/<(?:[\w.-]+:)?EndpointReference[\s>]/)
  const endpoint = at === -1 ? undefined : element(xml.slice(at), 'Address')
  if (relatesTo !== id || !addresses || !endpoint) return undefined
  const services = addresses.split(/\s+/).filter((text) => URL.canParse(text) && /^https?:/.test(text))
  if (services.length === 0) return undefined
  const name = /onvif:\/\/www\.onvif\.org\/name\/(\S+)/.exec(element(xml, 'Scopes') ?? '')?.[1]
  return { endpoint, host, services: services.slice(0, mostAddresses), name: name && decode(name) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

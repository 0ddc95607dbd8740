/** An ASCOM Alpaca server with simulated devices, as strict as the Alpaca API reference lets a server be. */
import dgram from 'node:dgram'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AlpacaKind } from '../alpaca/client.ts'
import type { AlpacaRequest, AlpacaResponse, AlpacaTransport } from '../alpaca/transport.ts'

/** Why a device does not do something: one of the reserved error numbers, and its own words. */
export class AlpacaRefusal {
  readonly errorNumber: number
  readonly message: string
  constructor(errorNumber: number, message: string) {
    this.errorNumber = errorNumber
    this.message = message
  }
}

export const refusals = {
  notImplemented: 0x400,
  invalidValue: 0x401,
  valueNotSet: 0x402,
  notConnected: 0x407,
  parked: 0x408,
  invalidOperation: 0x40b,
} as const

export type ParameterType = 'number' | 'integer' | 'boolean' | 'text'
export type Parameters = Readonly<Record<string, number | boolean | string>>

/** Writes what it is asked for as bytes instead of JSON. */
export interface BytesProperty {
  readonly accept: string
  bytes(ids: { readonly client: number; readonly server: number }): Uint8Array | AlpacaRefusal
}

export interface SimulatedAlpacaDevice {
  readonly kind: AlpacaKind
  readonly name: string
  /** By member. A GET gives the value. */
  readonly get: Readonly<Record<string, (parameters: Parameters) => unknown>>
  /** Parameters of a GET, by member and name. */
  readonly getParameters?: Readonly<Record<string, Readonly<Record<string, ParameterType>>>>
  readonly put: Readonly<
    Record<
      string,
      {
        readonly parameters: Readonly<Record<string, ParameterType>>
        run(parameters: Parameters): AlpacaRefusal | undefined | Promise<AlpacaRefusal | undefined>
      }
    >
  >
  readonly bytes?: Readonly<Record<string, BytesProperty>>
}

export interface SimulatedAlpacaServer {
  /** Into this server without a network. */
  readonly transport: AlpacaTransport
  /** Every request is answered like this instead, when it gives something. */
  intercept: ((request: AlpacaRequest) => AlpacaResponse | Promise<AlpacaResponse> | undefined) | undefined
  /** Forgets who is connected, as after a restart. */
  restart(): void
  /** Requests so far, `GET telescope/0/slewing`. */
  readonly log: readonly string[]
  /** On the loopback, with a discovery port of its own. */
  listen(): Promise<ListeningAlpaca>
}

export interface ListeningAlpaca extends AsyncDisposable {
  readonly port: number
  readonly discoveryPort: number
}

const mostLog = 10_000
const mostBodyBytes = 64 * 1024

const respond = (status: number, contentType: string, bytes: Uint8Array): AlpacaResponse => ({
  status,
  contentType,
  bytes,
})
const text = (status: number, words: string): AlpacaResponse => respond(status, 'text/plain', Buffer.from(words))

/** A parameter as the reference wants it; a text that says what is wrong with it. */
function parse(type: ParameterType, value: string): number | boolean | string | { readonly wrong: string } {
  if (type === 'text') return value
  if (type === 'boolean') {
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
    return { wrong: `${value} is neither True nor False` }
  }
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (!Number.isFinite(number)) return { wrong: `${value} is not a number` }
  return type === 'integer' && !Number.isInteger(number) ? { wrong: `${value} is not an integer` } : number
}

export function createSimulatedAlpacaServer(devices: readonly SimulatedAlpacaDevice[]): SimulatedAlpacaServer {
  const connected = new Set<SimulatedAlpacaDevice>()
  const log: string[] = []
  let serverTransactionId = 0

  /** Names of a GET's parameters are not case-sensitive, those of a PUT are. */
  function readParameters(
    request: AlpacaRequest,
    wanted: Readonly<Record<string, ParameterType>>,
  ): Parameters | { readonly wrong: string } {
    const given = Object.entries(request.parameters)
    const values: Record<string, number | boolean | string> = {}
    for (const [name, type] of Object.entries(wanted)) {
      const isIt = (key: string): boolean =>
        request.method === 'PUT' ? key === name : key.toLowerCase() === name.toLowerCase()
      const found = given.find(([key]) => isIt(key))
      if (!found) return { wrong: `the parameter ${name} is missing` }
      const value = parse(type, found[1])
      if (typeof value === 'object') return value
      values[name] = value
    }
    return values
  }

  const common = (device: SimulatedAlpacaDevice): Readonly<Record<string, () => unknown>> => ({
    connected: () => connected.has(device),
    name: () => device.name,
    description: () => `${device.name} of Nightjar`,
    driverinfo: () => 'Nightjar simulators',
    driverversion: () => '1.0',
    interfaceversion: () => 3,
    supportedactions: () => [],
  })

  function find(path: string): { device: SimulatedAlpacaDevice; member: string } | undefined {
    const [, kind, number, member] = /^\/api\/v1\/([a-z]+)\/(\d+)\/([a-z0-9]+)$/.exec(path) ?? []
    const device = devices.filter((one) => one.kind === kind)[Number(number)]
    return device && member !== undefined ? { device, member } : undefined
  }

  const configured = (): object[] =>
    devices.map((device) => ({
      DeviceName: device.name,
      DeviceType: device.kind,
      DeviceNumber: devices.filter((one) => one.kind === device.kind).indexOf(device),
      UniqueID: `nightjar-${device.kind}-${devices.indexOf(device)}`,
    }))

  function respondJson(value: unknown, request: AlpacaRequest): AlpacaResponse {
    const client = Number(request.parameters['ClientTransactionID'] ?? 0)
    const reply = { Value: value, ClientTransactionID: client, ServerTransactionID: ++serverTransactionId }
    return respond(200, 'application/json; charset=utf-8', Buffer.from(JSON.stringify(reply)))
  }

  async function answer(request: AlpacaRequest): Promise<AlpacaResponse> {
    const intercepted = await server.intercept?.(request)
    if (intercepted) return intercepted
    if (request.path === '/management/v1/configureddevices') return respondJson(configured(), request)
    const found = find(request.path)
    if (!found) return text(400, `no such device or member: ${request.path}`)
    const { device, member } = found
    if (log.length < mostLog) log.push(`${request.method} ${request.path.slice('/api/v1/'.length)}`)
    const ids = readParameters(request, { ClientID: 'integer', ClientTransactionID: 'integer' })
    if ('wrong' in ids) return text(400, String(ids['wrong']))
    const client = Number(ids['ClientTransactionID'])
    const run = request.method === 'GET' ? get(device, member, request, client) : put(device, member, request)
    const result = await run
    if (isResponse(result)) return result
    serverTransactionId++
    const refusal = result instanceof AlpacaRefusal ? result : undefined
    const reply = {
      ...(refusal || result === undefined ? {} : { Value: result }),
      ClientTransactionID: client,
      ServerTransactionID: serverTransactionId,
      ErrorNumber: refusal?.errorNumber ?? 0,
      ErrorMessage: refusal?.message ?? '',
    }
    return respond(200, 'application/json; charset=utf-8', Buffer.from(JSON.stringify(reply)))
  }

  function get(device: SimulatedAlpacaDevice, member: string, request: AlpacaRequest, client: number): unknown {
    const own = common(device)[member]
    if (own) return own()
    const read = device.get[member]
    if (!read) {
      return device.put[member]
        ? text(400, `${member} is set, not read`)
        : new AlpacaRefusal(refusals.notImplemented, member)
    }
    if (!connected.has(device)) return new AlpacaRefusal(refusals.notConnected, '')
    const parameters = readParameters(request, device.getParameters?.[member] ?? {})
    if ('wrong' in parameters) return text(400, String(parameters['wrong']))
    const bytes = device.bytes?.[member]
    if (bytes && request.accept.includes(bytes.accept)) {
      const made = bytes.bytes({ client, server: ++serverTransactionId })
      return made instanceof AlpacaRefusal ? made : respond(200, bytes.accept, made)
    }
    return read(parameters)
  }

  async function put(device: SimulatedAlpacaDevice, member: string, request: AlpacaRequest): Promise<unknown> {
    if (member === 'connected') {
      const wanted = readParameters(request, { Connected: 'boolean' })
      if ('wrong' in wanted) return text(400, String(wanted['wrong']))
      if (wanted['Connected'] === true) connected.add(device)
      else connected.delete(device)
      return undefined
    }
    const command = device.put[member]
    if (!command) return new AlpacaRefusal(refusals.notImplemented, member)
    const parameters = readParameters(request, command.parameters)
    if ('wrong' in parameters) return text(400, String(parameters['wrong']))
    if (!connected.has(device)) return new AlpacaRefusal(refusals.notConnected, '')
    return command.run(parameters)
  }

  const server: SimulatedAlpacaServer = {
    intercept: undefined,
    log,
    transport: (request) => answer(request),
    restart: () => connected.clear(),
    listen: () => listen(answer),
  }
  return server
}

const isResponse = (value: unknown): value is AlpacaResponse =>
  typeof value === 'object' && value !== null && 'status' in value && 'bytes' in value

/** Puts it behind node's HTTP server, and answers `alpacadiscovery1`. */
async function listen(answer: (request: AlpacaRequest) => Promise<AlpacaResponse>): Promise<ListeningAlpaca> {
  const web = http.createServer((request, response) => {
    void readRequest(request).then(async (asked) => {
      const { status, contentType, bytes } = await answer(asked)
      response.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length })
      response.end(bytes)
    })
  })
  await new Promise<void>((resolve) => void web.listen(0, '127.0.0.1', resolve))
  const { port } = web.address() as AddressInfo
  const socket = dgram.createSocket('udp4')
  socket.on('message', (message, from) => {
    if (message.toString('latin1').startsWith('alpacadiscovery1')) {
      socket.send(JSON.stringify({ AlpacaPort: port }), from.port, from.address)
    }
  })
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve))
  let closed = false
  return {
    port,
    discoveryPort: (socket.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      web.closeAllConnections()
      await new Promise((resolve) => web.close(resolve))
      await new Promise<void>((resolve) => void socket.close(() => resolve()))
    },
  }
}

async function readRequest(request: http.IncomingMessage): Promise<AlpacaRequest> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const isPut = request.method === 'PUT'
  let body = ''
  for await (const chunk of request) if (body.length < mostBodyBytes) body += String(chunk)
  return {
    method: isPut ? 'PUT' : 'GET',
    path: url.pathname,
    parameters: Object.fromEntries(isPut ? new URLSearchParams(body) : url.searchParams),
    accept: request.headers.accept ?? '',
  }
}

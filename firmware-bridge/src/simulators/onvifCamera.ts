/** A network camera that speaks ONVIF over SOAP: enough for clients to connect, take pictures and turn it. */
import { createHash } from 'node:crypto'
import dgram from 'node:dgram'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../clock.ts'

export interface SimulatedOnvifCameraOptions {
  readonly clock: Clock
  readonly username?: string
  readonly password?: string
  /** The camera's clock minus ours. */
  readonly clockOffsetSeconds?: number
  /** Some cameras tell the time only to those who know the password, against the specification. */
  readonly lockedTime?: boolean
  /** `digest`: the services take HTTP's digest and not WS-Security; `none`: they take everybody. */
  readonly authentication?: 'ws-security' | 'digest' | 'none'
  /** How the images are locked. */
  readonly snapshotLock?: 'digest' | 'basic' | 'none'
  /** What it calls itself in its replies, `host:port`; its true address by default. */
  readonly claimedAddress?: string
  readonly streamUri?: string
  readonly hasSnapshot?: boolean
  readonly takePicture?: () => Uint8Array
}

export interface SimulatedOnvifCamera extends AsyncDisposable {
  readonly port: number
  /** Answers WS-Discovery here, also without multicast. */
  readonly discoveryPort: number
  /** Where it points: pan and tilt in [-1, 1], zoom in [0, 1]. */
  readonly pointing: { readonly pan: number; readonly tilt: number; readonly zoom: number }
  /** The operations that were asked for, in order. */
  readonly log: readonly string[]
  /** What is sent instead of a reply, when it gives something. */
  intercept: ((operation: string) => string | undefined) | undefined
}

/** The smallest JPEG that decoders take: one grey pixel. */
const greyPixel = Buffer.from(
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEBD/yQALCAABAAEBAREA/8wABgAQEAX/2gAIAQEAAD8A0s8g/9k=',
  'base64',
)
const turnMs = 1_000
/** A message older than this by the camera's clock is refused: the specification leaves the number to the camera. */
const freshMs = 5 * 60_000
const mostBody = 64 * 1024
const mostLog = 1_000
const realm = 'Simulated Camera'

const envelope = (body: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"' +
  ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"' +
  ' xmlns:tptz="http://www.onvif.org/ver20/ptz/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema"' +
  ` xmlns:ter="http://www.onvif.org/ver10/error"><s:Body>${body}</s:Body></s:Envelope>`

const fault = (code: string, words: string): string =>
  envelope(
    `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>${code}</s:Value></s:Subcode></s:Code>` +
      `<s:Reason><s:Text xml:lang="en">${words}</s:Text></s:Reason></s:Fault>`,
  )

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

export async function startSimulatedOnvifCamera(options: SimulatedOnvifCameraOptions): Promise<SimulatedOnvifCamera> {
  const { clock, username = 'admin', password = 'secret', clockOffsetSeconds = 0, lockedTime = false } = options
  const { authentication = 'ws-security', snapshotLock = 'digest', hasSnapshot = true } = options
  const takePicture = options.takePicture ?? (() => greyPixel)
  const log: string[] = []
  let pointing = { pan: 0, tilt: 0, zoom: 0 }
  let turningUntil = Number.NEGATIVE_INFINITY
  let intercept: SimulatedOnvifCamera['intercept']
  const nonces = new Set<string>()

  const cameraTime = (): Date => new Date(clock.now() + clockOffsetSeconds * 1000)
  const address = (): string => options.claimedAddress ?? `127.0.0.1:${port}`

  /** UsernameToken profile 1.0: Base64(SHA-1(nonce + created + password)), fresh by this camera's clock, used once. */
  function isSigned(xml: string): boolean {
    const read = (name: string): string => new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)<`).exec(xml)?.[1] ?? ''
    const [nonce, created] = [read('Nonce'), read('Created')]
    const digest = createHash('sha1')
      .update(Buffer.concat([Buffer.from(nonce, 'base64'), Buffer.from(`${created}${password}`)]))
      .digest('base64')
    const isFresh = Math.abs(Date.parse(created) - cameraTime().getTime()) <= freshMs
    if (read('Username') !== username || read('Password') !== digest || !isFresh || nonces.has(nonce)) return false
    nonces.add(nonce)
    return true
  }

  /** RFC 7616 with MD5 and qop=auth. */
  function isDigested(request: http.IncomingMessage): boolean {
    const header = request.headers.authorization ?? ''
    const read = (name: string): string => new RegExp(`${name}="?([^",]*)`).exec(header)?.[1] ?? ''
    const secret = md5(`${username}:${realm}:${password}`)
    const middle = `${read(' ?nonce')}:${read('nc')}:${read('cnonce')}:${read('qop')}`
    return read('response') === md5(`${secret}:${middle}:${md5(`${request.method}:${read('uri')}`)}`)
  }

  const challenge = (response: http.ServerResponse, kind: string): void => {
    const nonce = createHash('sha1').update(String(clock.now())).digest('hex')
    const value = kind === 'basic' ? `Basic realm="${realm}"` : `Digest realm="${realm}", qop="auth", nonce="${nonce}"`
    response.writeHead(401, { 'WWW-Authenticate': value }).end('Unauthorized')
  }

  function picture(request: http.IncomingMessage, response: http.ServerResponse): void {
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const open =
      snapshotLock === 'none' ||
      (snapshotLock === 'basic' ? request.headers.authorization === basic : isDigested(request))
    if (!open) return challenge(response, snapshotLock)
    const bytes = takePicture()
    // Cameras are careless with types.
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length }).end(bytes)
  }

  const number = (xml: string, element: string, name: string): number =>
    Number(new RegExp(`<(?:\\w+:)?${element}[^>]*\\b${name}="([^"]*)"`).exec(xml)?.[1] ?? Number.NaN)

  function move(xml: string): string {
    const [pan, tilt, zoom] = [number(xml, 'PanTilt', 'x'), number(xml, 'PanTilt', 'y'), number(xml, 'Zoom', 'x')]
    if (!(Math.abs(pan) <= 1 && Math.abs(tilt) <= 1 && zoom >= 0 && zoom <= 1)) {
      return fault('ter:InvalidPosition', 'The requested position is out of bounds')
    }
    pointing = { pan, tilt, zoom }
    turningUntil = clock.monotonic() + turnMs
    return envelope('<tptz:AbsoluteMoveResponse/>')
  }

  const uriReply = (operation: string, uri: string): string =>
    envelope(
      `<trt:${operation}Response><trt:MediaUri><tt:Uri>${uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>` +
        `<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:${operation}Response>`,
    )

  function answer(operation: string, xml: string): string {
    switch (operation) {
      case 'GetSystemDateAndTime':
        return timeReply(cameraTime())
      case 'GetServices':
        return servicesReply(address())
      case 'GetDeviceInformation':
        return envelope(
          '<tds:GetDeviceInformationResponse><tds:Manufacturer>Nightjar</tds:Manufacturer><tds:Model>All Sky</tds:Model>' +
            '<tds:FirmwareVersion>1</tds:FirmwareVersion><tds:SerialNumber>1</tds:SerialNumber>' +
            '<tds:HardwareId>1</tds:HardwareId></tds:GetDeviceInformationResponse>',
        )
      case 'GetProfiles':
        return profilesReply
      case 'GetVideoSources':
        return videoSourcesReply
      case 'GetSnapshotUri':
        if (!hasSnapshot) return fault('ter:ActionNotSupported', 'No snapshots')
        return uriReply(operation, `http://${address()}/snapshot.jpg`)
      case 'GetStreamUri':
        if (options.streamUri === undefined) return fault('ter:ActionNotSupported', 'No stream')
        return uriReply(operation, options.streamUri)
      case 'AbsoluteMove':
        return move(xml)
      case 'GetStatus':
        return statusReply(pointing, clock.monotonic() < turningUntil)
      default:
        return fault('ter:ActionNotSupported', `Optional Action Not Implemented: ${operation}`)
    }
  }

  function serve(request: http.IncomingMessage, xml: string, response: http.ServerResponse): void {
    const operation = /<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)/.exec(xml)?.[1] ?? ''
    if (log.length < mostLog) log.push(operation)
    const open = operation === 'GetSystemDateAndTime' && !lockedTime
    if (!open && authentication === 'digest' && !isDigested(request)) return challenge(response, 'digest')
    const refused = !open && authentication === 'ws-security' && !isSigned(xml)
    const reply =
      intercept?.(operation) ?? (refused ? fault('ter:NotAuthorized', 'Sender not Authorized') : answer(operation, xml))
    response.writeHead(refused ? 400 : 200, { 'content-type': 'application/soap+xml; charset=utf-8' }).end(reply)
  }

  const web = http.createServer((request, response) => {
    let xml = ''
    request.on('data', (part: Buffer) => {
      if (xml.length < mostBody) xml += part.toString()
    })
    request.on('end', () => {
      if (request.url?.startsWith('/snapshot')) picture(request, response)
      else serve(request, xml, response)
    })
  })
  await new Promise<void>((resolve) => void web.listen(0, '127.0.0.1', resolve))
  const { port } = web.address() as AddressInfo

  const socket = dgram.createSocket('udp4')
  socket.on('message', (message, from) => {
    const id = /MessageID[^>]*>([^<]+)</.exec(message.toString())?.[1]
    if (id !== undefined) socket.send(probeMatch(id, address()), from.port, from.address)
  })
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve))
  let closed = false
  return {
    port,
    discoveryPort: (socket.address() as AddressInfo).port,
    get pointing() {
      return pointing
    },
    log,
    get intercept() {
      return intercept
    },
    set intercept(value) {
      intercept = value
    },
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      web.closeAllConnections()
      await new Promise((resolve) => web.close(resolve))
      await new Promise<void>((resolve) => void socket.close(() => resolve()))
    },
  }
}

function timeReply(time: Date): string {
  const clock =
    `<tt:Time><tt:Hour>${time.getUTCHours()}</tt:Hour><tt:Minute>${time.getUTCMinutes()}</tt:Minute>` +
    `<tt:Second>${time.getUTCSeconds()}</tt:Second></tt:Time>`
  const date =
    `<tt:Date><tt:Year>${time.getUTCFullYear()}</tt:Year><tt:Month>${time.getUTCMonth() + 1}</tt:Month>` +
    `<tt:Day>${time.getUTCDate()}</tt:Day></tt:Date>`
  return envelope(
    '<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual</tt:DateTimeType>' +
      `<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime>${clock}${date}</tt:UTCDateTime>` +
      '</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>',
  )
}

function servicesReply(address: string): string {
  const service = (namespace: string, path: string): string =>
    `<tds:Service><tds:Namespace>http://www.onvif.org/${namespace}/wsdl</tds:Namespace>` +
    `<tds:XAddr>http://${address}/onvif/${path}</tds:XAddr>` +
    '<tds:Version><tt:Major>2</tt:Major><tt:Minor>0</tt:Minor></tds:Version></tds:Service>'
  const services =
    service('ver10/device', 'device_service') + service('ver10/media', 'media') + service('ver20/ptz', 'ptz')
  return envelope(`<tds:GetServicesResponse>${services}</tds:GetServicesResponse>`)
}

const profilesReply = envelope(
  '<trt:GetProfilesResponse><trt:Profiles token="p0" fixed="true"><tt:Name>sky</tt:Name>' +
    '<tt:VideoSourceConfiguration token="vsc0"><tt:Name>v</tt:Name><tt:UseCount>1</tt:UseCount>' +
    '<tt:SourceToken>vs0</tt:SourceToken><tt:Bounds x="0" y="0" width="320" height="240"/></tt:VideoSourceConfiguration>' +
    '<tt:VideoEncoderConfiguration token="vec0"><tt:Name>e</tt:Name><tt:UseCount>1</tt:UseCount>' +
    '<tt:Encoding>JPEG</tt:Encoding><tt:Resolution><tt:Width>320</tt:Width><tt:Height>240</tt:Height></tt:Resolution>' +
    '<tt:Quality>5</tt:Quality></tt:VideoEncoderConfiguration>' +
    '<tt:PTZConfiguration token="ptz0"><tt:Name>z</tt:Name><tt:UseCount>1</tt:UseCount><tt:NodeToken>n0</tt:NodeToken>' +
    '</tt:PTZConfiguration></trt:Profiles></trt:GetProfilesResponse>',
)

const videoSourcesReply = envelope(
  '<trt:GetVideoSourcesResponse><trt:VideoSources token="vs0"><tt:Framerate>10</tt:Framerate>' +
    '<tt:Resolution><tt:Width>320</tt:Width><tt:Height>240</tt:Height></tt:Resolution></trt:VideoSources>' +
    '</trt:GetVideoSourcesResponse>',
)

function statusReply({ pan, tilt, zoom }: SimulatedOnvifCamera['pointing'], moving: boolean): string {
  const word = moving ? 'MOVING' : 'IDLE'
  return envelope(
    `<tptz:GetStatusResponse><tptz:PTZStatus><tt:Position><tt:PanTilt x="${pan}" y="${tilt}"/><tt:Zoom x="${zoom}"/>` +
      `</tt:Position><tt:MoveStatus><tt:PanTilt>${word}</tt:PanTilt><tt:Zoom>${word}</tt:Zoom></tt:MoveStatus>` +
      '</tptz:PTZStatus></tptz:GetStatusResponse>',
  )
}

function probeMatch(id: string, address: string): Buffer {
  return Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"' +
      ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">' +
      `<s:Header><a:RelatesTo>${id}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>` +
      '<a:EndpointReference><a:Address>urn:uuid:5f5a69c2-e0ae-504f-829b-00c0ffee0001</a:Address></a:EndpointReference>' +
      '<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/All%20Sky</d:Scopes>' +
      `<d:XAddrs>http://${address}/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>`,
  )
}

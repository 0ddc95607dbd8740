/** What PHD2 says on its event server (port 4400): events, and replies to JSON-RPC 2.0 requests. PHD2's wiki, "EventMonitoring". */
export type Phd2Message =
  | { readonly type: 'event'; readonly event: Phd2Event }
  | { readonly type: 'reply'; readonly id: number; readonly result: unknown }
  | { readonly type: 'refusal'; readonly id: number | undefined; readonly reason: string }

/** Events by what they change; distances are pixels of the guide camera, along the mount's axes. */
export type Phd2Event =
  | { readonly name: 'Version'; readonly version: string }
  | { readonly name: 'AppState'; readonly state: string }
  | { readonly name: 'GuideStep'; readonly raPixels: number; readonly decPixels: number }
  | { readonly name: 'SettleDone'; readonly error: string | undefined }
  | { readonly name: 'CalibrationFailed'; readonly reason: string }
  | { readonly name: 'StarLost'; readonly reason: string }
  | { readonly name: 'Alert'; readonly text: string; readonly severity: string }
  | { readonly name: PlainEvent }

/** Events that say all by their name. */
const plainEvents = [
  'StartGuiding',
  'GuidingStopped',
  'GuidingDithered',
  'LoopingExposures',
  'LoopingExposuresStopped',
  'Paused',
  'Resumed',
  'StartCalibration',
  'Calibrating',
  'CalibrationComplete',
  'SettleBegin',
  'Settling',
  'LockPositionLost',
  'ConfigurationChange',
] as const
type PlainEvent = (typeof plainEvents)[number]

type Json = Readonly<Record<string, unknown>>

/** One line. Undefined for what is no JSON object, or an event that we do not use; never throws. */
export function decodeMessage(line: string): Phd2Message | undefined {
  const json = parseObject(line)
  if (!json) return undefined
  if (typeof json['Event'] === 'string') {
    const event = readEvent(json['Event'], json)
    return event && { type: 'event', event }
  }
  const id = typeof json['id'] === 'number' ? json['id'] : undefined
  if ('error' in json) return { type: 'refusal', id, reason: readReason(json['error']) }
  return id !== undefined && 'result' in json ? { type: 'reply', id, result: json['result'] } : undefined
}

/** PHD2 escapes quotes and backslashes but no control characters, which JSON does not allow: they become blanks. */
function parseObject(line: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(line.replaceAll(/[\u0000-\u001f]/g, ' '))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

const text = (value: unknown, otherwise: string): string =>
  typeof value === 'string' && value !== '' ? value : otherwise

function readReason(error: unknown): string {
  const message = typeof error === 'object' && error !== null ? (error as Json)['message'] : undefined
  return text(message, 'PHD2 refused without a reason')
}

function readEvent(name: string, json: Json): Phd2Event | undefined {
  switch (name) {
    case 'Version':
      return { name, version: text(json['PHDVersion'], '?') }
    case 'AppState':
      return { name, state: text(json['State'], 'Unknown') }
    case 'GuideStep': {
      const [raPixels, decPixels] = [json['RADistanceRaw'], json['DECDistanceRaw']]
      if (!Number.isFinite(raPixels) || !Number.isFinite(decPixels)) return undefined
      return { name, raPixels: raPixels as number, decPixels: decPixels as number }
    }
    case 'SettleDone':
      return { name, error: json['Status'] === 0 ? undefined : text(json['Error'], 'not settled') }
    case 'CalibrationFailed':
      return { name, reason: text(json['Reason'], 'no reason given') }
    case 'StarLost':
      return { name, reason: text(json['Status'], 'the guide star is lost') }
    case 'Alert':
      return { name, text: text(json['Msg'], ''), severity: text(json['Type'], 'info') }
    default:
      return (plainEvents as readonly string[]).includes(name) ? { name: name as PlainEvent } : undefined
  }
}

/** PHD2 reads at most 1024 bytes of a request, and drops what follows its line break. */
export const longestRequestBytes = 1_024

export function encodeRequest(id: number, method: string, params: readonly unknown[]): Uint8Array {
  const request = params.length > 0 ? { method, params, id } : { method, id }
  return Buffer.from(`${JSON.stringify(request)}\r\n`)
}

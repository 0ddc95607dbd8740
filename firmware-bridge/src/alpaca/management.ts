import type { Clock } from '../clock.ts'
import { type Failure, failure } from '../outcome.ts'
import type { AlpacaTransport } from './transport.ts'

/** A device that a server offers: Alpaca management API, `configureddevices`. */
export interface ConfiguredDevice {
  readonly name: string
  /** In lower case, as in addresses: `telescope`, `camera` … also kinds that we do not drive. */
  readonly kind: string
  readonly deviceNumber: number
  /** The same after every restart. */
  readonly uniqueId: string
}

const answerMs = 5_000
const mostDevices = 256

/** What a server has. */
export async function listAlpacaDevices(
  transport: AlpacaTransport,
  clock: Clock,
): Promise<{ readonly ok: true; readonly devices: readonly ConfiguredDevice[] } | Failure> {
  const over = new AbortController()
  clock.sleep(answerMs, over.signal).then(
    () => over.abort(new Error(`it did not answer within ${answerMs / 1000} s`)),
    () => undefined,
  )
  const path = '/management/v1/configureddevices'
  const parameters = { ClientID: '1', ClientTransactionID: '1' }
  try {
    const response = await transport({ method: 'GET', path, parameters, accept: 'application/json' }, over.signal)
    if (response.status !== 200) return failure(`it refused the request with HTTP ${response.status}`)
    const devices = parseConfigured(Buffer.from(response.bytes).toString('utf8'))
    return devices ? { ok: true, devices } : failure('its answer is not an Alpaca list of devices')
  } catch (error) {
    const reason: unknown = over.signal.aborted ? over.signal.reason : error
    return failure(reason instanceof Error ? reason.message : String(reason))
  } finally {
    over.abort(new Error('over'))
  }
}

/** Undefined for what is no list; entries without name, kind or number are left out. Never throws. */
export function parseConfigured(text: string): readonly ConfiguredDevice[] | undefined {
  try {
    const list = (JSON.parse(text) as { Value?: unknown } | null)?.Value
    if (!Array.isArray(list)) return undefined
    return list.slice(0, mostDevices).flatMap((one: unknown) => readDevice(one) ?? [])
  } catch {
    return undefined
  }
}

function readDevice(value: unknown): ConfiguredDevice | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { DeviceName, DeviceType, DeviceNumber, UniqueID } = value as Record<string, unknown>
  if (typeof DeviceName !== 'string' || typeof DeviceType !== 'string') return undefined
  if (!Number.isInteger(DeviceNumber) || (DeviceNumber as number) < 0) return undefined
  return {
    name: DeviceName,
    kind: DeviceType.toLowerCase(),
    deviceNumber: DeviceNumber as number,
    uniqueId: typeof UniqueID === 'string' ? UniqueID : '',
  }
}

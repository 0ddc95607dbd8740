import { type Failure, failure } from '../outcome.ts'

/** What an Alpaca device answers: Alpaca API reference, "Alpaca responses". */
export interface AlpacaReply {
  readonly ok: true
  readonly value: unknown
}

/** A device that says why not; `errorNumber` 0 where the failure is not the device's own. */
export interface AlpacaFailure extends Failure {
  readonly errorNumber: number
}

export const notImplemented = 0x400

/** The reserved error numbers of the Alpaca API reference, "Error numbers". 0x500 to 0xFFF belong to the drivers. */
const errorWords: Readonly<Record<number, string>> = {
  [notImplemented]: 'it cannot do this',
  1025: 'it does not take this value',
  1026: 'a value that it needs has not been set',
  1031: 'it is not connected',
  1032: 'it does not do this while parked',
  1033: 'it does not do this while slaved to another device',
  1035: 'it cannot do this now',
  1036: 'it does not know this action',
  1038: 'it was cancelled',
}

export const alpacaFailure = (reason: string, errorNumber = 0): AlpacaFailure => ({ ...failure(reason), errorNumber })

/** The device's error for people: its own words behind ours. */
export function explainError(errorNumber: number, message: string): AlpacaFailure {
  const words = errorWords[errorNumber] ?? `error 0x${errorNumber.toString(16)}`
  const said = message.trim()
  return alpacaFailure(said === '' ? words : `${words}: ${said}`, errorNumber)
}

/** Reads a reply of status 200. Never throws. A reply to another question than `transactionId` is a failure. */
export function parseReply(text: string, transactionId: number): AlpacaReply | AlpacaFailure {
  const json = parseObject(text)
  if (!json || typeof json['ErrorNumber'] !== 'number') return alpacaFailure('its answer is not an Alpaca reply')
  const answered = json['ClientTransactionID']
  if (answered !== undefined && answered !== transactionId) {
    return alpacaFailure(`it answered question ${String(answered)} instead of ${transactionId}`)
  }
  const message = typeof json['ErrorMessage'] === 'string' ? json['ErrorMessage'] : ''
  if (json['ErrorNumber'] !== 0) return explainError(json['ErrorNumber'], message)
  return { ok: true, value: json['Value'] }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

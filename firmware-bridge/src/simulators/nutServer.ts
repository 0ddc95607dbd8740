import { encodeCommand, splitWords } from '../nut/messages.ts'
import { createLineSplitter } from '../wire/lineSplitter.ts'
import type { Wire, WireHandlers } from '../wire/wire.ts'

export interface SimulatedNutServer {
  /** By their NUT names: `ups.status`, `battery.charge` … Change them as you like. */
  readonly variables: Map<string, string>
  /** What every question is answered with instead, an error code of RFC 9271: `DATA-STALE`. */
  refuseWith: string | undefined
  /** Takes commands and says nothing. */
  mute: boolean
  accept(open: (handlers: WireHandlers) => Wire): void
}

const longestLineBytes = 1_024

/** upsd with one UPS: the questions that clients ask, the replies of RFC 9271. */
export function createSimulatedNutServer(options: {
  readonly ups: string
  /** Name → password. Where there are any, commands after LOGIN need them. */
  readonly users?: Readonly<Record<string, string>>
}): SimulatedNutServer {
  const { ups, users = {} } = options
  const server: SimulatedNutServer = {
    variables: new Map([
      ['ups.status', 'OL CHRG'],
      ['battery.charge', '95'],
      ['battery.runtime', '2400'],
    ]),
    refuseWith: undefined,
    mute: false,
    accept(open) {
      const given = { username: '', password: '' }
      const lines = createLineSplitter({
        longestBytes: longestLineBytes,
        onLine(line) {
          if (server.mute) return
          for (const reply of answer(splitWords(line), given)) wire.write(reply).catch(() => undefined)
        },
      })
      const wire = open({ onBytes: (bytes) => lines.push(bytes), onClose: () => undefined })
    },
  }

  const error = (code: string): Uint8Array[] => [encodeCommand('ERR', code)]
  const variable = (name: string, value: string): Uint8Array => Buffer.from(`VAR ${ups} ${name} ${quoted(value)}\n`)

  function answer(words: readonly string[], given: { username: string; password: string }): Uint8Array[] {
    const [verb, second, third, fourth] = words
    if (verb === 'USERNAME' || verb === 'PASSWORD') {
      given[verb === 'USERNAME' ? 'username' : 'password'] = second ?? ''
      return [encodeCommand('OK')]
    }
    if (verb === 'LOGIN') {
      if (second !== ups) return error('UNKNOWN-UPS')
      return users[given.username] === given.password ? [encodeCommand('OK')] : error('ACCESS-DENIED')
    }
    if (verb === 'LIST' && second === 'VAR') return third === ups ? list() : error('UNKNOWN-UPS')
    if (verb === 'GET' && second === 'VAR') return third === ups ? get(fourth ?? '') : error('UNKNOWN-UPS')
    return error('UNKNOWN-COMMAND')
  }

  function list(): Uint8Array[] {
    if (server.refuseWith !== undefined) return error(server.refuseWith)
    return [
      encodeCommand('BEGIN', 'LIST', 'VAR', ups),
      ...[...server.variables].map(([name, value]) => variable(name, value)),
      encodeCommand('END', 'LIST', 'VAR', ups),
    ]
  }

  function get(name: string): Uint8Array[] {
    if (server.refuseWith !== undefined) return error(server.refuseWith)
    const value = server.variables.get(name)
    return value === undefined ? error('VAR-NOT-SUPPORTED') : [variable(name, value)]
  }

  return server
}

const quoted = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&')}"`

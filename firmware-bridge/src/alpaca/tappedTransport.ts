import type { Tap } from '../wire/tap.ts'
import type { AlpacaRequest, AlpacaTransport } from './transport.ts'

/** The same transport, its requests and answers seen by a tap; also why a request came to nothing. */
export function tappedTransport(transport: AlpacaTransport, tap: Pick<Tap, 'note'>): AlpacaTransport {
  return async (request, signal) => {
    tap.note('out', Buffer.from(requestLine(request)))
    try {
      const response = await transport(request, signal)
      tap.note('in', response.bytes)
      return response
    } catch (error) {
      tap.note('in', Buffer.from(`no answer: ${error instanceof Error ? error.message : String(error)}`))
      throw error
    }
  }
}

function requestLine({ method, path, parameters }: AlpacaRequest): string {
  const said = new URLSearchParams(parameters).toString()
  return `${method} ${path}${said === '' ? '' : ` ${said}`}`
}

/** One HTTP request of Alpaca. Parameters go into the query of a GET and into the form body of a PUT. */
export interface AlpacaRequest {
  readonly method: 'GET' | 'PUT'
  /** `/api/v1/telescope/0/slewing` */
  readonly path: string
  readonly parameters: Readonly<Record<string, string>>
  /** What the client would like to get. */
  readonly accept: string
}

export interface AlpacaResponse {
  readonly status: number
  readonly contentType: string
  readonly bytes: Uint8Array
}

/** Carries a request there and back; rejects when it cannot. */
export type AlpacaTransport = (request: AlpacaRequest, signal: AbortSignal) => Promise<AlpacaResponse>

const fixes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the Alpaca server or correct the address',
  ENOTFOUND: 'the host name is unknown: correct it',
  EHOSTUNREACH: 'the host cannot be reached: check the network',
  ECONNRESET: 'it closed the connection',
}

/** Over HTTP: `http://192.168.1.20:11111`. */
export function httpTransport(baseUrl: string): AlpacaTransport {
  return async (request, signal) => {
    const form = new URLSearchParams(request.parameters).toString()
    const isGet = request.method === 'GET'
    const headers = {
      accept: request.accept,
      ...(isGet ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    }
    const url = new URL(`${request.path}${isGet && form !== '' ? `?${form}` : ''}`, baseUrl)
    const response = await fetch(url, {
      method: request.method,
      headers,
      signal,
      redirect: 'error',
      ...(isGet ? {} : { body: form }),
    }).catch((error: unknown) => {
      throw new Error(explain(error), { cause: error })
    })
    return {
      status: response.status,
      contentType: response.headers.get('content-type') ?? '',
      bytes: await readBody(response),
    }
  }
}

/** An image of 61 million pixels is 122 MB, four times that as 32-bit numbers of three colours. */
const mostBodyBytes = 768 * 1024 * 1024

async function readBody(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > mostBodyBytes) throw new Error(`its answer is over ${mostBodyBytes / 2 ** 20} MB`)
    parts.push(part)
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length)
}

/** fetch says only "fetch failed"; why is in its cause. */
function explain(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined
  return fixes[code ?? ''] ?? code ?? (error instanceof Error ? error.message : String(error))
}

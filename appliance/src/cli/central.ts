import { once } from 'node:events'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { startCentral } from '../central/central.ts'
import { ensureCertificate, ensureToken } from '../central/credentials.ts'
import { openOwnDatabase } from '../central/ownDatabase.ts'

export const help = `Usage: nightjar central --data DIR [--host HOST] [--port PORT] [--database URL]

Runs the central catalogue that receives alerts over HTTPS until it is told to stop. Prints one JSON line
{"url","caPath","tokenPath","storage"} when it listens; appliances need these three to send to it.

  --data DIR        keeps the certificate, the token and, unless --database names a server, the catalogue
  --host HOST       name or address to listen on (default 127.0.0.1)
  --port PORT       TCP port (default 8449; 0 lets the system choose)
  --database WHERE  PostgreSQL with q3c, as in postgres://user@host/database; or sqlite. Without it a PostgreSQL of its
                    own in DIR where Debian's postgresql and q3c are installed, else SQLite in DIR`

const defaultPort = 8449

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      data: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: String(defaultPort) },
      database: { type: 'string' },
    },
  })
  if (values.data === undefined) throw new NightjarError('cli/usage', 'name the folder to keep things in: --data DIR')
  const folder = resolve(values.data)
  const { cert, key, caPath } = await ensureCertificate(folder, systemClock, hostsOf(values.host))
  const { token, tokenPath } = await ensureToken(folder)
  const asked = values.database
  await using own = asked === undefined ? await openOwnDatabase(folder, systemClock, say) : undefined
  const database = asked === 'sqlite' ? undefined : (asked ?? own?.url)
  await using central = await startCentral({
    folder,
    host: values.host,
    port: portOf(values.port),
    tls: { cert, key },
    token,
    ...(database !== undefined && { database }),
  })
  console.log(JSON.stringify({ url: central.url, caPath, tokenPath, storage: central.storage.kind }))
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  return 0
}

const say = (words: string): void => console.error(`nightjar: ${words}`)

/** The certificate names this machine's own addresses and the one that it listens on. */
function hostsOf(host: string): string[] {
  const wildcards = ['0.0.0.0', '::']
  return [...new Set(['localhost', '127.0.0.1', '::1', ...(wildcards.includes(host) ? [] : [host])])]
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535 && text.trim() !== '') return port
  throw new NightjarError('cli/usage', `--port must be a number from 0 to 65535, not ${text}`)
}

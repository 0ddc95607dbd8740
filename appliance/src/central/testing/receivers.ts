import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { AlertEnvelope } from '../../contract/alert.ts'
import { sampleSha256 } from '../../store/testing/samples.ts'
import { type Central, startCentral } from '../central.ts'
import { ensureCertificate, ensureToken } from '../credentials.ts'
import { findPostgres } from '../startPostgres.ts'

/** Real receivers for tests. */

export const hasPostgres = findPostgres() !== undefined
if (!hasPostgres)
  console.warn('PostgreSQL with q3c is not installed, its tests are skipped: apt-get install postgresql-15-q3c')

export interface TestCentral extends AsyncDisposable {
  readonly central: Central
  readonly caFile: string
  readonly tokenFile: string
  readonly token: string
  readonly cert: string
}

/** A central on a port of the system's choice, with its own certificate and token in `folder`. */
export async function startTestCentral(folder: string, database?: string, port = 0): Promise<TestCentral> {
  const tls = await ensureCertificate(folder, systemClock)
  const { token, tokenPath } = await ensureToken(folder)
  const central = await startCentral({
    folder: join(folder, 'catalogue'),
    host: '127.0.0.1',
    port,
    tls,
    token,
    ...(database !== undefined && { database }),
  })
  return {
    central,
    caFile: tls.caPath,
    tokenFile: tokenPath,
    token,
    cert: tls.cert,
    [Symbol.asyncDispose]: () => central[Symbol.asyncDispose](),
  }
}

export function sampleEnvelope(change: Partial<AlertEnvelope> = {}): AlertEnvelope {
  return {
    schema: 'nightjar.alert.1',
    eventId: '1'.repeat(64),
    rev: 1,
    site: 'Roof',
    name: 'NJ J004244.32+411607.5',
    observedAtMs: 1_000,
    raDeg: 10.684708,
    decDeg: 41.26875,
    positionErrorArcsec: 0.3,
    filter: 'L',
    scorr: 12,
    fluxAdu: 5_000,
    probability: 0.95,
    class: 'transient',
    model: 'rule-1',
    validatedBy: 'auto:rule-1',
    frameSha256: sampleSha256,
    ...change,
  }
}

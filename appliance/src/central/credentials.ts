import { randomBytes, X509Certificate } from 'node:crypto'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { generate } from 'selfsigned'
import { diskFiles, writeDurably } from '../store/frameFiles.ts'

/** What a central needs to be spoken to in private: its certificate, made on first start, and the token of its appliances. */

const dayMs = 86_400_000
const validDays = 3650

export interface Certificate {
  /** PEM; a client pins it by naming `caPath` as its only authority. */
  readonly cert: string
  readonly key: string
  readonly caPath: string
}

/** The folder's certificate; a new one for these host names and addresses when there is none or it ends within 30 days. */
export async function ensureCertificate(
  folder: string,
  clock: Clock,
  hosts: readonly string[] = ['localhost', '127.0.0.1', '::1'],
): Promise<Certificate> {
  const caPath = join(folder, 'central.crt')
  const keyPath = join(folder, 'central.key')
  if (!(await isGood(caPath, keyPath, clock, hosts))) await makeCertificate(caPath, keyPath, clock, hosts)
  return { cert: await readFile(caPath, 'utf8'), key: await readFile(keyPath, 'utf8'), caPath }
}

/** The folder's token: 256 random bits, made on first start and readable by its owner only. */
export async function ensureToken(folder: string): Promise<{ readonly token: string; readonly tokenPath: string }> {
  const tokenPath = join(folder, 'central.token')
  if (!(await diskFiles.exists(tokenPath))) await writeSecret(tokenPath, `${randomBytes(32).toString('base64url')}\n`)
  return { token: (await readFile(tokenPath, 'utf8')).trim(), tokenPath }
}

async function isGood(caPath: string, keyPath: string, clock: Clock, hosts: readonly string[]): Promise<boolean> {
  if (!(await diskFiles.exists(caPath)) || !(await diskFiles.exists(keyPath))) return false
  const certificate = new X509Certificate(await readFile(caPath))
  const named = (host: string): boolean => Boolean(isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host))
  return hosts.every(named) && Date.parse(certificate.validTo) > clock.now() + 30 * dayMs
}

async function makeCertificate(caPath: string, keyPath: string, clock: Clock, hosts: readonly string[]): Promise<void> {
  const made = await generate([{ name: 'commonName', value: 'Nightjar central catalogue' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // An appliance whose clock is a day behind must not be locked out.
    notBeforeDate: new Date(clock.now() - dayMs),
    notAfterDate: new Date(clock.now() + validDays * dayMs),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: hosts.map(altName) },
    ],
  })
  await diskFiles.remove(caPath)
  await diskFiles.remove(keyPath)
  await writeSecret(keyPath, made.private)
  await writeDurably(caPath, new TextEncoder().encode(made.cert))
}

function altName(host: string): { type: 2; value: string } | { type: 7; ip: string } {
  return isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }
}

async function writeSecret(path: string, text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true, mode: 0o750 })
  await writeDurably(path, new TextEncoder().encode(text))
  await chmod(path, 0o600)
}

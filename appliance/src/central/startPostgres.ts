import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import pg from 'pg'

/**
 * A PostgreSQL server of our own in one folder, on a unix socket that only this user reaches: for tests, and for a central
 * beside a single appliance. As root it runs as the user `postgres`, as PostgreSQL demands, who must be able to reach the
 * folder.
 */

const packages = 'postgresql and postgresql-15-q3c'
const readyMs = 30_000
/** unix(7): `sun_path` has 108 bytes, the last of them 0. */
const socketPathBytes = 107

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** Where Debian keeps the newest PostgreSQL that has q3c; undefined when there is none. */
export function findPostgres(): string | undefined {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return undefined
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a))
  const found = versions.find((version) => existsSync(join(root, version, 'lib/q3c.so')))
  return found && join(root, found, 'bin')
}

/**
 * Starts the server, making its database on first use; resolves once it answers. Throws `postgres/missing` naming the packages, `postgres/failed` with what the server said.
 */
export async function startPostgres(folder: string, clock: Clock): Promise<PostgresServer> {
  const bin = findPostgres()
  if (!bin)
    throw new NightjarError('postgres/missing', `PostgreSQL with q3c is not installed: apt-get install ${packages}`)
  const socket = join(folder, '.s.PGSQL.5432')
  if (Buffer.byteLength(socket) > socketPathBytes)
    throw new NightjarError('postgres/failed', `the path of PostgreSQL's socket is too long: ${socket}`)
  const user = await prepareFolder(folder)
  const data = join(folder, 'data')
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise(bin, data, user)
  const options = ['-D', data, '-c', 'listen_addresses=', '-c', `unix_socket_directories=${folder}`]
  const run = (): ChildProcess =>
    spawnAs(user, join(bin, 'postgres'), [...options, '-c', 'unix_socket_permissions=0700'])
  const url = `postgres://postgres@/postgres?host=${encodeURIComponent(folder)}`
  const server = await untilReady(run, url, clock)
  return { url, pid: server.pid!, [Symbol.asyncDispose]: () => stop(server) }
}

interface User {
  readonly uid: number
  readonly gid: number
}

/** Who runs the server when we are root; undefined when that is ourselves. */
async function serverUser(): Promise<User | undefined> {
  if (userInfo().uid !== 0) return undefined
  const { stdout } = await promisify(execFile)('getent', ['passwd', 'postgres'])
  const [, , uid, gid] = stdout.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** The folder, owned by who will run the server. */
async function prepareFolder(folder: string): Promise<User | undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const user = await serverUser()
  if (user) await chown(folder, user.uid, user.gid)
  return user
}

/** As root: the user `postgres` may pass through this folder of ours to one below it. Does nothing for anybody else. */
export async function letPostgresThrough(folder: string): Promise<void> {
  const user = findPostgres() === undefined ? undefined : await serverUser()
  if (!user) return
  const { uid, mode } = await stat(folder)
  await chown(folder, uid, user.gid)
  await chmod(folder, (mode & 0o7777) | 0o010)
}

async function initialise(bin: string, data: string, user: User | undefined): Promise<void> {
  // Beside, then renamed: a folder that has its name is whole.
  const part = `${data}.part`
  await rm(part, { recursive: true, force: true })
  const args = ['-D', part, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C']
  const child = spawnAs(user, join(bin, 'initdb'), args)
  const said: string[] = []
  child.stderr!.on('data', (chunk) => said.push(String(chunk)))
  const status = await exited(child)
  if (status !== 0) throw new NightjarError('postgres/failed', `initdb: ${said.join('').trim() || `status ${status}`}`)
  // Small: this server shares a mini-PC with a telescope.
  await writeFile(join(part, 'postgresql.auto.conf'), 'shared_buffers = 32MB\nmax_connections = 20\n')
  await rename(part, data)
}

/** The server must not outlive us, however we end: the kernel tells it when its parent dies. */
function spawnAs(user: User | undefined, program: string, args: readonly string[]): ChildProcess {
  const become = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  return spawn('setpriv', [...become, '--pdeathsig=INT', program, ...args], {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  })
}

/**
 * Starts the server again when it ends early: after a kill -9 the memory of the one before may be attached for a moment
 * ("pre-existing shared memory block").
 */
async function untilReady(run: () => ChildProcess, url: string, clock: Clock): Promise<ChildProcess> {
  const deadline = clock.monotonic() + readyMs
  let said: string[] = []
  const start = (): ChildProcess => {
    const child = run()
    said = []
    child.stderr!.on('data', (chunk) => said.push(String(chunk)))
    return child
  }
  let server = start()
  while (!(await answers(url))) {
    if (clock.monotonic() > deadline) {
      server.kill('SIGKILL')
      throw new NightjarError('postgres/failed', `PostgreSQL did not start: ${said.join('').trim().slice(-500)}`)
    }
    await clock.sleep(50)
    if (server.exitCode !== null) server = start()
  }
  return server
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Fast shutdown: running transactions are rolled back, nothing committed is lost. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = exited(server)
  server.kill('SIGINT')
  await gone
}

function exited(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('exit', (status) => resolve(status))
    child.once('error', reject)
  })
}

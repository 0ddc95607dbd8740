import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { createIndiMount } from '@nightjar/firmware-bridge/devices/indiMount.ts'
import type { Mount } from '@nightjar/firmware-bridge/devices/mount.ts'
import { createIndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import { deviceNames } from '../../src/simulation/observatory.ts'
import { simulatedSite } from '../../src/simulation/scenario.ts'

/** The simulated observatory of a running daemon, seen by somebody else. */

/** The child of `daemonPid` that simulates the observatory. */
export function simulatorPid(daemonPid: number): number | undefined {
  const children = textOf(`/proc/${daemonPid}/task/${daemonPid}/children`).trim().split(' ').map(Number)
  return children.find((pid) => textOf(`/proc/${pid}/cmdline`).split('\0').includes('simulate'))
}

/** The port of 127.0.0.1 that a process listens on; proc(5), `/proc/net/tcp`. */
function listeningPort(pid: number): number | undefined {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`)))
  const rows = textOf(`/proc/${pid}/net/tcp`).split('\n').slice(1)
  for (const row of rows) {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/)
    if (state === '0A' && own.has(`socket:[${inode}]`)) return Number.parseInt(local?.split(':')[1] ?? '', 16)
  }
  return undefined
}

/** A second client on the mount of the daemon's simulated observatory: it sees what is, not what the daemon believes. */
export function watchMount(daemonPid: number): AsyncDisposable & { readonly mount: Mount } {
  const pid = simulatorPid(daemonPid)
  const port = pid === undefined ? undefined : listeningPort(pid)
  if (port === undefined) throw new Error(`process ${daemonPid} has no simulated observatory`)
  const random = createRandom('watch')
  const client = createIndiClient(connectTcp({ host: '127.0.0.1', port }), { clock: systemClock, random })
  const site = simulatedSite(systemClock.now())
  const mount = createIndiMount(client, deviceNames.mount, { clock: systemClock, site })
  return {
    mount,
    async [Symbol.asyncDispose]() {
      await mount[Symbol.asyncDispose]()
      await client[Symbol.asyncDispose]()
    },
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

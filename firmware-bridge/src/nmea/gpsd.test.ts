import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createNmeaGpsSimulator } from '../simulators/nmeaGps.ts'
import { servePty } from '../wire/serialServe.ts'

const searched = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
const find = (program: string): string | undefined =>
  searched.map((folder) => join(folder, program)).find((path) => existsSync(path))
const missing = ['gpsd', 'socat'].filter((program) => find(program) === undefined)
if (missing.length > 0) console.log(`skipped: no ${missing.join(', ')} (apt-get install gpsd socat)`)

const stack = new AsyncDisposableStack()
afterEach(() => stack.disposeAsync())

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** gpsd's answers to a watch, one JSON object a line. */
async function watch(port: number, child: ChildProcess): Promise<Record<string, unknown>[]> {
  const heard: Record<string, unknown>[] = []
  const start = clock.monotonic()
  while (child.exitCode === null && clock.monotonic() - start < 5_000) {
    const socket = net.connect({ host: '127.0.0.1', port })
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    if (!open) {
      await clock.sleep(50)
      continue
    }
    stack.defer(() => void socket.destroy())
    let rest = ''
    socket.on('data', (bytes) => {
      const lines = (rest + bytes).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) heard.push(JSON.parse(line) as Record<string, unknown>)
    })
    socket.write('?WATCH={"enable":true,"json":true};\n')
    return heard
  }
  throw new Error('gpsd does not listen')
}

describe.skipIf(missing.length > 0)('our NMEA simulator as the receiver of Debian’s gpsd', () => {
  it('gives it a fix in three dimensions, with our place and time', async () => {
    const place = { latitudeDeg: 47.5, longitudeDeg: -19.25, elevationMetres: 150 }
    const simulator = stack.use(createNmeaGpsSimulator({ clock, ...place }))
    const port = stack.use(await servePty(simulator.accept, clock))
    const tcp = await freePort()
    const child = spawn(find('gpsd')!, ['-N', '-n', '-S', `${tcp}`, port.path], { stdio: 'ignore' })
    stack.defer(() => void child.kill('SIGKILL'))
    const heard = await watch(tcp, child)
    const start = clock.monotonic()
    const fix = (): Record<string, unknown> | undefined =>
      heard.find((one) => one['class'] === 'TPV' && one['mode'] === 3 && one['time'] !== undefined)
    while (!fix() && clock.monotonic() - start < 15_000) await clock.sleep(50)
    const tpv = fix()
    expect(tpv).toMatchObject({ altMSL: 150 })
    expect(tpv?.['lat']).toBeCloseTo(47.5, 6)
    expect(tpv?.['lon']).toBeCloseTo(-19.25, 6)
    expect(Math.abs(Date.parse(String(tpv?.['time'])) - clock.now())).toBeLessThan(20_000)
  })
})

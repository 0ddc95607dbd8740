import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createChronyTimeSource } from '../devices/chronyTimeSource.ts'
import { createGpsd } from '../devices/gpsd.ts'
import { createKernelTimeSource } from '../devices/kernelTimeSource.ts'
import { createRandom } from '../random.ts'
import { startSimulatedNtpServer } from '../simulators/ntpServer.ts'
import { arePresent, freePort, startProgram, until } from '../simulators/realPeers.ts'
import { connectTcp } from '../wire/tcp.ts'

const isRoot = process.getuid?.() === 0
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nightjar-clock-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Debian's chronyd, which with -x never touches the clock. */
const withChrony = arePresent(['chronyd', 'chronyc'], 'chrony')
if (withChrony && !isRoot) console.log('skipped: chronyd only starts as root')

describe.skipIf(!withChrony || !isRoot)('Debian’s chronyd', () => {
  it('measures a server that is a quarter of a second ahead; gone, it is not connected', async () => {
    await using server = await startSimulatedNtpServer({ clock, offsetSeconds: 0.25, rootDispersionSeconds: 0.005 })
    const port = await freePort()
    const file = join(folder, 'chrony.conf')
    const settings = [
      `server 127.0.0.1 port ${server.port} minpoll -4 maxpoll -4 iburst`,
      'bindcmdaddress 127.0.0.1',
      'bindcmdaddress /',
      `cmdport ${port}`,
      'port 0',
      `pidfile ${join(folder, 'chronyd.pid')}`,
    ]
    writeFileSync(file, `${settings.join('\n')}\n`)
    await using chronyd = startProgram('chronyd', ['-x', '-d', '-u', 'root', '-f', file])
    await using source = createChronyTimeSource({ clock, host: '127.0.0.1', port, intervalMs: 100 })
    await until('chronyd answers', () => source.state().connected)
    await until('synchronised', () => source.state().synchronised, 15_000)
    // The bound falls as samples come in.
    await until('a bound', () => (source.state().uncertaintySeconds ?? 1) < 0.1, 15_000)
    const { offsetSeconds = Number.NaN, uncertaintySeconds = Number.NaN, stratum, atMs } = source.state()
    // The system clock is behind the server's: system minus true is negative.
    expect(offsetSeconds).toBeGreaterThan(-0.27)
    expect(offsetSeconds).toBeLessThan(-0.23)
    expect(uncertaintySeconds).toBeGreaterThan(0.005)
    expect(stratum).toBe(2)
    expect(clock.now() - atMs).toBeLessThan(2_000)
    await chronyd.kill()
    await until('not connected', () => !source.state().connected)
    expect(source.state().problem).toMatch(/chronyc/)
  }, 30_000)
})

const withAdjtimex = arePresent(['adjtimex'], 'adjtimex')

describe.skipIf(!withAdjtimex)('Debian’s adjtimex', () => {
  it('tells what the kernel knows of this machine’s clock', async () => {
    await using source = createKernelTimeSource({ clock })
    await until('read', () => source.state().connected)
    expect(source.state().synchronised).toBe(source.state().uncertaintySeconds !== undefined)
  })
})

/** Debian's gpsd with a receiver on a pty. */
const withGpsd = arePresent(['gpsd', 'socat'], 'gpsd socat')

/** An NMEA 0183 sentence with its checksum. */
function sentence(text: string): string {
  const sum = [...text].reduce((before, character) => before ^ character.charCodeAt(0), 0)
  return `$${text}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`
}

/** A fix at 47.5° N 19° E, 200 m, at this time. */
function sentences(utcMs: number): string {
  const [, year, month, day, hour, minute, second] = /(\d\d)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)/.exec(
    new Date(utcMs).toISOString(),
  ) ?? ['']
  const time = `${hour}${minute}${second}.00`
  return [
    `GPGGA,${time},4730.0000,N,01900.0000,E,1,09,0.9,200.0,M,40.0,M,,`,
    'GPGSA,A,3,01,02,03,04,05,06,07,08,09,,,,1.5,0.9,1.2',
    'GPGSV,1,1,02,01,40,083,46,02,17,308,41',
    `GPRMC,${time},A,4730.0000,N,01900.0000,E,000.0,000.0,${day}${month}${year},,,A`,
  ]
    .map(sentence)
    .join('')
}

describe.skipIf(!withGpsd)('Debian’s gpsd', () => {
  it('gives place, time and offset of a receiver that is four seconds ahead; pulled out, it is not connected', async () => {
    const [near, far] = [join(folder, 'near'), join(folder, 'far')]
    await using socat = startProgram('socat', [`pty,raw,echo=0,link=${near}`, `pty,raw,echo=0,link=${far}`])
    await until('a pty', () => existsSync(near) && existsSync(far))
    const port = await freePort()
    await using gpsd = startProgram('gpsd', ['-N', '-n', '-S', String(port), near])
    await using receiver = createGpsd(connectTcp({ host: '127.0.0.1', port }), { clock, random: createRandom(1) })
    const line = openSync(far, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
    const stop = new AbortController()
    const feeding = (async () => {
      while (!stop.signal.aborted) {
        writeSync(line, sentences(Math.floor(clock.now() / 1000) * 1000 + 4_000))
        await clock.sleep(1000 - (clock.now() % 1000), stop.signal).catch(() => undefined)
      }
    })()
    try {
      await until('a fix with time', () => receiver.timeSource.state().connected, 15_000)
      expect(receiver.gps.state()).toMatchObject({
        connected: true,
        fix: '3d',
        latitudeDeg: 47.5,
        longitudeDeg: 19,
        elevationMetres: 200,
      })
      const { offsetSeconds = Number.NaN, synchronised } = receiver.timeSource.state()
      expect(offsetSeconds).toBeGreaterThan(-4.1)
      expect(offsetSeconds).toBeLessThan(-2.5)
      expect(synchronised).toBe(false)
      await gpsd.kill()
      await until('not connected', () => !receiver.gps.state().connected)
      expect(receiver.timeSource.state().connected).toBe(false)
    } finally {
      stop.abort()
      await feeding
      closeSync(line)
      await socat.kill()
    }
  }, 30_000)
})

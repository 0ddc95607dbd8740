import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createNutUps } from '../devices/nutUps.ts'
import type { Ups } from '../devices/ups.ts'
import { createRandom } from '../random.ts'
import { arePresent, freePort, type Program, startProgram, until } from '../simulators/realPeers.ts'
import { connectTcp } from '../wire/tcp.ts'

/** Debian’s upsd and its driver for UPSes that are not there, the real programs. `/usr/sbin/upsd` is a switch around it. */
const upsd = '/lib/nut/upsd'
const driver = '/lib/nut/dummy-ups'
const present = arePresent([upsd, driver], 'nut-server')
const isRoot = process.getuid?.() === 0
if (present && !isRoot) console.log('skipped: only root can tell upsd and dummy-ups to run as root')

describe.skipIf(!present || !isRoot)('Debian’s upsd with dummy-ups', () => {
  let folder = ''
  const running = new Map<string, Program>()
  let port = 0
  let ups: Ups

  function start(program: string, ...argv: string[]): void {
    const environment = { NUT_CONFPATH: folder, NUT_STATEPATH: folder, NUT_ALTPIDPATH: folder }
    running.set(program, startProgram(program, [...argv, '-u', 'root', '-F'], environment))
  }
  async function kill(program: string): Promise<void> {
    await running.get(program)?.kill()
    running.delete(program)
  }
  const setStatus = (status: string): void =>
    writeFileSync(
      join(folder, 'sim.dev'),
      `ups.status: ${status}\nbattery.charge: 77\nbattery.runtime: 1234\nTIMER 1\n`,
    )

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nightjar-nut-'))
    chmodSync(folder, 0o700)
    port = await freePort()
    writeFileSync(
      join(folder, 'ups.conf'),
      `[sim]\ndriver = dummy-ups\npollinterval = 1\nport = ${join(folder, 'sim.dev')}\n`,
    )
    writeFileSync(join(folder, 'upsd.conf'), `LISTEN 127.0.0.1 ${port}\nMAXAGE 4\n`)
    writeFileSync(join(folder, 'upsd.users'), '[watcher]\npassword = sky\nupsmon secondary\n')
    for (const name of ['ups.conf', 'upsd.conf', 'upsd.users']) chmodSync(join(folder, name), 0o640)
    setStatus('OL')
    start(driver, '-a', 'sim')
    await until('the driver’s socket', () => existsSync(join(folder, 'dummy-ups-sim')))
    start(upsd)
    const deps = { clock, random: createRandom(1), pollMs: 200 }
    ups = createNutUps(connectTcp({ host: '127.0.0.1', port }), { ...deps, ups: 'sim' })
    await until('on mains', () => ups.state().connected && ups.state().onMains === true)
  })

  afterAll(async () => {
    await ups?.[Symbol.asyncDispose]()
    for (const program of [...running.keys()]) await kill(program)
    rmSync(folder, { recursive: true, force: true })
  })

  it('tells what its file says', () => {
    expect(ups.state()).toMatchObject({
      onMains: true,
      lowBattery: false,
      chargePercent: 77,
      runtimeSeconds: 1234,
      flags: ['OL'],
    })
    expect(clock.now() - ups.state().atMs).toBeLessThan(2_000)
    expect([...ups.can()]).toEqual(['mains', 'charge', 'runtime'])
  })

  it('loses the mains, has a low battery and gets the mains back', async () => {
    setStatus('OB DISCHRG LB')
    await until('on battery', () => ups.state().onMains === false)
    expect(ups.state()).toMatchObject({ connected: true, lowBattery: true, flags: ['OB', 'DISCHRG', 'LB'] })
    setStatus('OL CHRG')
    await until('on mains', () => ups.state().onMains === true)
    expect(ups.state().lowBattery).toBe(false)
  })

  it('is not connected while the driver is dead', async () => {
    await kill(driver)
    await until('not connected', () => !ups.state().connected)
    expect(ups.state().problem).toMatch(/has no driver for this UPS|has no fresh data/)
    start(driver, '-a', 'sim')
    await until('connected again', () => ups.state().connected, 15_000)
  }, 20_000)

  it('does not know another name, and does not take a wrong password', async () => {
    const connect = connectTcp({ host: '127.0.0.1', port })
    const deps = { clock, random: createRandom(2), pollMs: 200 }
    await using other = createNutUps(connect, { ...deps, ups: 'nowhere' })
    await until('unknown', () => other.state().problem?.includes('does not know a UPS') === true)
    await using known = createNutUps(connect, { ...deps, ups: 'sim', username: 'watcher', password: 'sky' })
    await until('logged in', () => known.state().connected)
    await using stranger = createNutUps(connect, { ...deps, ups: 'sim', username: 'watcher', password: 'dark' })
    await until('refused', () => stranger.state().problem?.includes('upsd.users') === true)
  })

  it('is not connected while upsd is dead, and comes back with it', async () => {
    await kill(upsd)
    await until('not connected', () => !ups.state().connected)
    expect(ups.state().problem).toBeTruthy()
    start(upsd)
    await until('connected again', () => ups.state().connected, 20_000)
  }, 25_000)
})

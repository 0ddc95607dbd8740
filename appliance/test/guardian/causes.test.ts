import { mkdirSync, statSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { createSimulatedNutServer } from '@nightjar/firmware-bridge/simulators/nutServer.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GuardianConfigFile, guardianPaths, writeGuardianConfig } from '../../src/guardian/config.ts'
import { connectGuardian } from '../../src/guardian/link.ts'
import { isRunning, killProcess } from '../../src/guardian/processes.ts'
import { keepGuardian, startGuardian } from '../../src/guardian/start.ts'
import {
  closeCommands,
  closedAfterTelescope,
  configFor,
  guard,
  isRoofClosed,
  type Observatory,
  open,
  parkCommands,
  startDaemon,
  startObservatory,
  temporaryFolder,
  until,
} from './processes.ts'

/** One site each, so that all can be played at the same time. */
const sites = {
  leaves: 0,
  leavesOpen: 1,
  rain: 2,
  deaf: 3,
  mains: 4,
  restarted: 5,
  alone: 6,
  refuses: 7,
  anyway: 8,
  jammed: 9,
  stuck: 10,
  hungGuardian: 11,
  told: 12,
  settings: 13,
} as const

describe.concurrent('a guardian in its own process', () => {
  const stack = new AsyncDisposableStack()
  let observatory: Observatory
  let folder: string

  beforeAll(async () => {
    folder = temporaryFolder(stack)
    observatory = stack.use(await startObservatory(folder, Object.keys(sites).length))
  })
  afterAll(() => stack.disposeAsync())

  function config(which: number, policy: GuardianConfigFile['policy'] = {}): GuardianConfigFile {
    const own = join(folder, `${which}`)
    mkdirSync(own, { recursive: true })
    return configFor(observatory, which, own, policy)
  }

  function withStation(which: number, policy: GuardianConfigFile['policy'] = {}): GuardianConfigFile {
    const server = { path: observatory.socketPath }
    const station = { kind: 'indiWeather', server, device: `Station ${which}`, closeOnDanger: true } as const
    return { ...config(which, policy), inputs: [{ ...station, limitMs: 1_500, required: true }] }
  }

  const events = (guardian: { journal(): { event: string }[] }, event: string) =>
    guardian.journal().filter((entry) => entry.event === event)

  it('ends by itself when the daemon has left with the mount parked and the roof closed', async () => {
    const guardian = await guard(stack, config(sites.leaves))
    const daemon = await startDaemon(stack, config(sites.leaves).folder)
    await until(() => daemon.latest()?.roof?.position === 'closed' && daemon.latest()?.mountDown === true, 'all down')
    daemon.signal('SIGTERM')
    await until(() => !isRunning(guardian), 'the end of the guardian')
    expect(guardian.journal().at(-1)).toMatchObject({ event: 'guardian.ended' })
    expect(closeCommands(observatory, sites.leaves)).toEqual([])
  })

  it('closes and then ends when the daemon has left the roof open', async () => {
    const guardian = await guard(stack, config(sites.leavesOpen))
    const daemon = await startDaemon(stack, config(sites.leavesOpen).folder)
    await open(observatory, sites.leavesOpen, 'unparked')
    await until(() => daemon.latest()?.roof?.position === 'open', 'an open roof')
    const atMs = clock.now()
    daemon.signal('SIGTERM')
    await until(() => !isRunning(guardian), 'the end of the guardian')
    // The tape comes through a pipe, which a busy machine reads later.
    await until(() => isRoofClosed(observatory, sites.leavesOpen, atMs), 'the closed roof on the tape')
    expect(closedAfterTelescope(observatory, sites.leavesOpen, true)).toBe(true)
  })

  it('closes in rain though the daemon is well, and does not let it open before its time', async () => {
    await guard(stack, withStation(sites.rain))
    const daemon = await startDaemon(stack, config(sites.rain).folder)
    await open(observatory, sites.rain, 'unparked')
    await until(() => daemon.latest()?.mayOpen === true, 'a station that is heard')
    const atMs = clock.now()
    observatory.break(sites.rain, { raining: true })
    await until(() => isRoofClosed(observatory, sites.rain, atMs), 'the closed roof')
    expect(closedAfterTelescope(observatory, sites.rain, true)).toBe(true)
    observatory.break(sites.rain, { raining: false })
    await until(() => daemon.latest()?.causes.length === 0, 'the end of the rain')
    expect(daemon.latest()).toMatchObject({ phase: 'watching', mayOpen: false })
  })

  it('closes when the station has been silent for longer than its limit', async () => {
    const guardian = await guard(stack, withStation(sites.deaf))
    const daemon = await startDaemon(stack, config(sites.deaf).folder)
    await open(observatory, sites.deaf, 'unparked')
    await until(() => daemon.latest()?.mayOpen === true, 'a station that is heard')
    const atMs = clock.now()
    observatory.break(sites.deaf, { deaf: true })
    await until(() => isRoofClosed(observatory, sites.deaf, atMs), 'the closed roof')
    expect(JSON.stringify(events(guardian, 'causes'))).toContain('Station 3 is silent')
  })

  it('closes when the mains have been lost for longer than the limit', async () => {
    const upsd = createSimulatedNutServer({ ups: 'roof' })
    const server = net.createServer((socket) =>
      upsd.accept((handlers) => {
        socket.on('data', (bytes) => handlers.onBytes(bytes))
        socket.on('error', () => undefined)
        socket.on('close', () => handlers.onClose('closed'))
        return {
          name: 'upsd',
          write: async (bytes) => void socket.write(bytes),
          pause: () => undefined,
          resume: () => undefined,
          close: async () => void socket.destroy(),
        }
      }),
    )
    const path = join(folder, 'upsd.sock')
    await new Promise<void>((resolve) => server.listen({ path }, resolve))
    stack.defer(() => void server.close())
    const inputs = [{ kind: 'nut', server: { path }, ups: 'roof', limitMs: 10_000, required: true }] as const
    const guardian = await guard(stack, { ...config(sites.mains, { mainsLimitMs: 500 }), inputs })
    const daemon = await startDaemon(stack, config(sites.mains).folder)
    await open(observatory, sites.mains, 'parked')
    await until(() => daemon.latest()?.mayOpen === true, 'a supply that is heard')
    const atMs = clock.now()
    upsd.variables.set('ups.status', 'OB DISCHRG')
    await until(() => isRoofClosed(observatory, sites.mains, atMs), 'the closed roof')
    expect(JSON.stringify(events(guardian, 'causes'))).toContain('the mains are lost')
  })

  it('that was killed and started anew leaves the roof open while the daemon beats', async () => {
    const first = await guard(stack, config(sites.restarted))
    const daemon = await startDaemon(stack, config(sites.restarted).folder)
    await open(observatory, sites.restarted, 'unparked')
    killProcess(first)
    const second = await guard(stack, config(sites.restarted))
    await until(() => daemon.latest()?.pid === second.pid && daemon.latest()?.roof?.position === 'open', 'the new one')
    expect(daemon.latest()).toMatchObject({ phase: 'watching', mountDown: false })
    expect(closeCommands(observatory, sites.restarted)).toEqual([])
    expect(statSync(guardianPaths(join(folder, `${sites.restarted}`)).socket).mode & 0o777).toBe(0o600)
  })

  it('that finds the roof open and no daemon waits its time, and closes', async () => {
    const first = await guard(stack, config(sites.alone))
    await open(observatory, sites.alone, 'unparked')
    killProcess(first)
    const atMs = clock.now()
    await guard(stack, config(sites.alone, { startGraceMs: 1_500 }))
    await until(() => isRoofClosed(observatory, sites.alone, atMs), 'the closed roof')
    expect(closeCommands(observatory, sites.alone)[0]?.atMs).toBeGreaterThan(atMs + 1_500)
    expect(closedAfterTelescope(observatory, sites.alone, true)).toBe(true)
  })

  it('does not close over a mount that refuses to park: it asks again and raises the alarm', async () => {
    const policy = { parkRepeatMs: 1_000, parkPatienceMs: 2_000 }
    const guardian = await guard(stack, config(sites.refuses, policy))
    const daemon = await startDaemon(stack, config(sites.refuses).folder)
    await open(observatory, sites.refuses, 'unparked')
    observatory.break(sites.refuses, { refusesPark: true })
    daemon.signal('SIGKILL')
    await until(() => events(guardian, 'alarm').length > 0, 'the alarm')
    expect(parkCommands(observatory, sites.refuses).length).toBeGreaterThan(1)
    expect(closeCommands(observatory, sites.refuses)).toEqual([])
    observatory.break(sites.refuses, { refusesPark: false })
    await until(() => isRoofClosed(observatory, sites.refuses, 0), 'the closed roof')
    expect(closedAfterTelescope(observatory, sites.refuses, true)).toBe(true)
  })

  it('closes over a mount that refuses to park only in rain, where the site says so, and after the wait', async () => {
    const guardian = await guard(stack, withStation(sites.anyway, { closeAnywayAfterMs: 2_000 }))
    const daemon = await startDaemon(stack, config(sites.anyway).folder)
    await open(observatory, sites.anyway, 'unparked')
    await until(() => daemon.latest()?.mayOpen === true, 'a station that is heard')
    const atMs = clock.now()
    observatory.break(sites.anyway, { refusesPark: true, raining: true })
    await until(() => isRoofClosed(observatory, sites.anyway, atMs), 'the closed roof')
    expect(closeCommands(observatory, sites.anyway, atMs)[0]?.atMs).toBeGreaterThan(atMs + 2_000)
    expect(JSON.stringify(events(guardian, 'action'))).toContain('close the roof over a mount that does not park')
  })

  it('repeats the command to a roof that is stuck half way, until it reads closed', async () => {
    await guard(stack, config(sites.jammed, { closeRepeatMs: 1_000, failedRepeatMs: 700 }))
    const daemon = await startDaemon(stack, config(sites.jammed).folder)
    await open(observatory, sites.jammed, 'parked')
    observatory.break(sites.jammed, { jammed: true })
    const atMs = clock.now()
    daemon.signal('SIGKILL')
    await until(() => closeCommands(observatory, sites.jammed, atMs).length >= 3, 'three close commands')
    expect(isRoofClosed(observatory, sites.jammed, atMs)).toBe(false)
    observatory.break(sites.jammed, { jammed: false })
    await until(() => isRoofClosed(observatory, sites.jammed, atMs), 'the closed roof')
  })

  it('closes when the daemon beats but its work stands still', async () => {
    const guardian = await guard(stack, config(sites.stuck, { healthLimitMs: 1_500 }))
    const daemon = await startDaemon(stack, config(sites.stuck).folder, 'stuck')
    await open(observatory, sites.stuck, 'unparked')
    const atMs = clock.now()
    await until(() => isRoofClosed(observatory, sites.stuck, atMs), 'the closed roof')
    expect(JSON.stringify(events(guardian, 'causes'))).toContain("the daemon's work stands still")
    await until(() => daemon.latest()?.phase === 'down', 'the guardian at rest')
  })

  it('that hangs is seen by the daemon, ended and replaced', async () => {
    const own = config(sites.hungGuardian)
    const guardian = await guard(stack, own)
    const link = stack.use(
      connectGuardian({
        socketPath: guardianPaths(own.folder).socket,
        clock,
        random: createRandom(3),
        health: clock.now,
      }),
    )
    await until(() => link.state().alive, 'a first answer')
    expect(await startGuardian(own, clock)).toEqual({ started: false })
    process.kill(guardian.pid, 'SIGSTOP')
    const startMs = clock.monotonic()
    await until(() => !link.state().alive, 'its silence')
    expect(clock.monotonic() - startMs).toBeLessThan(2_500)
    const stop = new AbortController()
    const attempts: string[] = []
    const kept = keepGuardian({ config: own, link, clock, onAttempt: ({ text }) => attempts.push(text) }, stop.signal)
    await until(() => link.state().alive && link.state().status?.pid !== guardian.pid, 'another guardian', 15_000)
    stop.abort()
    await kept
    expect(attempts[0]).toMatch(/^a guardian that hung was ended; started as process \d+$/)
    const { status } = link.state()
    stack.defer(() => void (status && killProcess(status)))
  })

  it('that is told to stop closes first', async () => {
    const guardian = await guard(stack, config(sites.told))
    await startDaemon(stack, config(sites.told).folder)
    await open(observatory, sites.told, 'unparked')
    const atMs = clock.now()
    process.kill(guardian.pid, 'SIGTERM')
    await until(() => !isRunning(guardian), 'the end of the guardian')
    expect(isRoofClosed(observatory, sites.told, atMs)).toBe(true)
    expect(closedAfterTelescope(observatory, sites.told, true)).toBe(true)
  })

  it('takes new settings by itself, and keeps the old ones when the new are wrong', async () => {
    const own = config(sites.settings)
    const guardian = await guard(stack, own)
    const daemon = await startDaemon(stack, own.folder)
    writeGuardianConfig(withStation(sites.settings))
    await until(() => daemon.latest()?.inputs.length === 1, 'the station of the new settings')
    await until(() => daemon.latest()?.inputs[0]?.ageMs !== null, 'its first reading')
    expect(events(guardian, 'settings.changed')).toHaveLength(1)
    expect(() => writeGuardianConfig({ ...own, policy: { beatLimitMs: 60_000 } })).toThrow(
      /must be a number from 700 to 2000/,
    )
  })
})

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { defaultBackoff } from '@nightjar/firmware-bridge/wire/reconnect.ts'
import { connectTcp } from '@nightjar/firmware-bridge/wire/tcp.ts'
import type { Connect } from '@nightjar/firmware-bridge/wire/wire.ts'
import { describe, expect, it } from 'vitest'
import { type Child, startChild } from '../../src/cli/children.ts'
import { defaultSettings } from '../../src/contract/config.ts'
import type { EventType, JournalEvent } from '../../src/contract/events.ts'
import { startDaemon } from '../../src/daemon.ts'
import { offloadToWorker } from '../../src/frames/offload.ts'
import { openStarCatalogue } from '../../src/observations/starCatalogue.ts'
import { openHardware } from '../../src/observatory/openHardware.ts'
import { deviceNames, simulatedDevices, simulatedGate } from '../../src/simulation/observatory.ts'
import { type Scenario, simulatedField, simulatedSite } from '../../src/simulation/scenario.ts'
import { listFiles } from '../../src/store/frameFiles.ts'
import { openStore } from '../../src/store/openStore.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

const patienceMs = 30_000
/** Tests do not wait half a minute for the next attempt to connect. */
const backoff = { ...defaultBackoff, longestMs: 1_000 }
/** An exposure of 20 s takes one. */
const timeFactor = '0.05'

let last = (): string => ''
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = clock.monotonic() + patienceMs
  while (!condition()) {
    if (clock.monotonic() > deadline) throw new Error(`waited ${patienceMs / 1000} s for ${what}; ${last()}`)
    await clock.sleep(5)
  }
}

/** The program that simulates the observatory; dies by SIGKILL and starts again on the same port. */
async function startObservatory(scenario: Scenario) {
  let port = '0'
  let child: Child
  const start = async (): Promise<void> => {
    const json = JSON.stringify(scenario)
    const options = ['--scenario', json, '--size', '768', '--time-factor', timeFactor, '--port', port]
    child = await startChild(['simulate', ...options])
    port = String(child.said['address']).split(':')[1] ?? ''
  }
  await start()
  let dead = false
  /** Called with the bytes of each chunk from the program. */
  let onChunk: (bytes: Uint8Array) => void = () => undefined
  /** What a dead machine had not sent does not come later. */
  const connect: Connect = (handlers, signal) => {
    let cut = false
    const pass = (bytes: Uint8Array): void => {
      onChunk(bytes)
      cut ||= dead
      if (!cut) handlers.onBytes(bytes)
    }
    return connectTcp({ host: '127.0.0.1', port: Number(port) })({ ...handlers, onBytes: pass }, signal)
  }
  return {
    connect,
    kill() {
      dead = true
      process.kill(child.pid, 'SIGKILL')
    },
    /** Dies with the first tenth of a frame sent; the whole is 1.6 MB. */
    async killInBlob() {
      const sent = Promise.withResolvers<void>()
      let received = 0
      onChunk = (bytes) => {
        if (received === 0 && !Buffer.from(bytes).includes('<oneBLOB')) return
        received += bytes.length
        if (received < 160_000) return
        onChunk = () => undefined
        this.kill()
        sent.resolve()
      }
      await sent.promise
    },
    async restart() {
      await until('the death of the simulator', () => !existsSync(`/proc/${child.pid}/exe`))
      dead = false
      await start()
    },
    [Symbol.asyncDispose]: async () => child[Symbol.asyncDispose](),
  }
}

function settingsOf({ site, field }: Scenario) {
  return {
    ...defaultSettings,
    site,
    fields: [field],
    calibration: { biasFrames: 3, darkFrames: 3, flatFrames: 0, flatSeconds: 1 },
    devices: simulatedDevices,
    gate: { ...simulatedGate, disk: { minFreeBytes: 0 } },
  }
}

const threeOf = (type: string): string[] => Array.from({ length: 3 }, () => type)

describe('an INDI server that is killed', () => {
  it('in mid-exposure, mid-BLOB and mid-slew costs the frame under way and nothing else; the night goes on', async () => {
    using folder = temporaryFolder()
    const site = simulatedSite(clock.now())
    const field = simulatedField(site, clock.now(), 20, openStarCatalogue())
    const never = { epochMs: clock.now(), everySeconds: 1, count: 0, raDeg: 0, decDeg: 0, radiusDeg: 1 }
    const scenario: Scenario = { seed: 7, site, field, transients: { ...never, peakMag: [14, 15] } }
    await using observatory = await startObservatory(scenario)
    const settings = settingsOf(scenario)
    await using hardware = await openHardware({
      devices: settings.devices,
      site,
      clock,
      random: createRandom('deaths'),
      arcsecPerPixel: 2,
      backoff,
      simulated: { connect: observatory.connect, names: deviceNames },
    })
    const { mount, camera } = hardware.devices
    const daemon = await startDaemon({
      folder: folder.path,
      settings,
      clock,
      random: createRandom('forwarding'),
      hardware,
      offload: offloadToWorker(1, clock),
      destinations: [],
      simulated: true,
    })
    const { store, night } = daemon
    last = () =>
      JSON.stringify(
        [
          night.phase,
          night.doing,
          store
            .events(0, 100_000)
            .slice(-25)
            .map(({ type, body }) => [type, body]),
        ],
        null,
        1,
      )
    const events = (): JournalEvent[] => store.events(0, 100_000)
    const of = <T extends EventType>(type: T) =>
      events().filter((event): event is Extract<JournalEvent, { type: T }> => event.type === type)
    const captured = (type: string): number => of('frame.captured').filter(({ body }) => body.type === type).length
    const recoveries: string[] = []

    /** Waits for the death, brings it back, and waits for the next frame of the kind that was under way. */
    async function recover(where: string, type: 'dark' | 'light', lostFrames: number): Promise<void> {
      const diedAtMs = clock.monotonic()
      const [before, failures] = [captured(type), of('exposure.failed').length]
      await until(`the loss ${where}`, () => !camera.state().connected && !mount.state().connected)
      await observatory.restart()
      await until(`a frame after the death ${where}`, () => captured(type) > before)
      const seconds = ((clock.monotonic() - diedAtMs) / 1000).toFixed(1)
      recoveries.push(`${where}: next frame ${seconds} s after the kill`)
      expect(of('exposure.failed').length - failures).toBe(lostFrames)
      expect(night.phase).toBe(type === 'dark' ? 'calibrating' : 'observing')
    }

    const exposing = (type: string): boolean =>
      of('exposure.started').at(-1)?.body.type === type && (camera.state().remainingSeconds ?? 0) > 5

    try {
      expect(await daemon.startNight('test')).toEqual({ ok: true })
      await until('a dark', () => exposing('dark'))
      observatory.kill()
      await recover('in mid-exposure of a dark', 'dark', 1)

      await until('a light', () => exposing('light'))
      observatory.kill()
      await recover('in mid-exposure of a light', 'light', 1)

      await observatory.killInBlob()
      await recover('in mid-BLOB of a light', 'light', 1)

      await until('a light', () => exposing('light'))
      observatory.kill()
      await until('the loss', () => !mount.state().connected)
      await observatory.restart()
      await until('the slew back', () => mount.state().slewing)
      observatory.kill()
      await recover('in mid-slew', 'light', 0)

      expect(await daemon.stopNight('test')).toEqual({ ok: true })
      expect(mount.state()).toMatchObject({ connected: true, parked: true })
      await daemon.idle()
    } finally {
      await daemon[Symbol.asyncDispose]()
    }
    using reopened = openStore(folder.path)
    const after = reopened.events(0, 100_000)
    const frames = after.filter((event) => event.type === 'frame.captured').map(({ body }) => body)
    // No frame of the plan is missing, none is there twice.
    expect(frames.filter(({ type }) => type !== 'light').map(({ type }) => type)).toEqual([
      ...threeOf('bias'),
      ...threeOf('dark'),
    ])
    for (const key of ['frameId', 'path', 'sha256'] as const)
      expect(new Set(frames.map((frame) => frame[key])).size).toBe(frames.length)
    expect(listFiles(join(folder.path, 'frames')).map((name) => `frames/${name}`)).toEqual(
      frames.map(({ path }) => path).sort(),
    )
    for (const type of ['device.disconnected', 'device.connected', 'device.recovered'])
      expect(after.some((event) => event.type === type)).toBe(true)
    expect(after.some((event) => event.type === 'device.givenUp')).toBe(false)
    expect(await reopened.verify()).toMatchObject({ ok: true, problems: [], orphans: [] })
    console.log(recoveries.join('\n'))
  }, 180_000)
})

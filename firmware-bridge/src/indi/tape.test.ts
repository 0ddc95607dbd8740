import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { separationDeg } from '../devices/epoch.ts'
import { createIndiCamera } from '../devices/indiCamera.ts'
import { createIndiMount } from '../devices/indiMount.ts'
import { createRandom } from '../random.ts'
import { parseTape, replayTape } from '../wire/tape.ts'
import { type ClientEvent, createIndiClient } from './client.ts'

/** Debian's indiserver 1.9.9 with its telescope and camera simulators, recorded by recordSimulators.ts. */
const tape = parseTape(readFileSync(new URL('../../tapes/indi-simulators-1.9.9.jsonl', import.meta.url), 'utf8'))

describe('the tape of Debian’s simulators', () => {
  it('plays the session again: every property, one frame, one slew, and not one fault', async () => {
    const clock = new VirtualClock(tape.startedAtMs)
    const events: ClientEvent[] = []
    await using client = createIndiClient(replayTape(tape, clock), { clock, random: createRandom(1) })
    client.listen((event) => void events.push(event))
    const camera = createIndiCamera(client, 'CCD Simulator', { clock })
    const mount = createIndiMount(client, 'Telescope Simulator', { clock })
    await clock.advance((tape.closed?.ms ?? 0) - 1)

    expect(events.filter((event) => event.type === 'fault')).toEqual([])
    const sizes = [...client.state.devices].map(([device, properties]) => [device, properties.size])
    // A survey of the same version with another client counted 42 of the telescope and 65 of the camera.
    expect(Object.fromEntries(sizes)).toEqual({ 'Telescope Simulator': 42, 'CCD Simulator': 65 })
    expect(camera.state()).toMatchObject({
      connected: true,
      widthPixels: 64,
      heightPixels: 64,
      pixelSizeMicrons: 5.199999809265137,
    })
    expect(mount.state()).toMatchObject({ connected: true, tracking: true, parked: false, slewing: false })
    expect(separationDeg(mount.state(), { raDeg: mount.state().raDeg, decDeg: 88 })).toBeLessThan(0.001)

    const frames = events.filter((event) => event.type === 'blob')
    expect(frames).toHaveLength(1)
    const header = Buffer.from(frames[0]!.blobs[0]!.bytes).toString('latin1', 0, 2880)
    expect(header).toMatch(/NAXIS1 {2}= +64 /)
    expect(header).toMatch(/EXPTIME = +1\./)
  })

  it('ends where the recording ended', async () => {
    const clock = new VirtualClock(tape.startedAtMs)
    const reasons: string[] = []
    await replayTape(tape, clock)({ onBytes: () => undefined, onClose: (reason) => void reasons.push(reason) })
    await clock.advance(60_000)
    expect(reasons).toEqual(['closed'])
  })
})

import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { createSimulatedPhd2, type SimulatedPhd2Options } from '../simulators/phd2.ts'
import { memoryConnect } from '../wire/memory.ts'
import type { Connect, Wire } from '../wire/wire.ts'
import { createPhd2Guider, phd2GuiderCard } from './phd2Guider.ts'

const settle = { pixels: 0.5, seconds: 5, timeoutSeconds: 40 }

async function setUp(options: Partial<SimulatedPhd2Options> = {}) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const phd2 = createSimulatedPhd2({ clock, random: createRandom(3), pixelScaleArcsec: 2.5, ...options })
  const wires: Wire[] = []
  const written: string[] = []
  const inner = memoryConnect((open) => phd2.accept(open))
  const connect: Connect = async (handlers, signal) => {
    const wire = await inner(handlers, signal)
    wires.push(wire)
    return {
      ...wire,
      write(bytes) {
        written.push(Buffer.from(bytes).toString())
        return wire.write(bytes)
      },
    }
  }
  const guider = createPhd2Guider(connect, { clock, random: createRandom(4) })
  await clock.advance(100)
  return { clock, phd2, guider, wires, written }
}

describe('PHD2 as the guider', () => {
  it('connects its equipment, calibrates, guides and settles, and tells the root mean square', async () => {
    const { clock, phd2, guider } = await setUp()
    await using _ = guider
    expect(guider.state()).toMatchObject({
      source: 'PHD2 2.6.13',
      connected: false,
      problem: expect.stringContaining('not connected') as string,
      activity: 'stopped',
    })
    expect([...guider.can()]).toEqual([...phd2GuiderCard.can])
    const guiding = guider.guide(settle)
    await clock.advance(2_000)
    expect(guider.state().activity).toBe('calibrating')
    await clock.advance(4_000)
    expect(guider.state().activity).toBe('settling')
    expect(await clock.run(guiding)).toEqual({ ok: true })
    await clock.advance(120_000)
    const { rmsArcsec = 0, activity, connected, atMs } = guider.state()
    expect({ activity, connected }).toEqual({ activity: 'guiding', connected: true })
    expect(clock.now() - atMs).toBeLessThanOrEqual(1_000)
    // Seeing of 0.2 px on each axis, 2.5″ a pixel: √2 · 0.5″.
    expect(rmsArcsec).toBeGreaterThan(0.6)
    expect(rmsArcsec).toBeLessThan(0.82)
    expect(phd2.appState).toBe('Guiding')
  })

  it('dithers and settles, and stops', async () => {
    const { clock, guider } = await setUp({ calibrated: true })
    await using _ = guider
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: true })
    const before = clock.now()
    expect(await clock.run(guider.dither(8, settle))).toEqual({ ok: true })
    expect(clock.now() - before).toBeGreaterThanOrEqual(5_000)
    expect(await clock.run(guider.stop())).toEqual({ ok: true })
    expect(guider.state().activity).toBe('stopped')
    expect(await clock.run(guider.dither(8, settle))).toEqual({
      ok: false,
      reason: 'PHD2: cannot dither if not guiding',
    })
  })

  it('fails as a value when the star does not settle, with PHD2’s own words', async () => {
    const { clock, phd2, guider } = await setUp({ calibrated: true })
    await using _ = guider
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: true })
    phd2.clouded = true
    await clock.advance(2_000)
    expect(guider.state().activity).toBe('lost')
    phd2.clouded = false
    await clock.advance(2_000)
    expect(guider.state().activity).toBe('guiding')
    const dither = guider.dither(5, settle)
    phd2.clouded = true
    expect(await clock.run(dither)).toEqual({ ok: false, reason: 'PHD2: timed-out waiting for guider to settle' })
  })

  it('fails when the calibration fails, when the camera is off, and when somebody stops PHD2', async () => {
    const { clock, phd2, guider } = await setUp()
    await using _ = guider
    phd2.powered = false
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: false, reason: 'PHD2: camera connect failed' })
    phd2.powered = true
    phd2.clouded = true
    expect(await clock.run(guider.guide(settle))).toMatchObject({
      ok: false,
      reason: 'the calibration failed: Lost star',
    })
    phd2.clouded = false
    const guiding = guider.guide(settle)
    await clock.advance(6_000)
    const stopped = guider.stop()
    expect(await clock.run(stopped)).toEqual({ ok: true })
    expect(await guiding).toEqual({ ok: false, reason: 'guiding was stopped' })
  })

  it('loses a settling with the connection, comes back, and knows that PHD2 has gone on guiding', async () => {
    const { clock, guider, wires } = await setUp({ calibrated: true })
    await using _ = guider
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: true })
    const dither = guider.dither(5, settle)
    await clock.advance(500)
    await wires[0]!.close()
    expect(await dither).toEqual({ ok: false, reason: 'the connection to PHD2 was lost' })
    expect(guider.state()).toMatchObject({ connected: false, activity: 'unknown' })
    await clock.advance(30_000)
    expect(guider.state()).toMatchObject({ connected: true, activity: 'guiding' })
  })

  it('is not connected when PHD2 hangs, and leaves it within the deadline of a request', async () => {
    const { clock, phd2, guider, wires } = await setUp({ calibrated: true })
    await using _ = guider
    phd2.mute = true
    expect(await clock.run(guider.guide(settle))).toMatchObject({ ok: false })
    await clock.advance(20_000)
    expect(guider.state().connected).toBe(false)
    expect(wires.length).toBeGreaterThan(1)
  })

  it('never has two requests under way: PHD2 would drop the second', async () => {
    const { clock, guider, written } = await setUp({ calibrated: true })
    await using _ = guider
    const first = guider.guide(settle)
    const second = guider.guide(settle)
    expect(await clock.run(second)).toEqual({ ok: true })
    expect(await first).toEqual({ ok: false, reason: 'guiding was started anew' })
    expect(written.every((text) => text.split('\r\n').length === 2)).toBe(true)
  })

  it('repeats PHD2’s alerts until guiding starts again', async () => {
    const { clock, phd2, guider } = await setUp({ calibrated: true })
    await using _ = guider
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: true })
    phd2.alert('The mount does not move', 'error')
    await clock.advance(1)
    expect(guider.state()).toMatchObject({ connected: true, problem: 'The mount does not move' })
    expect(await clock.run(guider.guide(settle))).toEqual({ ok: true })
    expect(guider.state().problem).toBeUndefined()
  })
})

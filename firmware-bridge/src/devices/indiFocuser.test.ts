import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createIndiClient } from '../indi/client.ts'
import { createIndiServer } from '../indi/server.ts'
import { createRandom } from '../random.ts'
import { createSimulatedFocuser } from '../simulators/focuser.ts'
import { memoryConnect } from '../wire/memory.ts'
import { createIndiFocuser } from './indiFocuser.ts'

describe('an INDI focuser', () => {
  it('moves to a position, refuses one that it does not have, and stops', async () => {
    const clock = new VirtualClock(0)
    const server = createIndiServer([createSimulatedFocuser({ clock, startSteps: 50_000 }).device])
    await using client = createIndiClient(memoryConnect(server.accept), { clock, random: createRandom(1) })
    const focuser = createIndiFocuser(client, 'Focuser Simulator')
    await clock.advance(1_000)
    expect(focuser.state()).toMatchObject({ connected: true, moving: false, positionSteps: 50_000, maxSteps: 100_000 })
    expect(await clock.run(focuser.moveTo(30_000))).toEqual({ ok: true })
    expect(focuser.state().positionSteps).toBe(30_000)
    expect(await focuser.moveTo(100_001)).toMatchObject({ ok: false })
    const move = focuser.moveTo(90_000)
    await clock.advance(500)
    expect(focuser.state().moving).toBe(true)
    await clock.run(focuser.abort())
    expect(await move).toEqual({ ok: false, reason: 'aborted: the motion was aborted' })
    expect(focuser.state().moving).toBe(false)
  })
})

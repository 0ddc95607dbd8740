import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { createSafetyController } from '../devices/safetyController.ts'
import { createRandom } from '../random.ts'
import { parseTape, replayTape } from '../wire/tape.ts'
import { nightSeed, nightStartMs, playNight } from './night.ts'

/** The firmware 1.0.0 in simavr, recorded by recordFirmware.ts. */
const tape = parseTape(readFileSync(new URL('../../tapes/safety-controller-1.0.0.jsonl', import.meta.url), 'utf8'))

describe('the tape of the safety controller’s firmware', () => {
  it('plays the night again, and every byte that we say is the recorded one', async () => {
    const clock = new VirtualClock(nightStartMs)
    const reasons: string[] = []
    const connect = replayTape(tape, clock, { mode: 'matched' })
    const controller = createSafetyController(
      (handlers, signal) =>
        connect(
          {
            ...handlers,
            onClose(reason) {
              reasons.push(reason)
              handlers.onClose(reason)
            },
          },
          signal,
        ),
      { clock, random: createRandom(nightSeed) },
    )
    const story = await playNight(controller, { pass: (ms) => clock.advance(ms), world: () => undefined })
    expect(story).toEqual([
      'roof closed, safe',
      'open without a heartbeat: the controller has not heard a heartbeat',
      'heartbeat: done',
      'open: done',
      'dew heater: done',
      'settings: done',
      'heartbeat: done',
      // 3265 mV of 5000: 18.8 kΩ, which the thermistor's data sheet has between 11 and 12 °C.
      '11.2 °C outside, 48 %',
      'roof closing: rain',
      'roof closed',
      'open in rain: the rain sensor is wet',
      'roof unknown: both end switches at once',
      'clear the fault: the controller has stopped on a fault; look at the roof, then clear the fault',
    ])
    expect(reasons).toEqual([])
    await controller[Symbol.asyncDispose]()
  })
})

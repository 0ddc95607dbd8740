/**
 * A short night at the safety controller, the same each time: recorded once from the real firmware (recordFirmware.ts),
 * replayed from its tape in a test.
 */

import type { SafetyController } from '../devices/safetyController.ts'
import { NightjarError } from '../errors.ts'

export interface NightStage {
  /** Lets time pass, for the client and for the device behind its wire. */
  pass(ms: number): Promise<void>
  /** The world around the device changes: a control line of firmware/test/host.c. */
  world(line: string): void
}

/** What each step came to, in words. */
export async function playNight(controller: SafetyController, stage: NightStage): Promise<string[]> {
  const { roof, safety, weather, power } = controller
  const story: string[] = []
  const finish = async <T extends { readonly ok: boolean }>(name: string, command: Promise<T>): Promise<void> => {
    let outcome: T | undefined
    const settle = command.then((value) => {
      outcome = value
    })
    for (let n = 0; n < 100 && !outcome; n++) await stage.pass(100)
    if (!outcome) throw new NightjarError('night/endless', `${name} has no end`)
    await settle
    story.push(`${name}: ${outcome.ok ? 'done' : (outcome as { readonly reason?: string }).reason}`)
  }

  await stage.pass(3_000)
  story.push(`roof ${roof.state().position}, ${safety.state().safe ? 'safe' : 'unsafe'}`)
  await finish('open without a heartbeat', roof.open())
  await finish('heartbeat', safety.heartbeat())
  await finish('open', roof.open())
  await finish('dew heater', power.setDewHeater('Dew heater 1', 40))
  await finish('settings', controller.readSettings())
  stage.world('ADC 1 3265')
  await finish('heartbeat', safety.heartbeat())
  await stage.pass(3_000)
  story.push(`${weather.state().temperatureC?.toFixed(1)} °C outside, ${weather.state().humidityPercent?.toFixed(0)} %`)
  stage.world('PIN D2 1')
  await stage.pass(1_000)
  story.push(`roof ${roof.state().position}: ${safety.state().reasons.join(', ')}`)
  await stage.pass(4_000)
  story.push(`roof ${roof.state().position}`)
  await finish('open in rain', roof.open())
  stage.world('PIN D2 0')
  stage.world('SWITCH open 1')
  await stage.pass(1_000)
  story.push(`roof ${roof.state().position}: ${roof.state().fault}`)
  await finish('clear the fault', controller.clearFault())
  return story
}

/** The seed of the recorded client: its sequence numbers start from it. */
export const nightSeed = 'a night at the roof'

/** When the recorded night begins. */
export const nightStartMs = Date.UTC(2026, 10, 21, 20)

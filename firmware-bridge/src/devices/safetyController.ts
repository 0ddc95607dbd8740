/** Our roof-and-safety controller: four devices on one wire. The firmware is in firmware/, docs/safety-controller.md tells how to build one. */
import { done, type Failure, failure, type Outcome } from '../outcome.ts'
import { parseSetting, type Setting, type SettingName, settingNames } from '../safety-controller/commands.ts'
import {
  type ControllerSession,
  type ControllerSessionOptions,
  createControllerSession,
} from '../safety-controller/session.ts'
import type { Connect } from '../wire/wire.ts'
import type { Power } from './power.ts'
import type { Roof } from './roof.ts'
import type { Safety } from './safety.ts'
import { createControllerPower } from './safetyControllerPower.ts'
import { createControllerRoof } from './safetyControllerRoof.ts'
import { createControllerSafety } from './safetyControllerSafety.ts'
import { type ControllerWeather, createControllerWeather } from './safetyControllerWeather.ts'
import { faultWords } from './safetyControllerWords.ts'

export interface SafetyController extends AsyncDisposable {
  readonly roof: Roof
  /** `heartbeat()` is the guardian's: nothing here sends one by itself. */
  readonly safety: Safety
  readonly weather: ControllerWeather
  readonly power: Power
  readonly session: ControllerSession
  /** Lets the motor go again after a fault was looked at. Fails when its cause is still there. */
  clearFault(): Promise<Outcome>
  readSettings(): Promise<{ readonly ok: true; readonly settings: readonly Setting[] } | Failure>
  /** Into the controller's EEPROM; refused while the roof moves. */
  changeSetting(name: SettingName, value: number): Promise<Outcome>
}

/** Keeps one session on one wire, connected for as long as it is not disposed. 38400 baud on a serial port. */
export function createSafetyController(connect: Connect, options: ControllerSessionOptions): SafetyController {
  const session = createControllerSession(connect, options)
  const roof = createControllerRoof(session)
  return {
    roof,
    safety: createControllerSafety(session),
    weather: createControllerWeather(session),
    power: createControllerPower(session),
    session,
    clearFault: () => clearFault(session),
    readSettings: () => readSettings(session),
    changeSetting: (name, value) => changeSetting(session, name, value),
    async [Symbol.asyncDispose]() {
      await roof[Symbol.asyncDispose]()
      await session[Symbol.asyncDispose]()
    },
  }
}

export const safetyControllerBaudRate = 38_400

async function clearFault(session: ControllerSession): Promise<Outcome> {
  const accepted = await session.request({ verb: 'CLEAR' })
  if (!accepted.ok) return accepted
  await session.look()
  const { report } = session
  if (!report) return failure(session.trouble ?? 'the controller is lost')
  const fault = faultWords(report.fault)
  return fault === undefined ? done : failure(`the fault is still there: ${fault}`)
}

async function readSettings(session: ControllerSession) {
  const settings: Setting[] = []
  for (const name of settingNames) {
    const answer = await session.request({ verb: 'GET', name })
    if (!answer.ok) return answer
    const setting = parseSetting(answer.words)
    if (!setting) return failure(`the controller tells ${name} in words that are not of this protocol`)
    settings.push(setting)
  }
  return { ok: true as const, settings }
}

async function changeSetting(session: ControllerSession, name: SettingName, value: number): Promise<Outcome> {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) return failure('a setting is a whole number to 65535')
  const answer = await session.request({ verb: 'SET', name, value })
  if (!answer.ok) return answer
  const setting = parseSetting(answer.words)
  return setting?.name === name && setting.value === value ? done : failure(`the controller did not take ${name}`)
}

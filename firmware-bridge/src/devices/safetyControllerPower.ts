/** The two dew heaters at our safety controller. */
import { done, failure, type Outcome } from '../outcome.ts'
import type { ControllerSession } from '../safety-controller/session.ts'
import { driverCard } from './device.ts'
import type { Power } from './power.ts'
import { capabilities, head } from './safetyControllerWords.ts'

export const safetyControllerPowerCard = driverCard('power', 'Nightjar safety controller', ['dewHeater'])

export const dewHeaterNames = ['Dew heater 1', 'Dew heater 2'] as const

export function createControllerPower(session: ControllerSession): Power {
  async function setDewHeater(name: string, percent: number): Promise<Outcome> {
    const heater = (dewHeaterNames as readonly string[]).indexOf(name)
    if (heater < 0) return failure(`there is no ${name}: the controller has ${dewHeaterNames.join(' and ')}`)
    if (!(percent >= 0 && percent <= 100)) return failure('a duty cycle is 0 to 100 %')
    const accepted = await session.request({ verb: 'DEW', heater: heater === 0 ? 1 : 2, percent })
    if (!accepted.ok) return accepted
    await session.look()
    const given = session.report?.dewPercent[heater]
    if (given === Math.round(percent)) return done
    return failure(`${name} stays at ${given ?? '?'} %: heaters are off without mains and without a heartbeat`)
  }

  return {
    can: () => capabilities(session, safetyControllerPowerCard),
    state: () => ({
      ...head(session),
      ports: [],
      dewHeaters: dewHeaterNames.map((name, i) => ({ name, percent: session.report?.dewPercent[i] ?? 0 })),
    }),
    async setPort(name) {
      return failure(`there is no ${name}: the controller switches no outlets`)
    },
    setDewHeater,
    async [Symbol.asyncDispose]() {},
  }
}

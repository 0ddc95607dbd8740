import { type AlpacaDeviceOptions, createAlpacaSwitches, type Switch } from '../alpaca/switches.ts'
import { failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import type { Capability } from './kinds.ts'
import type { Power } from './power.ts'

export const alpacaPowerCard = driverCard('power', 'Alpaca', ['switch', 'dewHeater'])

/** Two-state switches are ports; the others that can be set and are called so are dew heaters. */
const isPort = (one: Switch): boolean => one.canWrite && one.max - one.min <= one.step
const isHeater = (one: Switch): boolean => one.canWrite && !isPort(one) && /dew|heat/i.test(one.name)

/** A power box behind an ASCOM Alpaca switch. */
export function createAlpacaPower(options: AlpacaDeviceOptions): Power {
  const switches = createAlpacaSwitches(options)
  const find = (name: string, kind: (one: Switch) => boolean): Switch | undefined =>
    switches.all().find((one) => one.name === name && kind(one))

  return {
    state: () => ({
      ...switches.common(),
      ports: switches
        .all()
        .filter(isPort)
        .map((one) => ({ name: one.name, on: one.value > one.min })),
      dewHeaters: switches
        .all()
        .filter(isHeater)
        .map((one) => ({ name: one.name, percent: (100 * (one.value - one.min)) / (one.max - one.min) })),
    }),
    can() {
      const able = new Set<Capability<'power'>>()
      if (switches.all().some(isPort)) able.add('switch')
      if (switches.all().some(isHeater)) able.add('dewHeater')
      return able
    },
    async setPort(name, on): Promise<Outcome> {
      const port = find(name, isPort)
      return port ? switches.set(port, on ? port.max : port.min) : failure(`there is no port “${name}”`)
    },
    async setDewHeater(name, percent): Promise<Outcome> {
      const heater = find(name, isHeater)
      if (!heater) return failure(`there is no dew heater “${name}”`)
      if (!(percent >= 0 && percent <= 100)) return failure('a dew heater takes 0 to 100 %')
      const steps = Math.round(((percent / 100) * (heater.max - heater.min)) / heater.step)
      return switches.set(heater, heater.min + steps * heater.step)
    },
    [Symbol.asyncDispose]: () => switches[Symbol.asyncDispose](),
  }
}

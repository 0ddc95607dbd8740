/** A power box behind INDI: libindi 2's power and output interfaces, and what boxes had before. */
import type { IndiClient } from '../indi/client.ts'
import { done, failure, type Outcome } from '../outcome.ts'
import { driverCard } from './device.ts'
import { type IndiDevice, judgeFinished, openIndiDevice } from './indiDevice.ts'
import { dewHeaters, type FoundHeater, type FoundPort, powerPorts } from './indiPowerPorts.ts'
import type { Capability } from './kinds.ts'
import type { Power, PowerState } from './power.ts'

export const indiPowerCard = driverCard('power', 'INDI', ['switch', 'dewHeater', 'volts', 'amps'])

export function createIndiPower(client: IndiClient, name: string): Power {
  const device = openIndiDevice(client, name)

  function state(): PowerState {
    return {
      ...device.head('CONNECTION'),
      ports: powerPorts(device).map((port) => ({ name: port.name, on: port.on, amps: port.amps })),
      dewHeaters: dewHeaters(device).map((heater) => ({ name: heater.name, percent: heater.percent })),
      volts: device.number('POWER_SENSORS', 'SENSOR_VOLTAGE'),
      amps: device.number('POWER_SENSORS', 'SENSOR_CURRENT'),
    }
  }

  return {
    state,
    can: () => capabilities(device),
    setPort(portName, on) {
      const ports = powerPorts(device)
      const port = ports.find((one) => one.name === portName)
      return port ? setPort(device, port, on) : Promise.resolve(unknown(device, 'port', portName, ports))
    },
    setDewHeater(heaterName, percent) {
      const heaters = dewHeaters(device)
      const heater = heaters.find((one) => one.name === heaterName)
      if (!heater) return Promise.resolve(unknown(device, 'dew heater', heaterName, heaters))
      if (!(percent >= 0 && percent <= 100)) return Promise.resolve(failure('a duty cycle is 0 to 100 %'))
      return setHeater(device, heater, percent)
    },
    async [Symbol.asyncDispose]() {},
  }
}

function unknown(device: IndiDevice, what: string, name: string, known: readonly { readonly name: string }[]): Outcome {
  const names = known.map((one) => one.name).join(', ') || 'none'
  return failure(`${device.name} has no ${what} ${name}; it has ${names}`)
}

function capabilities(device: IndiDevice): ReadonlySet<Capability<'power'>> {
  const can = new Set<Capability<'power'>>()
  if (powerPorts(device).length > 0) can.add('switch')
  if (dewHeaters(device).length > 0) can.add('dewHeater')
  if (device.has('POWER_SENSORS', 'SENSOR_VOLTAGE')) can.add('volts')
  if (device.has('POWER_SENSORS', 'SENSOR_CURRENT')) can.add('amps')
  return can
}

const setPort = (device: IndiDevice, port: FoundPort, on: boolean): Promise<Outcome> =>
  device.client.set(device.name, port.property, on ? port.turnOn : port.turnOff, { keep: true })

/** The duty, and the heater's own switch where it has one; a heater that follows the dew point by itself is freed first. */
async function setHeater(device: IndiDevice, heater: FoundHeater, percent: number): Promise<Outcome> {
  const steps: (() => Promise<Outcome>)[] = []
  if (heater.automatic) {
    const { property, element } = heater.automatic
    steps.push(() => device.client.set(device.name, property, { [element]: false }, { judge: judgeFinished }))
  }
  steps.push(() => device.client.set(device.name, heater.property, { [heater.element]: percent }, { keep: true }))
  if (heater.switch) {
    const { property, element } = heater.switch
    steps.push(() => device.client.set(device.name, property, { [element]: percent > 0 }, { keep: true }))
  }
  for (const step of steps) {
    const outcome = await step()
    if (!outcome.ok) return outcome
  }
  return done
}

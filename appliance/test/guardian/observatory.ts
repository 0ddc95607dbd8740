/**
 * A process with mounts, roofs and weather stations behind one INDI server on a unix socket: what the guardian's tests
 * guard. Everything that goes in and out is written to stdout, stamped with the machine's clock; lines on stdin break
 * things. `node observatory.ts SOCKET HOW_MANY`
 */
import { flushCompileCache } from 'node:module'
import { createInterface } from 'node:readline'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { IndiMessage } from '@nightjar/firmware-bridge/indi/messages.ts'
import { createIndiServer, type ServedDevice } from '@nightjar/firmware-bridge/indi/server.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { createSimulatedMount } from '@nightjar/firmware-bridge/simulators/mount.ts'
import { createSimulatedRoof } from '@nightjar/firmware-bridge/simulators/roof.ts'
import { createSimulatedWeather } from '@nightjar/firmware-bridge/simulators/weather.ts'

/** One line of the tape: a property that was asked for or told, and its switches that are on. */
export interface TapeLine {
  readonly atMs: number
  readonly way: 'in' | 'out'
  readonly device: string
  readonly name: string
  readonly state?: string | undefined
  readonly on: readonly string[]
}

/** What can be broken, by device. */
export interface Faults {
  /** The mount does nothing when it is asked to park. */
  refusesPark?: boolean
  /** The roof no longer moves. */
  jammed?: boolean
  raining?: boolean
  /** The station gives no readings any more; its driver lives. */
  deaf?: boolean
}

const site = { latitudeDeg: 47.5, longitudeDeg: 19, elevationMetres: 100 }

/** The same device, with all that matters written down, and parks swallowed when it is told to. */
function taped(device: ServedDevice, faults: Faults, write: (line: TapeLine) => void): ServedDevice {
  const note = (way: 'in' | 'out', message: IndiMessage): void => {
    if ((message.type !== 'set' && message.type !== 'new') || message.kind !== 'switch') return
    const on = message.elements.filter((element) => element.value).map((element) => element.name)
    const state = message.type === 'set' ? message.state : undefined
    write({ atMs: systemClock.now(), way, device: device.name, name: message.name, state, on })
  }
  return {
    name: device.name,
    definitions: () => device.definitions(),
    receive(message) {
      note('in', message)
      if (message.name === 'TELESCOPE_PARK' && faults.refusesPark) return
      device.receive(message)
    },
    attach(publish) {
      device.attach((message) => {
        note('out', message)
        publish(message)
      })
    },
  }
}

if (import.meta.main) {
  const [path = '', howMany = '1'] = process.argv.slice(2)
  const breakers = new Map<string, (change: Faults) => void>()
  const forever = new AbortController().signal
  const write = (line: TapeLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const devices = Array.from({ length: Number(howMany) }, (_, i) => {
    const own: Faults = {}
    const clock = systemClock
    const mount = createSimulatedMount({
      clock,
      random: createRandom(i),
      site,
      name: `Mount ${i}`,
      slewDegPerSecond: 60,
      settleMs: 200,
    })
    const roof = createSimulatedRoof({ clock, name: `Roof ${i}`, openSeconds: 0.6, motorTimeoutSeconds: 0.6 })
    const station = createSimulatedWeather({ clock, name: `Station ${i}`, updateSeconds: 0.3 })
    void mount.run(forever)
    void station.run(forever)
    breakers.set(`${i}`, (change) => {
      Object.assign(own, change)
      roof.jam(own.jammed === true)
      station.setSky({ rainMillimetresPerHour: own.raining ? 2 : 0 })
      station.setDeaf(own.deaf === true)
    })
    return [mount.device, roof.device, station.device].map((device) => taped(device, own, write))
  }).flat()
  const server = createIndiServer(devices)
  await server.listen({ path })
  process.stdout.write('"ready"\n')
  flushCompileCache()
  // Each line: which, and what is broken from now on.
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [which, change] = JSON.parse(line) as [string, Faults]
    breakers.get(which)?.(change)
  })
  process.stdin.on('end', () => process.exit(0))
}

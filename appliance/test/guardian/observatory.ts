/**
 * A process with mounts, roofs and weather stations behind one INDI server on a unix socket: what the guardian's tests
 * guard. Everything that goes in and out is written to stdout, stamped with the machine's clock; lines on stdin break
 * things. `node observatory.ts SOCKET HOW_MANY`
 */
import { createInterface } from 'node:readline'
import { type Clock, systemClock } from '@nightjar/firmware-bridge/clock.ts'
import type { IndiMessage } from '@nightjar/firmware-bridge/indi/messages.ts'
import { createIndiServer, type ServedDevice } from '@nightjar/firmware-bridge/indi/server.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { SimulatedDevice } from '@nightjar/firmware-bridge/simulators/device.ts'
import { createSimulatedMount } from '@nightjar/firmware-bridge/simulators/mount.ts'

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
  refusesPark?: boolean
  sticks?: boolean
  raining?: boolean
  mute?: boolean
}

const travelMs = 600
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

/** A shutter that takes its time; one that sticks stops half way and says Alert. */
function createRoof(name: string, faults: Faults, clock: Clock): SimulatedDevice {
  const device = new SimulatedDevice(name, { exec: 'test_dome', interface: 32 }, () => undefined)
  const both = (on: string) => ({ SHUTTER_OPEN: on === 'SHUTTER_OPEN', SHUTTER_CLOSE: on === 'SHUTTER_CLOSE' })
  let motion = 0
  async function move(to: string): Promise<void> {
    const own = ++motion
    device.update('DOME_SHUTTER', both(to), 'Busy')
    await clock.sleep(travelMs)
    if (own === motion) device.update('DOME_SHUTTER', both(to), faults.sticks ? 'Alert' : 'Ok')
  }
  device.switches('DOME_SHUTTER', both('SHUTTER_CLOSE'), 'AtMostOne', {
    state: 'Ok',
    onNew: (values) => void move(values['SHUTTER_OPEN'] ? 'SHUTTER_OPEN' : 'SHUTTER_CLOSE'),
  })
  device.switches('DOME_ABORT_MOTION', { ABORT: false }, 'AtMostOne', {
    onNew: () => {
      motion++
      device.update('DOME_SHUTTER', {}, 'Alert')
      device.update('DOME_ABORT_MOTION', { ABORT: false }, 'Ok')
    },
  })
  return device
}

function createStation(name: string, faults: Faults, clock: Clock): SimulatedDevice {
  const device = new SimulatedDevice(name, { exec: 'test_weather', interface: 128 }, () => undefined)
  device.numbers('WEATHER_PARAMETERS', { WEATHER_RAIN_HOUR: [0, 0, 0] }, { permission: 'ro', state: 'Ok' })
  void (async () => {
    for (;;) {
      await clock.sleep(300)
      if (!faults.mute) device.update('WEATHER_PARAMETERS', { WEATHER_RAIN_HOUR: faults.raining ? 2 : 0 })
    }
  })()
  return device
}

if (import.meta.main) {
  const [path = '', howMany = '1'] = process.argv.slice(2)
  const faults = new Map<string, Faults>()
  const write = (line: TapeLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const devices = Array.from({ length: Number(howMany) }, (_, i) => {
    const own: Faults = {}
    faults.set(`${i}`, own)
    const mount = createSimulatedMount({
      clock: systemClock,
      random: createRandom(i),
      site,
      name: `Mount ${i}`,
      slewDegPerSecond: 60,
      settleMs: 200,
    })
    void mount.run(new AbortController().signal)
    const all = [
      mount.device,
      createRoof(`Roof ${i}`, own, systemClock),
      createStation(`Station ${i}`, own, systemClock),
    ]
    return all.map((device) => taped(device, own, write))
  }).flat()
  const server = createIndiServer(devices)
  await server.listen({ path })
  process.stdout.write('"ready"\n')
  // Each line: which, and what is broken from now on.
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [which, change] = JSON.parse(line) as [string, Faults]
    Object.assign(faults.get(which) ?? {}, change)
  })
  process.stdin.on('end', () => process.exit(0))
}

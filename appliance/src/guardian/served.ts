/**
 * The roof, rain, mains and weather of the safety controller as INDI devices, for the daemon and any other client: whoever
 * holds the wire serves it. Opening and closing go past the guardian's own judgement first.
 */
import type { Power } from '@nightjar/firmware-bridge/devices/power.ts'
import type { Roof } from '@nightjar/firmware-bridge/devices/roof.ts'
import type { Safety, SafetyState } from '@nightjar/firmware-bridge/devices/safety.ts'
import { contactLights } from '@nightjar/firmware-bridge/devices/stationSafety.ts'
import type { Weather } from '@nightjar/firmware-bridge/devices/weather.ts'
import type {
  DefLight,
  DefMessage,
  DefNumber,
  DefSwitch,
  DefText,
  IndiMessage,
  NewMessage,
  PropertyState,
  SetMessage,
} from '@nightjar/firmware-bridge/indi/messages.ts'
import type { ServedDevice } from '@nightjar/firmware-bridge/indi/server.ts'

/** Under these names the daemon finds them. */
export const servedNames = {
  roof: 'Nightjar Roof',
  station: 'Nightjar Station',
  heaters: 'Nightjar Dew Heaters',
} as const

/** Bits of DRIVER_INFO's DRIVER_INTERFACE (libindi, basedevice.h). */
const domeInterface = 1 << 5
const weatherInterface = 1 << 7
const powerInterface = 1 << 18

/** What may be done now, and why not. */
export interface ServedPermission {
  mayOpen(): string | undefined
  mayClose(): string | undefined
  mayStop(): string | undefined
}

/** A served device whose properties are drawn anew from a state; what has changed is told to every client. */
export interface Served extends ServedDevice {
  refresh(): void
  /** A line for people, to every client. */
  say(text: string): void
}

/** `draw` gives every property as it is now; `command` handles a change that a client asks for. */
function serve(name: string, draw: () => readonly DefMessage[], command: (message: NewMessage) => void): Served {
  let publish: (message: IndiMessage) => void = () => undefined
  let told = new Map<string, string>()
  const definitions = (): DefMessage[] => [connection(name), ...draw()]
  return {
    name,
    definitions,
    attach(way) {
      publish = way
      told = new Map(definitions().map((one) => [one.name, JSON.stringify(one)]))
    },
    receive(message) {
      // It is always connected: the guardian holds the wire, whoever asks.
      if (message.name === 'CONNECTION') publish(asSet(connection(name)))
      else command(message)
    },
    refresh() {
      for (const one of definitions()) {
        const text = JSON.stringify(one)
        if (told.get(one.name) === text) continue
        told.set(one.name, text)
        publish(asSet(one))
      }
    },
    say: (text) => publish({ type: 'message', device: name, message: text }),
  }
}

function asSet(definition: DefMessage): SetMessage {
  const { kind, device, name, state, timestamp } = definition
  const elements =
    kind === 'blob' ? [] : definition.elements.map((element) => ({ name: element.name, value: element.value }))
  return { type: 'set', kind, device, name, state, timestamp, elements } as SetMessage
}

// The roof ----------------------------------------------------------------------------------------------------------------

/** A dome with a shutter and its end switches: DOME_SHUTTER, DOME_ABORT_MOTION, ROOF STATUS (as indi_rolloffino's). */
export function serveRoof(roof: Roof, permission: ServedPermission): Served {
  const name = servedNames.roof
  let asked: 'open' | 'close' | undefined
  const served = serve(name, () => drawRoof(roof, asked), receive)

  function receive(message: NewMessage): void {
    if (message.kind !== 'switch') return
    const on = message.elements.filter((element) => element.value).map((element) => element.name)
    if (message.name === 'DOME_ABORT_MOTION' && on.includes('ABORT')) return stop()
    if (message.name !== 'DOME_SHUTTER' || on.length !== 1) return
    if (on[0] === 'SHUTTER_OPEN') move('open', permission.mayOpen())
    if (on[0] === 'SHUTTER_CLOSE') move('close', permission.mayClose())
  }

  function move(to: 'open' | 'close', problem: string | undefined): void {
    if (problem !== undefined) return served.say(`[ERROR] The guardian does not ${to} the roof: ${problem}`)
    asked = to
    served.refresh()
    void roof[to]().then((outcome) => {
      if (asked === to) asked = undefined
      if (!outcome.ok) served.say(`[ERROR] ${outcome.reason}`)
      served.refresh()
    })
  }

  function stop(): void {
    const problem = permission.mayStop()
    if (problem !== undefined) return served.say(`[ERROR] The guardian does not stop the roof: ${problem}`)
    asked = undefined
    void roof.abort()
    served.refresh()
  }

  return served
}

function drawRoof(roof: Roof, asked: 'open' | 'close' | undefined): DefMessage[] {
  const name = servedNames.roof
  const { position, fault, connected } = roof.state()
  const opens = asked === 'open' || (asked === undefined && (position === 'open' || position === 'opening'))
  const closes = asked === 'close' || (asked === undefined && (position === 'closed' || position === 'closing'))
  const moves = asked !== undefined || position === 'opening' || position === 'closing'
  const confirmed = position === 'open' || position === 'closed'
  const state = !connected || fault !== undefined ? 'Alert' : moves ? 'Busy' : confirmed ? 'Ok' : 'Idle'
  const lamp = (lit: boolean): PropertyState => (connected && lit ? 'Ok' : 'Idle')
  return [
    driverInfo(name, domeInterface),
    switches(name, 'DOME_SHUTTER', { SHUTTER_OPEN: opens, SHUTTER_CLOSE: closes }, state),
    switches(name, 'DOME_ABORT_MOTION', { ABORT: false }, 'Idle'),
    lights(
      name,
      'ROOF STATUS',
      { ROOF_OPENED: lamp(position === 'open'), ROOF_CLOSED: lamp(position === 'closed'), ROOF_MOVING: lamp(moves) },
      fault === undefined && connected ? 'Ok' : 'Alert',
    ),
  ]
}

// Safety and weather ------------------------------------------------------------------------------------------------------

/** WEATHER_PARAMETERS and WEATHER_STATUS, where rain and mains are lights, as weather drivers have them. */
export function serveStation(safety: Safety, weather: Weather | undefined): Served {
  return serve(
    servedNames.station,
    () => drawStation(safety, weather),
    () => undefined,
  )
}

function drawStation(safety: Safety, weather: Weather | undefined): DefMessage[] {
  const name = servedNames.station
  const state = safety.state()
  const air = weather?.state()
  // What is not told is Idle, which no client takes as good.
  const lamp = (bad: boolean | undefined): PropertyState => (bad === undefined ? 'Idle' : bad ? 'Alert' : 'Ok')
  const verdicts = {
    WEATHER_RAIN: lamp(state.connected ? state.raining : undefined),
    MAINS: lamp(state.connected ? state.mainsLost : undefined),
    // Its own judgement, in which a heartbeat that is missing and a motor that has failed count too.
    CONTROLLER: lamp(state.connected ? !state.safe : undefined),
  }
  const all = Object.values(verdicts)
  const worst = all.includes('Alert') ? 'Alert' : all.includes('Idle') ? 'Idle' : 'Ok'
  const readings = { WEATHER_TEMPERATURE: air?.temperatureC, WEATHER_HUMIDITY: air?.humidityPercent }
  // The stamp makes every telling of the controller a new one for the clients, who reckon its age by it.
  const stamp = new Date(Math.floor(state.atMs / 1000) * 1000).toISOString().slice(0, 19)
  return [
    driverInfo(name, weatherInterface),
    { ...numbers(name, 'WEATHER_PARAMETERS', readings, state.connected ? 'Ok' : 'Alert'), timestamp: stamp },
    lights(name, 'WEATHER_STATUS', verdicts, worst),
    lights(name, contactLights.property, contactsOf(state), 'Ok'),
  ]
}

function contactsOf({ connected, mountParked, mainsLost }: SafetyState): Readonly<Record<string, PropertyState>> {
  const light = (yes: boolean | undefined): PropertyState =>
    !connected || yes === undefined ? 'Idle' : yes ? 'Ok' : 'Alert'
  const mains = mainsLost === undefined ? undefined : !mainsLost
  return { [contactLights.mountParked]: light(mountParked), [contactLights.mains]: light(mains) }
}

// Dew heaters -------------------------------------------------------------------------------------------------------------

/** The heaters' duty cycles under the name that libindi 2 has for them; POWER_INTERFACE is bit 18. */
export function serveHeaters(power: Power): Served {
  const name = servedNames.heaters
  const element = (heater: number): string => `DEW_CHANNEL_${heater + 1}`
  const draw = (): DefMessage[] => {
    const { connected, dewHeaters } = power.state()
    const duties = Object.fromEntries(dewHeaters.map(({ percent }, i) => [element(i), percent]))
    const drawn = numbers(name, 'DEW_DUTY_CYCLES', duties, connected ? 'Ok' : 'Alert')
    const elements = drawn.elements.map((one, i) => ({
      ...one,
      label: dewHeaters[i]?.name ?? one.label,
      max: 100,
      step: 1,
    }))
    return [driverInfo(name, powerInterface), { ...drawn, permission: 'rw', elements }]
  }
  const served = serve(name, draw, (message) => {
    if (message.kind !== 'number' || message.name !== 'DEW_DUTY_CYCLES') return
    for (const { name: asked, value } of message.elements) {
      const heater = power.state().dewHeaters.find((_, i) => element(i) === asked)
      if (heater) void set(heater.name, value)
    }
  })
  async function set(heater: string, percent: number): Promise<void> {
    const outcome = await power.setDewHeater(heater, percent)
    if (!outcome.ok) served.say(`[ERROR] ${outcome.reason}`)
    served.refresh()
  }
  return served
}

// Vectors -----------------------------------------------------------------------------------------------------------------

const head = <N extends string>(device: string, name: N, state: PropertyState) => ({
  type: 'def' as const,
  device,
  name,
  label: name,
  group: 'Main Control',
  state,
  timeoutSeconds: 180,
})

const connection = (device: string): DefSwitch => ({
  ...switches(device, 'CONNECTION', { CONNECT: true, DISCONNECT: false }, 'Ok'),
  rule: 'OneOfMany',
})

function driverInfo(device: string, bits: number): DefText {
  const values = {
    DRIVER_NAME: device,
    DRIVER_EXEC: 'nightjar-guardian',
    DRIVER_VERSION: '1.0',
    DRIVER_INTERFACE: `${bits}`,
  }
  const elements = Object.entries(values).map(([name, value]) => ({ name, label: name, value }))
  return { ...head(device, 'DRIVER_INFO', 'Idle'), kind: 'text', permission: 'ro', elements }
}

function switches(
  device: string,
  name: string,
  values: Readonly<Record<string, boolean>>,
  state: PropertyState,
): DefSwitch {
  const elements = Object.entries(values).map(([element, value]) => ({ name: element, label: element, value }))
  return { ...head(device, name, state), kind: 'switch', permission: 'rw', rule: 'AtMostOne', elements }
}

function lights(
  device: string,
  name: string,
  values: Readonly<Record<string, PropertyState>>,
  state: PropertyState,
): DefLight {
  const { timeoutSeconds: _, ...rest } = head(device, name, state)
  const elements = Object.entries(values).map(([element, value]) => ({ name: element, label: element, value }))
  return { ...rest, kind: 'light', elements }
}

function numbers(
  device: string,
  name: string,
  values: Readonly<Record<string, number | undefined>>,
  state: PropertyState,
): DefNumber {
  const elements = Object.entries(values).flatMap(([element, value]) =>
    value === undefined ? [] : [{ name: element, label: element, format: '%4.2f', min: 0, max: 0, step: 0, value }],
  )
  return { ...head(device, name, state), kind: 'number', permission: 'ro', elements }
}

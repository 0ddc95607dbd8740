/** The moving parts of a simulated Alpaca site, each by the clock; nothing runs in the background. */
import type { Clock } from '../clock.ts'
import { createAxis, invalid } from './alpacaAxis.ts'
import type { SimulatedAlpacaDevice } from './alpacaServer.ts'

export function createAlpacaFocuserSimulator(clock: Clock, name = 'Alpaca Focuser'): SimulatedAlpacaDevice {
  const axis = createAxis(clock, 25_000, 5_000)
  const maxSteps = 50_000
  return {
    kind: 'focuser',
    name,
    get: {
      absolute: () => true,
      maxstep: () => maxSteps,
      position: () => Math.round(axis.position()),
      ismoving: () => axis.moving(),
      temperature: () => 7.5,
    },
    put: {
      move: {
        parameters: { Position: 'integer' },
        run({ Position }) {
          const wanted = Number(Position)
          if (wanted < 0 || wanted > maxSteps) return invalid(`Position ${wanted}`)
          axis.moveTo(wanted)
          return undefined
        },
      },
      halt: {
        parameters: {},
        run() {
          axis.set(Math.round(axis.position()))
          return undefined
        },
      },
    },
  }
}

export function createAlpacaFilterWheelSimulator(
  clock: Clock,
  names: readonly string[] = ['L', 'R', 'G', 'B'],
): SimulatedAlpacaDevice {
  const axis = createAxis(clock, 0, 1)
  return {
    kind: 'filterwheel',
    name: 'Alpaca Wheel',
    get: { names: () => names, position: () => (axis.moving() ? -1 : axis.position()) },
    put: {
      position: {
        parameters: { Position: 'integer' },
        run({ Position }) {
          if (Number(Position) < 0 || Number(Position) >= names.length) return invalid(`Position ${Position}`)
          axis.moveTo(Number(Position))
          return undefined
        },
      },
    },
  }
}

export interface SimulatedAlpacaDome {
  readonly device: SimulatedAlpacaDevice
  /** The shutter does not move any more and reports an error. */
  jammed: boolean
}

export function createAlpacaDomeSimulator(clock: Clock): SimulatedAlpacaDome {
  const shutter = createAxis(clock, 0, 0.1)
  const azimuth = createAxis(clock, 0, 10)
  let wanted = 0
  function move(to: number): undefined {
    wanted = to
    if (!dome.jammed) shutter.moveTo(to)
  }
  function status(): number {
    if (dome.jammed) return 4
    if (shutter.moving()) return wanted === 1 ? 2 : 3
    return shutter.position() === 1 ? 0 : shutter.position() === 0 ? 1 : 4
  }
  const dome: SimulatedAlpacaDome = {
    jammed: false,
    device: {
      kind: 'dome',
      name: 'Alpaca Dome',
      get: {
        cansetshutter: () => true,
        cansetazimuth: () => true,
        shutterstatus: status,
        azimuth: () => azimuth.position(),
        slewing: () => azimuth.moving() || shutter.moving(),
      },
      put: {
        openshutter: { parameters: {}, run: () => move(1) },
        closeshutter: { parameters: {}, run: () => move(0) },
        abortslew: {
          parameters: {},
          run() {
            shutter.halt()
            azimuth.halt()
            return undefined
          },
        },
        slewtoazimuth: {
          parameters: { Azimuth: 'number' },
          run({ Azimuth }) {
            if (Number(Azimuth) < 0 || Number(Azimuth) >= 360) return invalid(`Azimuth ${Azimuth}`)
            azimuth.moveTo(Number(Azimuth))
            return undefined
          },
        },
      },
    },
  }
  return dome
}

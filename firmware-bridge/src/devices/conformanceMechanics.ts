/** Full cycles of what opens, closes, lights and switches, and of what watches over it. */
import type { Exercises, Trial } from './conformance.ts'
import type { Roof, RoofPosition } from './roof.ts'

const moveMs = 120_000
const settle = { pixels: 1, seconds: 1, timeoutSeconds: 60 }

export const mechanicsExercises: Pick<
  Exercises,
  'roof' | 'cover' | 'flatPanel' | 'power' | 'safety' | 'guider' | 'allSkyCamera'
> = {
  roof: {
    async open(roof, trial) {
      // Some roofs know where they stand only after they have moved.
      if (roof.state().position === 'unknown') trial.ok('close at first', await roof.close(moveMs))
      const seen = await seenDuring(roof, trial, () => roof.open(moveMs), 'open')
      trial.that('it is open', roof.state().position === 'open')
      trial.that('it never says closed on its way', !seen.includes('closed'))
    },
    async close(roof, trial) {
      const seen = await seenDuring(roof, trial, () => roof.close(moveMs), 'close')
      trial.that('it is closed', roof.state().position === 'closed')
      trial.that('it says closed only at the end', seen.indexOf('closed') === seen.length - 1)
      trial.ok('close once more', await roof.close(moveMs))
      trial.that('it is still closed', roof.state().position === 'closed')
    },
    async abort(roof, trial) {
      const opening = roof.open(moveMs)
      await trial.until('it opens', () => roof.state().position === 'opening')
      trial.ok('abort', await roof.abort())
      trial.fails('the motion that was stopped', await opening)
      trial.that('it claims neither end', !['open', 'closed'].includes(roof.state().position))
      trial.ok('close after the stop', await roof.close(moveMs))
      trial.that('it is closed after the stop', roof.state().position === 'closed')
    },
    async azimuth(roof, trial) {
      for (const azimuthDeg of [20, 5]) {
        trial.ok(`turn to ${azimuthDeg}°`, await roof.turnTo(azimuthDeg, moveMs))
        const missDeg = Math.abs((roof.state().azimuthDeg ?? Number.NaN) - azimuthDeg)
        trial.that(`the opening points to ${azimuthDeg}°`, missDeg <= 2)
      }
      trial.fails('an azimuth of 400°', await roof.turnTo(400, moveMs))
    },
    async endSwitches(roof, trial) {
      trial.ok('open to the switch', await roof.open(moveMs))
      trial.that('the open switch confirms', roof.state().position === 'open')
      trial.ok('close to the switch', await roof.close(moveMs))
      trial.that('the closed switch confirms', roof.state().position === 'closed')
    },
  },
  cover: {
    async open(cover, trial) {
      trial.ok('open', await cover.open(moveMs))
      trial.that('it is open', cover.state().position === 'open')
    },
    async close(cover, trial) {
      trial.ok('close', await cover.close(moveMs))
      trial.that('it is closed', cover.state().position === 'closed')
    },
    async abort(cover, trial) {
      const opening = cover.open(moveMs)
      await trial.until('it moves', () => cover.state().position === 'moving')
      trial.ok('abort', await cover.abort())
      trial.fails('the motion that was stopped', await opening)
      trial.that('it claims neither end', !['open', 'closed'].includes(cover.state().position))
      trial.ok('close after the stop', await cover.close(moveMs))
    },
  },
  flatPanel: {
    async light(panel, trial) {
      for (const on of [true, false]) {
        trial.ok(on ? 'light on' : 'light off', await panel.light(on))
        trial.that(on ? 'it is lit' : 'it is dark', panel.state().lit === on)
      }
    },
    async brightness(panel, trial) {
      trial.ok('light on', await panel.light(true))
      const most = panel.state().maxBrightness ?? 100
      for (const brightness of [Math.round(most / 2), most]) {
        trial.ok(`brightness ${brightness}`, await panel.setBrightness(brightness))
        trial.that(`the brightness is ${brightness}`, panel.state().brightness === brightness)
      }
      trial.fails('brighter than it can', await panel.setBrightness(most + 1))
      trial.ok('light off', await panel.light(false))
    },
  },
  power: {
    async switch(power, trial) {
      for (const { name, on } of power.state().ports) {
        for (const wanted of [!on, on]) {
          trial.ok(`${name} ${wanted ? 'on' : 'off'}`, await power.setPort(name, wanted))
          trial.that(
            `${name} says so`,
            power.state().ports.some((port) => port.name === name && port.on === wanted),
          )
        }
      }
      trial.fails('a port that is not there', await power.setPort('no such port', true))
    },
    async dewHeater(power, trial) {
      for (const { name } of power.state().dewHeaters) {
        for (const percent of [40, 0]) {
          trial.ok(`${name} at ${percent} %`, await power.setDewHeater(name, percent))
          const heater = power.state().dewHeaters.find((one) => one.name === name)
          trial.that(`${name} says so`, Math.abs((heater?.percent ?? Number.NaN) - percent) <= 1)
        }
      }
      trial.fails('a heater that is not there', await power.setDewHeater('no such heater', 10))
    },
    async volts(power, trial) {
      await trial.until('it tells the voltage', () => (power.state().volts ?? 0) > 0)
    },
    async amps(power, trial) {
      await trial.until('it tells the current', () => (power.state().amps ?? -1) >= 0)
    },
  },
  safety: {
    async verdict(safety, trial) {
      const { safe, reasons } = safety.state()
      trial.that('it gives reasons when and only when it is not safe', safe === (reasons.length === 0))
    },
    async rain(safety, trial) {
      await trial.until('it tells rain', () => safety.state().raining !== undefined, 20_000)
    },
    async mains(safety, trial) {
      trial.that('it tells the mains', safety.state().mainsLost !== undefined)
    },
    async mountParked(safety, trial) {
      trial.that('it tells whether the mount is parked', safety.state().mountParked !== undefined)
    },
    async heartbeat(safety, trial) {
      for (let beat = 0; beat < 3; beat++) {
        trial.ok('heartbeat', await safety.heartbeat())
        await trial.clock.sleep(200)
      }
    },
  },
  guider: {
    async guide(guider, trial) {
      trial.ok('guide', await guider.guide(settle))
      trial.that('it guides', guider.state().activity === 'guiding')
    },
    async dither(guider, trial) {
      trial.ok('dither', await guider.dither(2, settle))
    },
    async settle(guider, trial) {
      trial.ok('dither and settle', await guider.dither(1, settle))
      trial.that('it has settled', guider.state().activity !== 'settling')
    },
    async stop(guider, trial) {
      trial.ok('stop', await guider.stop())
      await trial.until('it stands', () => guider.state().activity === 'stopped')
    },
  },
  allSkyCamera: {
    async snapshot(camera, trial) {
      const picture = await camera.snapshot(20_000)
      if (trial.ok('snapshot', picture) && picture.ok) trial.that('it has pixels', picture.bytes.length > 100)
    },
    async pointTo(camera, trial) {
      trial.ok('point to the side', await camera.pointTo(0.5, 0.2, 0.5))
      trial.ok('point back', await camera.pointTo(0, 0, 0))
    },
  },
}

/** What the roof says while the command is under way, each change once; the position before it is left out. */
async function seenDuring(
  roof: Roof,
  trial: Trial,
  command: () => ReturnType<Roof['open']>,
  what: string,
): Promise<readonly RoofPosition[]> {
  const seen: RoofPosition[] = [roof.state().position]
  const look = (): void => {
    const { position } = roof.state()
    if (position !== seen.at(-1)) seen.push(position)
  }
  let running = true
  const outcome = command().finally(() => {
    running = false
  })
  while (running) {
    await trial.clock.sleep(50)
    look()
  }
  trial.ok(what, await outcome)
  look()
  return seen.slice(1)
}

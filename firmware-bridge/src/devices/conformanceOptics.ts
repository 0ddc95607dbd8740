/** Full cycles of what stands in the light: camera, focuser, filter wheel, rotator. */
import type { Camera } from './camera.ts'
import type { Exercises, Trial } from './conformance.ts'

const halfSecond = 0.5
const coolMs = 30_000

export const opticsExercises: Pick<Exercises, 'camera' | 'focuser' | 'filterWheel' | 'rotator'> = {
  camera: {
    async expose(camera, trial) {
      const seconds = trial.settings.exposureSeconds ?? halfSecond
      for (const frameType of ['light', 'dark', 'flat', 'bias'] as const) {
        const frame = await camera.expose({ seconds, frameType })
        if (!trial.ok(`a ${frameType}`, frame) || !frame.ok) continue
        trial.that(`the ${frameType} has pixels`, frame.bytes.length > 0 && frame.format.startsWith('.'))
        const asked = frameType === 'bias' ? frame.endedAtMs - frame.startedAtMs : seconds * 1000
        trial.that(`the ${frameType} says when`, Math.abs(frame.endedAtMs - frame.startedAtMs - asked) < 1)
      }
      trial.that('it no longer exposes', !camera.state().exposing)
    },
    async abort(camera, trial) {
      for (const by of ['call', 'signal'] as const) {
        const cancel = new AbortController()
        const exposure = camera.expose({ seconds: 30, frameType: 'light', signal: cancel.signal })
        await trial.until('it exposes', () => camera.state().exposing)
        await trial.clock.sleep(300)
        if (by === 'call') trial.ok('abort', await camera.abort())
        else cancel.abort('clouds')
        trial.fails(`an exposure that was aborted by ${by}`, await exposure)
        await trial.until('it is free again', () => !camera.state().exposing)
      }
    },
    async gain(camera, trial) {
      for (const gain of trial.settings.gains ?? [10, 20]) {
        trial.ok(`gain ${gain}`, await camera.setGain(gain))
        trial.that(`the gain is ${gain}`, camera.state().gain === gain)
      }
    },
    async offset(camera, trial) {
      for (const offset of trial.settings.offsets ?? [10, 20]) {
        trial.ok(`offset ${offset}`, await camera.setOffset(offset))
        trial.that(`the offset is ${offset}`, camera.state().offset === offset)
      }
    },
    async binning(camera, trial) {
      for (const binning of [2, 1]) {
        trial.ok(`binning ${binning}`, await camera.setBinning(binning, binning))
        trial.that(
          `the binning is ${binning}`,
          camera.state().binning.x === binning && camera.state().binning.y === binning,
        )
      }
    },
    async roi(camera, trial) {
      trial.ok('a region', await camera.setRoi({ x: 8, y: 4, widthPixels: 32, heightPixels: 16 }))
      trial.that('frames are as large as it', camera.state().widthPixels === 32 && camera.state().heightPixels === 16)
      const frame = await camera.expose({ seconds: 0.1, frameType: 'light' })
      if (trial.ok('a frame of the region', frame) && frame.ok) {
        const size = fitsSize(frame.bytes)
        trial.that(`the frame is 32 × 16 pixels, not ${size}`, size === undefined || size === '32 × 16')
      }
      trial.fails('a region beyond the chip', await camera.setRoi({ x: 0, y: 0, widthPixels: 1e6, heightPixels: 16 }))
      trial.ok('the whole chip', await camera.setRoi(undefined))
      trial.that('frames are larger again', camera.state().widthPixels > 32)
    },
    async cooling(camera, trial) {
      const before = camera.state().temperatureC ?? 0
      trial.ok('a colder set point', await camera.setTemperature(before - 2))
      trial.that('it is remembered', camera.state().setPointC === before - 2)
      await trial.until('it gets colder', () => (camera.state().temperatureC ?? before) < before - 0.3, coolMs)
      trial.ok('cooler off', await camera.setCooler(false))
      trial.that('there is no set point any more', camera.state().setPointC === undefined)
    },
    async filter(camera, trial) {
      const { filters } = camera.state()
      for (const filter of [filters[1], filters[0]]) {
        if (filter === undefined) continue
        trial.ok(`filter ${filter}`, await camera.setFilter(filter))
        trial.that(`${filter} is in the beam`, camera.state().filter === filter)
      }
      trial.fails('a filter that is not there', await camera.setFilter('no such filter'))
    },
    preview: (camera, trial) => preview(camera, trial),
  },
  focuser: {
    async moveTo(focuser, trial) {
      const [first, second] = trial.settings.focusSteps ?? [20_000, 21_000]
      for (const steps of [first, second]) {
        trial.ok(`move to ${steps}`, await focuser.moveTo(steps))
        trial.that(`it stands at ${steps}`, focuser.state().positionSteps === steps && !focuser.state().moving)
      }
      const { maxSteps } = focuser.state()
      if (maxSteps !== undefined) trial.fails('a move too far', await focuser.moveTo(maxSteps + 1000))
    },
    async abort(focuser, trial) {
      const [near] = trial.settings.focusSteps ?? [20_000, 21_000]
      trial.ok('move to the start', await focuser.moveTo(near))
      const move = focuser.moveTo(focuser.state().maxSteps ?? near * 2)
      await trial.until('it moves', () => focuser.state().moving)
      trial.ok('abort', await focuser.abort())
      trial.fails('the move that was stopped', await move)
      await trial.until('it stands', () => !focuser.state().moving)
    },
    async temperature(focuser, trial) {
      trial.that('it tells its temperature', Number.isFinite(focuser.state().temperatureC))
    },
  },
  filterWheel: {
    async select(wheel, trial) {
      const { filters } = wheel.state()
      for (const filter of [filters.at(2), filters.at(-1), filters.at(0)]) {
        if (filter === undefined) continue
        trial.ok(`select ${filter}`, await wheel.select(filter))
        trial.that(`${filter} is in the beam`, wheel.state().filter === filter && !wheel.state().moving)
      }
      trial.fails('a filter that is not there', await wheel.select('no such filter'))
    },
    async names(wheel, trial) {
      const { filters } = wheel.state()
      trial.that('every filter has a name of its own', new Set(filters).size === filters.length && filters.length > 0)
    },
  },
  rotator: {
    async rotateTo(rotator, trial) {
      for (const angleDeg of [20, 350, 5]) {
        trial.ok(`rotate to ${angleDeg}°`, await rotator.rotateTo(angleDeg))
        trial.that(`it stands at ${angleDeg}°`, Math.abs((rotator.state().angleDeg ?? Number.NaN) - angleDeg) <= 0.5)
      }
      trial.fails('an angle of 400°', await rotator.rotateTo(400))
    },
    async sync(rotator, trial) {
      if (!trial.ok('sync', await rotator.sync(45))) return
      await trial.until('it believes that', () => Math.abs((rotator.state().angleDeg ?? Number.NaN) - 45) <= 0.5)
    },
    async reverse(rotator, trial) {
      for (const reversed of [true, false]) {
        trial.ok(`reverse ${reversed}`, await rotator.reverse(reversed))
        trial.that('it says so', rotator.state().reversed === reversed)
      }
    },
    async abort(rotator, trial) {
      const start = rotator.state().angleDeg ?? 0
      const turn = rotator.rotateTo((start + 150) % 360)
      await trial.until('it turns', () => rotator.state().moving)
      trial.ok('abort', await rotator.abort())
      trial.fails('the turn that was stopped', await turn)
      await trial.until('it stands', () => !rotator.state().moving)
    },
  },
}

/** Width × height of a FITS file as its header says; undefined when it is none. */
function fitsSize(bytes: Uint8Array): string | undefined {
  const header = Buffer.from(bytes.subarray(0, 2880)).toString('latin1')
  const axis = (number: number): string | undefined => new RegExp(`NAXIS${number} *= *(\\d+)`).exec(header)?.[1]
  return header.startsWith('SIMPLE') ? `${axis(1)} × ${axis(2)}` : undefined
}

async function preview(camera: Camera, trial: Trial): Promise<void> {
  const cancel = new AbortController()
  const sizes: number[] = []
  const showing = camera.preview((frame) => void sizes.push(frame.bytes.length), cancel.signal)
  await trial.until('two frames of the video come', () => sizes.length >= 2, 20_000)
  trial.fails('an exposure meanwhile', await camera.expose({ seconds: 0.1, frameType: 'light' }))
  cancel.abort('seen enough')
  trial.ok('the end of the preview', await showing)
  trial.that(
    'the frames have pixels',
    sizes.every((bytes) => bytes > 0),
  )
  await trial.clock.sleep(500)
  trial.ok('an exposure afterwards', await camera.expose({ seconds: 0.1, frameType: 'light' }))
}

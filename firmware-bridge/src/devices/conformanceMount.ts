/** Full cycles of a mount's capabilities. */
import type { Exercises, Trial } from './conformance.ts'
import { separationDeg } from './epoch.ts'
import type { Direction, Mount, TrackRate } from './mount.ts'

const slewMs = 120_000
const pulseMs = 200
/** Longer than the poll of a mount that is asked. */
const settleMs = 5_000

/** A place some degrees away that is not near a pole. */
function placeNear(mount: Mount, deg: number): { readonly raDeg: number; readonly decDeg: number } {
  const { raDeg, decDeg } = mount.state()
  return { raDeg, decDeg: decDeg > 0 ? decDeg - deg : decDeg + deg }
}

async function ready(mount: Mount, trial: Trial): Promise<void> {
  if (mount.state().parked) trial.ok('unpark', await mount.unpark())
}

async function slewTo(mount: Mount, trial: Trial, deg: number): Promise<void> {
  const place = placeNear(mount, deg)
  if (!trial.ok('slew', await mount.slew(place.raDeg, place.decDeg, slewMs))) return
  trial.that(
    `it points there, ${separationDeg(mount.state(), place).toFixed(3)}° off`,
    separationDeg(mount.state(), place) < 0.2,
  )
}

export const mountExercises: Pick<Exercises, 'mount'> = {
  mount: {
    async slew(mount, trial) {
      await ready(mount, trial)
      await slewTo(mount, trial, 4)
      trial.that('it no longer slews', !mount.state().slewing)
      trial.fails('a slew to nowhere', await mount.slew(10, 120, slewMs))
    },
    async sync(mount, trial) {
      await ready(mount, trial)
      await slewTo(mount, trial, 1)
      const place = placeNear(mount, 0.05)
      trial.ok('sync', await mount.sync(place.raDeg, place.decDeg))
      await trial.until('it believes that', () => separationDeg(mount.state(), place) < 0.02)
    },
    async track(mount, trial) {
      await ready(mount, trial)
      trial.ok('track on', await mount.track(true))
      await trial.until('it tracks', () => mount.state().tracking)
      trial.ok('track off', await mount.track(false))
      await trial.until('it no longer tracks', () => !mount.state().tracking)
    },
    async trackRate(mount, trial) {
      await ready(mount, trial)
      const custom = { raArcsecPerSecond: 0.02, decArcsecPerSecond: -0.01 }
      const isAt = (rate: TrackRate) => (): boolean => (mount.state().trackRate ?? rate) === rate
      for (const rate of ['lunar', 'solar', 'sidereal'] as const) {
        trial.ok(`track at the ${rate} rate`, await mount.setTrackRate(rate))
        await trial.until(`it tracks at the ${rate} rate`, isAt(rate))
      }
      const outcome = await mount.setTrackRate('custom', custom)
      if (outcome.ok) await trial.until('it tracks at the custom rate', isAt('custom'))
      trial.ok('back to the sidereal rate', await mount.setTrackRate('sidereal'))
    },
    async park(mount, trial) {
      await ready(mount, trial)
      trial.that('it is not parked', !mount.state().parked)
      trial.ok('park', await mount.park(slewMs))
      await trial.until('it is parked and still', () => isParked(mount))
      trial.ok('unpark', await mount.unpark())
      await trial.until('it is unparked', () => !mount.state().parked)
    },
    async home(mount, trial) {
      await ready(mount, trial)
      trial.ok('home', await mount.home(slewMs))
      await trial.until('it stands at home', () => !mount.state().slewing, settleMs)
    },
    async guide(mount, trial) {
      await ready(mount, trial)
      if (mount.can().has('track')) trial.ok('track on', await mount.track(true))
      for (const direction of ['north', 'south', 'west', 'east'] as const) {
        const start = trial.clock.monotonic()
        trial.ok(`guide ${direction}`, await mount.guide(direction, pulseMs))
        trial.that(`the pulse ${direction} took its time`, trial.clock.monotonic() - start >= pulseMs - 1)
      }
    },
    async move(mount, trial) {
      await ready(mount, trial)
      // At a pole nothing can move any farther.
      await slewTo(mount, trial, 10)
      for (const direction of ['north', 'south', 'west', 'east'] as const) await moveAndHalt(mount, trial, direction)
      trial.fails('a speed above the fastest', await mount.move('north', 2))
    },
    async pierSide(mount, trial) {
      await ready(mount, trial)
      await slewTo(mount, trial, 1)
      await trial.until('it says on which side of the pier it is', () => mount.state().pierSide !== 'unknown', settleMs)
    },
    limits(mount, trial) {
      const place = trial.settings.refusedPlace
      return place ? refuse(mount, trial, place) : undefined
    },
    async abort(mount, trial) {
      await ready(mount, trial)
      const place = placeNear(mount, 40)
      const slew = mount.slew(place.raDeg, place.decDeg, slewMs)
      await trial.until('it slews', () => mount.state().slewing)
      trial.ok('abort', await mount.abort())
      trial.fails('the slew that was stopped', await slew)
      await trial.until('it stands', () => !mount.state().slewing)
      if (!mount.can().has('park')) return
      trial.ok('park at the end', await mount.park(slewMs))
      await trial.until('it is parked at the end', () => isParked(mount))
    },
  },
}

function isParked(mount: Mount): boolean {
  const { parked, slewing, tracking } = mount.state()
  return parked && !slewing && !tracking
}

async function moveAndHalt(mount: Mount, trial: Trial, direction: Direction): Promise<void> {
  const before = mount.state()
  trial.ok(`move ${direction}`, await mount.move(direction, 1))
  const moved = (): boolean => separationDeg(before, mount.state()) > 0.05
  await trial.until(`it moves ${direction}`, moved)
  trial.ok('halt', await mount.halt())
  await trial.until('it no longer moves by hand', () => !mount.state().slewing)
}

async function refuse(
  mount: Mount,
  trial: Trial,
  place: { readonly raDeg: number; readonly decDeg: number },
): Promise<void> {
  await ready(mount, trial)
  trial.fails('a slew beyond the limits', await mount.slew(place.raDeg, place.decDeg, slewMs))
  trial.that('it says which limit', (mount.state().fault ?? '').length > 0)
  await slewTo(mount, trial, 1)
  trial.that('the fault is over', mount.state().fault === undefined)
}

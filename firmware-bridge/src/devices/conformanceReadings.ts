/** What instruments that only tell must tell. */
import type { Exercises } from './conformance.ts'

/** A reading is there and lies where such readings lie on Earth. */
const within = (value: number | undefined, least: number, most: number): boolean =>
  value !== undefined && value >= least && value <= most

export const readingExercises: Pick<Exercises, 'weather' | 'skyQuality' | 'gps' | 'timeSource' | 'ups'> = {
  weather: {
    async temperature(weather, trial) {
      trial.that('a temperature', within(weather.state().temperatureC, -80, 60))
    },
    async humidity(weather, trial) {
      trial.that('a humidity', within(weather.state().humidityPercent, 0, 100))
    },
    async pressure(weather, trial) {
      trial.that('a pressure', within(weather.state().pressureHectopascals, 300, 1100))
    },
    async wind(weather, trial) {
      trial.that('a wind', within(weather.state().windMetresPerSecond, 0, 120))
    },
    async rain(weather, trial) {
      trial.that(
        'rain or none',
        within(weather.state().rainMillimetresPerHour, 0, 500) || weather.state().raining !== undefined,
      )
    },
    async cloud(weather, trial) {
      const { cloudPercent, skyTemperatureC } = weather.state()
      trial.that('clouds or none', within(cloudPercent, 0, 100) || within(skyTemperatureC, -120, 60))
    },
    async verdict(weather, trial) {
      await trial.until('it judges', () => weather.state().verdict !== 'unknown', 20_000)
    },
  },
  skyQuality: {
    async brightness(meter, trial) {
      trial.that('a sky brightness', within(meter.state().magPerSquareArcsec, 0, 25))
    },
    async temperature(meter, trial) {
      trial.that('a temperature', within(meter.state().temperatureC, -80, 60))
    },
  },
  gps: {
    async position(gps, trial) {
      await trial.until('a fix', () => gps.state().fix !== 'none', 20_000)
      trial.that('a latitude', within(gps.state().latitudeDeg, -90, 90))
      trial.that('a longitude', within(gps.state().longitudeDeg, -180, 180))
    },
    async time(gps, trial) {
      await trial.until('a time', () => gps.state().utcMs !== undefined, 20_000)
      const { utcMs, atMs } = gps.state()
      // Of the simulators, whose clock is ours; a receiver may find that ours is wrong, but not by so much.
      trial.that('a time that is near ours', Math.abs((utcMs ?? 0) - atMs) < 5_000)
    },
  },
  timeSource: {
    async offset(source, trial) {
      trial.that('an offset', within(source.state().offsetSeconds, -1e9, 1e9))
    },
    async uncertainty(source, trial) {
      trial.that('an uncertainty', within(source.state().uncertaintySeconds, 0, 1e9))
    },
  },
  ups: {
    async mains(ups, trial) {
      trial.that('mains or not', ups.state().onMains !== undefined)
    },
    async charge(ups, trial) {
      trial.that('a charge', within(ups.state().chargePercent, 0, 100))
    },
    async runtime(ups, trial) {
      trial.that('a run time', within(ups.state().runtimeSeconds, 0, 1e7))
    },
  },
}

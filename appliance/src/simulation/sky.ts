import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { separationDeg } from '../observations/ephemeris.ts'
import type { StarCatalogue } from '../observations/starCatalogue.ts'
import type { GalaxySource, PointSource, SkyScene, StreakSource } from './renderFrame.ts'

/**
 * The simulated sky: Tycho-2's real stars, fainter ones that continue their counts, galaxies, satellites, and transients
 * with known truth. All of it is a function of the seed, the place and the time, so that any two processes see the same.
 */
export interface Sky {
  sceneAt(view: SkyView): SkyScene
  /** Every transient that there will ever be near a place, bright or not yet. */
  transientsNear(raDeg: number, decDeg: number, radiusDeg: number): readonly Transient[]
  seeingArcsec(atMs: number): number
}

export interface SkyView {
  readonly raDeg: number
  readonly decDeg: number
  readonly radiusDeg: number
  /** Start of the exposure. */
  readonly atMs: number
  readonly seconds: number
}

/** The truth about one transient. */
export interface Transient {
  readonly id: string
  readonly raDeg: number
  readonly decDeg: number
  readonly onsetMs: number
  readonly peakMag: number
  readonly inGalaxy: boolean
}

/** New transients appear around a place at regular times; none before the epoch. */
export interface TransientSchedule {
  readonly epochMs: number
  readonly everySeconds: number
  readonly count: number
  readonly raDeg: number
  readonly decDeg: number
  readonly radiusDeg: number
  readonly peakMag: readonly [number, number]
}

export interface SkyOptions {
  readonly seed: number
  readonly catalogue: StarCatalogue
  readonly transients?: TransientSchedule
}

const cellDeg = 0.25
/** Some 100 square degrees: many fields, little memory. */
const cellsKept = 2000
/** Faint stars: N(<m) of 60 a square degree at V 12, growing by 10^0.34 a magnitude (Allen's Astrophysical Quantities, high latitudes). */
const faintStars = { from: 12.3, to: 17.8, at12: 60, slope: 0.34 }
/** Galaxies: 0.05 a square degree at V 12, growing by 10^0.6 a magnitude (Euclidean counts). */
const galaxyCounts = { from: 11, to: 17, at12: 0.05, slope: 0.6 }
const fadingMagPerDay = 0.06
const satelliteEverySeconds = 150
const satelliteSlotSeconds = 10
const meanSeeingArcsec = 4.8

export function createSky({ seed, catalogue, transients: schedule }: SkyOptions): Sky {
  const cells = new Map<string, { stars: PointSource[]; galaxies: GalaxySource[] }>()

  function cellAt(band: number, column: number, columns: number): { stars: PointSource[]; galaxies: GalaxySource[] } {
    const key = `${band}/${column}`
    const known = cells.get(key)
    if (known) return known
    const made = fillCell(createRandom(`${seed}/sky/${key}`), band, column, columns)
    if (cells.size >= cellsKept) cells.clear()
    cells.set(key, made)
    return made
  }

  /** All cells that reach into a circle. */
  function* cellsNear(
    raDeg: number,
    decDeg: number,
    radiusDeg: number,
  ): Generator<{ stars: PointSource[]; galaxies: GalaxySource[] }> {
    const bands = Math.round(180 / cellDeg)
    const first = Math.max(0, Math.floor((decDeg - radiusDeg + 90) / cellDeg))
    const last = Math.min(bands - 1, Math.floor((decDeg + radiusDeg + 90) / cellDeg))
    for (let band = first; band <= last; band++) {
      const columns = columnsOf(band)
      const width = 360 / columns
      const cos = Math.cos((Math.min(89.9, Math.abs(decDeg) + radiusDeg) * Math.PI) / 180)
      const reach = Math.min(Math.floor(columns / 2), Math.ceil(radiusDeg / cos / width) + 1)
      const middle = Math.floor(raDeg / width)
      const seen = new Set<number>()
      for (let step = -reach; step <= reach; step++) seen.add((((middle + step) % columns) + columns) % columns)
      for (const column of seen) yield cellAt(band, column, columns)
    }
  }

  const within = (raDeg: number, decDeg: number, radiusDeg: number) => (source: PointSource) =>
    separationDeg(raDeg, decDeg, source.raDeg, source.decDeg) <= radiusDeg

  function galaxiesNear(raDeg: number, decDeg: number, radiusDeg: number): GalaxySource[] {
    return [...cellsNear(raDeg, decDeg, radiusDeg)]
      .flatMap((cell) => cell.galaxies)
      .filter(within(raDeg, decDeg, radiusDeg))
  }

  const transients = schedule ? scheduled(schedule, createRandom(`${seed}/transients`), galaxiesNear) : []

  return {
    sceneAt({ raDeg, decDeg, radiusDeg, atMs, seconds }) {
      const near = within(raDeg, decDeg, radiusDeg)
      const faint = [...cellsNear(raDeg, decDeg, radiusDeg)].flatMap((cell) => cell.stars).filter(near)
      const middleMs = atMs + seconds * 500
      const shining = transients.filter(nearOf(raDeg, decDeg, radiusDeg)).flatMap((one) => {
        const mag = transientMag(one, middleMs)
        return mag === undefined ? [] : [{ raDeg: one.raDeg, decDeg: one.decDeg, mag }]
      })
      return {
        points: [...catalogue.starsNear(raDeg, decDeg, radiusDeg), ...faint, ...shining],
        galaxies: galaxiesNear(raDeg, decDeg, radiusDeg),
        streaks: satellitesAt(seed, raDeg, decDeg, radiusDeg, atMs, seconds),
      }
    },
    transientsNear: (raDeg, decDeg, radiusDeg) => transients.filter(nearOf(raDeg, decDeg, radiusDeg)),
    seeingArcsec(atMs) {
      const minute = Math.floor(atMs / 60_000)
      const slow = 0.08 * Math.sin((2 * Math.PI * (atMs % 5_400_000)) / 5_400_000)
      return meanSeeingArcsec * (1 + slow + 0.03 * createRandom(`${seed}/seeing/${minute}`).normal())
    },
  }
}

const nearOf = (raDeg: number, decDeg: number, radiusDeg: number) => (one: Transient) =>
  separationDeg(raDeg, decDeg, one.raDeg, one.decDeg) <= radiusDeg

/** Magnitude at a time: nothing before the onset, then a slow fading. */
export function transientMag(transient: Transient, atMs: number): number | undefined {
  if (atMs < transient.onsetMs) return undefined
  return transient.peakMag + ((atMs - transient.onsetMs) / 86_400_000) * fadingMagPerDay
}

/** So many that a cell is about square. */
function columnsOf(band: number): number {
  const decDeg = -90 + (band + 0.5) * cellDeg
  return Math.max(1, Math.round((360 / cellDeg) * Math.cos((decDeg * Math.PI) / 180)))
}

function fillCell(
  random: Random,
  band: number,
  column: number,
  columns: number,
): { stars: PointSource[]; galaxies: GalaxySource[] } {
  const width = 360 / columns
  const low = -90 + band * cellDeg
  const areaSquareDeg = width * cellDeg * Math.cos(((low + cellDeg / 2) * Math.PI) / 180)
  const place = (): { raDeg: number; decDeg: number } => ({
    raDeg: (column + random.next()) * width,
    decDeg: low + random.next() * cellDeg,
  })
  const stars = magnitudes(random, faintStars, areaSquareDeg).map((mag) => ({ ...place(), mag }))
  const galaxies = magnitudes(random, galaxyCounts, areaSquareDeg).map(
    (mag): GalaxySource => ({
      ...place(),
      mag,
      radiusArcsec: Math.max(1.5, 6 * 10 ** (-0.15 * (mag - 15)) * Math.exp(0.3 * random.normal())),
      axisRatio: 0.35 + 0.65 * random.next(),
      angleDeg: 180 * random.next(),
      sersicIndex: random.next() < 0.7 ? 1 : 4,
    }),
  )
  return { stars, galaxies }
}

/** Magnitudes drawn from N(<m) ∝ 10^(slope·m), a Poisson number of them. */
function magnitudes(random: Random, counts: typeof faintStars, areaSquareDeg: number): number[] {
  const cumulative = (mag: number): number => counts.at12 * 10 ** (counts.slope * (mag - 12)) * areaSquareDeg
  const [low, high] = [cumulative(counts.from), cumulative(counts.to)]
  const n = random.poisson(high - low)
  return Array.from(
    { length: n },
    () => 12 + Math.log10((low + random.next() * (high - low)) / areaSquareDeg / counts.at12) / counts.slope,
  )
}

/** Every second one in a galaxy where there is one, the others anywhere. */
function scheduled(
  schedule: TransientSchedule,
  random: Random,
  galaxiesNear: (raDeg: number, decDeg: number, radiusDeg: number) => GalaxySource[],
): Transient[] {
  const hosts = galaxiesNear(schedule.raDeg, schedule.decDeg, schedule.radiusDeg).filter((galaxy) => galaxy.mag < 16.5)
  return Array.from({ length: schedule.count }, (_, k) => {
    const host = k % 2 === 1 && hosts.length > 0 ? hosts[random.integer(hosts.length)] : undefined
    const centre = host ?? schedule
    const radiusDeg = host ? (1.2 * host.radiusArcsec) / 3600 : schedule.radiusDeg
    const r = radiusDeg * Math.sqrt(random.next())
    const angle = 2 * Math.PI * random.next()
    const decDeg = centre.decDeg + r * Math.sin(angle)
    const raDeg = centre.raDeg + (r * Math.cos(angle)) / Math.cos((decDeg * Math.PI) / 180)
    const [bright, dim] = schedule.peakMag
    return {
      id: `sim-${k + 1}`,
      raDeg: ((raDeg % 360) + 360) % 360,
      decDeg,
      onsetMs: schedule.epochMs + k * schedule.everySeconds * 1000,
      peakMag: bright + (dim - bright) * random.next(),
      inGalaxy: host !== undefined,
    }
  })
}

/**
 * Satellites that cross the view during the exposure, straight through near the centre. Each ten seconds of it may bring one
 * of its own: where the simulation's time runs fast, exposures overlap, and one satellite must not stay in all of them.
 */
function satellitesAt(
  seed: number,
  raDeg: number,
  decDeg: number,
  radiusDeg: number,
  atMs: number,
  seconds: number,
): StreakSource[] {
  const streaks: StreakSource[] = []
  for (let second = 0; second < seconds; second += satelliteSlotSeconds) {
    const random = createRandom(`${seed}/satellite/${atMs}/${second}`)
    if (random.next() > Math.min(satelliteSlotSeconds, seconds - second) / satelliteEverySeconds) continue
    const angle = 2 * Math.PI * random.next()
    const aside = (random.next() - 0.5) * radiusDeg
    const cos = Math.cos((decDeg * Math.PI) / 180)
    const end = (sign: number): { raDeg: number; decDeg: number } => ({
      raDeg: raDeg + (sign * 1.5 * radiusDeg * Math.cos(angle) - aside * Math.sin(angle)) / cos,
      decDeg: decDeg + sign * 1.5 * radiusDeg * Math.sin(angle) + aside * Math.cos(angle),
    })
    streaks.push({ from: end(-1), to: end(1), mag: 6 + 3 * random.next() })
  }
  return streaks
}

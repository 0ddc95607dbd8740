import type { FrameFacts } from '../frames/fits/facts.ts'
import { horizontal, type Site } from '../observations/ephemeris.ts'
import type { Devices } from './devices.ts'

/** For the header: what the devices say at the start of an exposure. What nobody says stays out of it. */
export function frameFacts(devices: Devices, site: Site, nowMs: number): Partial<FrameFacts> {
  return {
    ...placeFacts(site),
    ...pointingFacts(devices, site, nowMs),
    ...opticsFacts(devices),
    ...clockFacts(devices),
  }
}

const placeFacts = (site: Site): Partial<FrameFacts> => ({
  observatory: site.name,
  latitudeDeg: site.latitudeDeg,
  longitudeDeg: site.longitudeDeg,
  elevationMetres: site.elevationMetres,
})

function pointingFacts({ mount }: Devices, site: Site, nowMs: number): Partial<FrameFacts> {
  const { raDeg, decDeg, pierSide } = mount.state()
  if (!Number.isFinite(raDeg) || !Number.isFinite(decDeg)) return {}
  const { altitudeDeg, azimuthDeg } = horizontal(site, raDeg, decDeg, nowMs)
  const side = pierSide === 'unknown' ? {} : { pierSide: pierSide === 'east' ? ('EAST' as const) : ('WEST' as const) }
  return { raDeg, decDeg, altitudeDeg, azimuthDeg, ...side }
}

function opticsFacts({ camera, focuser, rotator }: Devices): Partial<FrameFacts> {
  const { setPointC, coolerPercent } = camera.state()
  const focus = focuser?.state()
  return known({
    setPointCelsius: setPointC,
    coolerPercent,
    focusSteps: focus?.positionSteps,
    focusCelsius: focus?.temperatureC,
    rotatorDeg: rotator?.state().angleDeg,
  })
}

/** How far the time of the frame can be trusted. */
function clockFacts({ timeSource }: Devices): Partial<FrameFacts> {
  const state = timeSource?.state()
  if (!state?.connected) return {}
  return known({
    clockSource: state.source,
    clockOffsetSeconds: state.offsetSeconds,
    clockUncertaintySeconds: state.uncertaintySeconds,
  })
}

/** Without the fields that are undefined, and without what is no number. */
function known<T extends Record<string, number | string | undefined>>(
  facts: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(facts).filter(([, value]) => typeof value === 'string' || Number.isFinite(value))
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

import { defaultGateSettings, type GateSettings } from '../../../contract/gateSettings.ts'
import type { SiteCase } from './operate.ts'

const site: GateSettings = {
  ...defaultGateSettings,
  // Shorter than anybody should have it, so that more happens.
  recoveryMinutes: 5,
  inputs: {
    ...defaultGateSettings.inputs,
    safety: 'required',
    ups: 'required',
    cover: 'required',
    gps: 'absent',
    guardian: 'absent',
    guider: 'absent',
  },
}
const anyway: GateSettings['roof'] = {
  clearsTelescope: false,
  whenRainAndNotParked: { kind: 'closeAnyway', afterSeconds: 120 },
}
const byDay: GateSettings['sun'] = { coneDeg: 30, maxAltitudeDeg: 90 }

/** Observatories that differ where the rules do. */
export const sites: readonly SiteCase[] = [
  { latitudeDeg: 48, limits: site },
  { latitudeDeg: -30, limits: { ...site, inputs: { ...site.inputs, mountParkedSensor: 'required' }, roof: anyway } },
  { latitudeDeg: 35, limits: { ...site, sun: byDay } },
  {
    latitudeDeg: 52,
    limits: { ...site, sun: byDay, roof: anyway, pointing: { ...site.pointing, mount: 'fork', maxAltitudeDeg: 85 } },
  },
  { latitudeDeg: -45, limits: { ...site, sun: byDay, pointing: { ...site.pointing, counterweightUpDeg: 3 } } },
]

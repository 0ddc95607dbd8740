import type { TonightState } from '../contract/api.ts'
import { horizontal, sunAt } from '../observations/ephemeris.ts'
import { unsafeReasons } from '../observatory/gate/safety.ts'
import type { Night } from './night.ts'
import { queueLimit } from './pipeline.ts'

/** What the Tonight page shows, put together from the night, the devices and the store. */
export function tonightState(night: Night): TonightState {
  const { store, clock, site, commander, pipeline } = night.deps
  const { mount, camera } = commander.devices
  const nowMs = clock.now()
  const gate = commander.look()
  const mountState = mount.state()
  const cameraState = camera.state()
  const reasons = unsafeReasons(gate, night.deps.limits())
  const counts = store.frameCounts(night.nightId)
  const last = store.frames({ nightId: night.nightId, type: 'light', limit: 1 })[0]
  const { pending, validated } = store.detectionCounts()
  const exposure = night.exposure
  const sky = mountState.connected ? horizontal(site, mountState.raDeg, mountState.decDeg, nowMs) : undefined
  return {
    atMs: nowMs,
    nightId: night.nightId,
    phase: night.phase,
    doing: night.doing,
    site: {
      name: site.name,
      latitudeDeg: site.latitudeDeg,
      longitudeDeg: site.longitudeDeg,
      simulated: night.deps.simulated,
    },
    sun: { altitudeDeg: sunAt(site, nowMs).altitudeDeg },
    devices: {
      mount: {
        name: mountState.source,
        connected: mountState.connected,
        ageMs: Math.max(0, nowMs - mountState.atMs),
        summary: mountSummary(mountState),
      },
      camera: {
        name: cameraState.source,
        connected: cameraState.connected,
        ageMs: Math.max(0, nowMs - cameraState.atMs),
        summary: cameraSummary(cameraState),
      },
    },
    ...(sky
      ? {
          pointing: { raDeg: mountState.raDeg, decDeg: mountState.decDeg, ...sky, fieldId: night.field?.fieldId ?? '' },
        }
      : {}),
    ...(exposure
      ? {
          exposure: {
            seconds: exposure.seconds,
            remainingSeconds: remainingSeconds(exposure, cameraState, nowMs),
          },
        }
      : {}),
    frames: { expected: Math.max(night.expectedFrames, counts.captured), ...counts },
    queue: { waiting: pipeline.waiting, running: pipeline.running, limit: queueLimit },
    detections: { pending, validated },
    alerts: store.alertCounts(),
    diskFreeBytes: gate.disk?.value.freeBytes ?? 0,
    ...(last ? { lastFrameId: last.frameId } : {}),
    safety: { safe: reasons.length === 0, reasons },
  }
}

/** As the camera counts it, which knows when the shutter opened; by the clock where a camera does not count. */
function remainingSeconds(
  exposure: { seconds: number; endsAtMs: number },
  camera: { exposing: boolean; remainingSeconds?: number | undefined },
  nowMs: number,
): number {
  const counted = camera.exposing ? camera.remainingSeconds : undefined
  const left = counted ?? (exposure.endsAtMs - nowMs) / 1000
  return Math.min(exposure.seconds, Math.max(0, left))
}

function mountSummary(state: { connected: boolean; parked: boolean; slewing: boolean; tracking: boolean }): string {
  if (!state.connected) return 'not connected'
  if (state.parked) return 'parked'
  if (state.slewing) return 'slewing'
  return state.tracking ? 'tracking' : 'standing'
}

function cameraSummary(state: { connected: boolean; exposing: boolean; temperatureC?: number | undefined }): string {
  if (!state.connected) return 'not connected'
  const temperature = state.temperatureC === undefined ? '' : ` at ${state.temperatureC.toFixed(0)} °C`
  return `${state.exposing ? 'exposing' : 'idle'}${temperature}`
}

import { done } from '@nightjar/firmware-bridge/outcome.ts'
import { expect, it } from 'vitest'
import { createRecovery } from './recovery.ts'
import { highField, openTestSite, type TestSite } from './testing/simulatedSite.ts'
import { startWatchman } from './watchman.ts'

function watch(site: TestSite) {
  const { commander, clock, store, limits, hardware } = site
  const calls: { readonly atMs: number; readonly reasons: readonly string[] }[] = []
  const recovery = createRecovery({
    clock,
    tell: (type, body) => store.commit(clock.now(), (tx) => tx.event(type, body)),
  })
  const watchman = startWatchman({
    commander,
    recovery,
    patients: hardware.patients,
    clock,
    store,
    limits: () => limits,
    onUnsafe: (reasons) => void calls.push({ atMs: clock.now(), reasons }),
  })
  return { watchman, calls }
}

const focuser = 'INDI Focuser Simulator'
const types = (site: TestSite): string[] => site.events().map(({ type }) => type)

it('calls out within seconds of the rain, once a second, and tells the journal once', async () => {
  await using site = await openTestSite()
  const { watchman, calls } = watch(site)
  await using _ = watchman
  await site.clock.advance(30_000)
  expect(calls).toEqual([])
  const wetAtMs = site.clock.now()
  site.truth.weather.setSky({ rainMillimetresPerHour: 0.4 })
  await site.clock.advance(20_000)
  // The station is asked every 5 s, the watchman looks every second.
  expect(calls[0]!.atMs - wetAtMs).toBeLessThanOrEqual(6_000)
  expect(calls[0]!.reasons.join()).toContain('rain')
  expect(
    site.events().filter(({ type, body }) => type === 'safety.changed' && !(body as { safe: boolean }).safe),
  ).toHaveLength(1)
  expect(watchman.verdict.state).toBe('unsafe')
})

it('stops a mount that tracks into the horizon', async () => {
  await using site = await openTestSite()
  const { commander, clock } = site
  commander.takeLease('night', 'test', 24 * 3_600_000)
  for (const action of [{ kind: 'openRoof' }, { kind: 'unpark' }, { kind: 'slew', ...highField }] as const)
    expect(await clock.run(commander.command(action, 'night'))).toEqual(done)
  await using _ = watch(site).watchman
  expect(site.hardware.devices.mount.state().tracking).toBe(true)
  await clock.advance(8 * 3_600_000)
  const { tracking, raDeg, decDeg } = site.hardware.devices.mount.state()
  expect({ tracking, known: Number.isFinite(raDeg + decDeg) }).toEqual({ tracking: false, known: true })
})

it('tells when a device is lost and when it is back, and tries to recover it in between', async () => {
  await using site = await openTestSite()
  const { clock, truth } = site
  await using _ = watch(site).watchman
  await clock.advance(3_000)
  expect(types(site)).toContain('device.connected')
  truth.focuser.device.receive({
    type: 'new',
    kind: 'switch',
    device: 'Focuser Simulator',
    name: 'CONNECTION',
    elements: [{ name: 'DISCONNECT', value: true }],
  })
  truth.focuser.device.refuse('CONNECTION', 'the cable is out')
  await clock.advance(15_000)
  expect(types(site)).toContain('device.disconnected')
  expect(types(site)).toContain('recovery.stepped')
  truth.focuser.device.refuse('CONNECTION', undefined)
  await clock.advance(60_000)
  const told = site.events().flatMap(({ type, body }) => ('device' in body && body.device === focuser ? [type] : []))
  expect(told.slice(0, 2)).toEqual(['device.connected', 'device.disconnected'])
  expect(told).toContain('device.recovered')
  expect(told).not.toContain('device.givenUp')
  expect(site.hardware.devices.focuser?.state().connected).toBe(true)
})

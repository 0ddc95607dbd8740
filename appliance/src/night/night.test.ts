import { done } from '@nightjar/firmware-bridge/outcome.ts'
import { expect, it } from 'vitest'
import type { JournalEvent } from '../contract/events.ts'
import type { GateSettings } from '../contract/gateSettings.ts'
import { createRecovery } from '../observatory/recovery.ts'
import { highField, openTestSite, type TestSite, testSite } from '../observatory/testing/simulatedSite.ts'
import { startWatchman } from '../observatory/watchman.ts'
import { createNight, type Night } from './night.ts'
import { createPipeline } from './pipeline.ts'

const field = { fieldId: 'A', ...highField, exposureSeconds: 60, filter: 'L' }

interface NightAtSite extends AsyncDisposable {
  readonly site: TestSite
  readonly night: Night
  /** In the order of the journal. */
  journal(): string[]
}

/** A night over a simulated site, watched over as the daemon does. */
async function openNight(change: Partial<GateSettings> = {}): Promise<NightAtSite> {
  const stack = new AsyncDisposableStack()
  const site = stack.use(await openTestSite(change))
  const { store, clock, commander, hardware } = site
  const limits = (): GateSettings => site.limits
  const recovery = createRecovery({
    clock,
    tell: (type, body) => store.commit(clock.now(), (tx) => tx.event(type, body)),
  })
  const { patients } = hardware
  const night = createNight({
    store,
    clock,
    site: testSite,
    simulated: true,
    fields: [field],
    calibration: { biasFrames: 0, darkFrames: 0, flatFrames: 0, flatSeconds: 1 },
    limits,
    commander,
    recovery,
    patients,
    pipeline: stack.use(createPipeline(store, clock, [])),
    buildMasters: async () => undefined,
  })
  const onUnsafe = (reasons: readonly string[]): void => night.unsafe(reasons)
  stack.use(startWatchman({ commander, recovery, patients, clock, store, limits, onUnsafe }))
  return {
    site,
    night,
    journal: () =>
      site
        .events()
        .map(inWords)
        .filter((words) => words !== undefined),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function inWords({ type, body }: JournalEvent): string | undefined {
  if (type === 'night.changed') return `night ${body.to}`
  // The first look is no change.
  if (type === 'roof.changed') return body.from === 'unknown' ? undefined : `roof ${body.to}`
  return type === 'frame.captured' ? 'frame' : undefined
}

const atMsOf = ({ site }: NightAtSite, words: string): number =>
  site.events().find((event) => inWords(event) === words)?.atMs ?? Number.NaN

it('opens the roof, images, parks and closes', async () => {
  await using opened = await openNight()
  const { site, night } = opened
  expect(night.start('test')).toEqual(done)
  await site.clock.advance(10 * 60_000)
  expect(await site.clock.run(night.stop('test'))).toEqual(done)
  const journal = opened.journal()
  const frames = journal.filter((words) => words === 'frame').length
  // Ten minutes less the opening, the slew and what an exposure was cut off.
  expect(frames).toBeGreaterThanOrEqual(7)
  const phases = ['preparing', 'calibrating', 'observing', 'closing', 'closed']
  expect(journal.filter((words) => words.startsWith('night'))).toEqual(phases.map((phase) => `night ${phase}`))
  const positions = ['opening', 'open', 'closing', 'closed']
  expect(journal.filter((words) => words.startsWith('roof'))).toEqual(positions.map((position) => `roof ${position}`))
  expect(site.truth.roof.opening()).toBe(0)
})

it('in rain ends the exposure at once, parks, and closes the roof only then', async () => {
  await using opened = await openNight()
  const { site, night } = opened
  night.start('test')
  await site.clock.advance(5 * 60_000)
  const wetAtMs = site.clock.now()
  site.truth.weather.setSky({ rainMillimetresPerHour: 2 })
  await site.clock.run(night.finished())
  // The station is asked every 5 s and the watchman looks every second; then the slew to the pole at 6 degrees a second and
  // the roof in 12 s.
  expect(atMsOf(opened, 'night closing') - wetAtMs).toBeLessThanOrEqual(7_000)
  expect(atMsOf(opened, 'night closed') - wetAtMs).toBeLessThanOrEqual(60_000)
  expect(night.doing).toContain('rain')
  expect(site.truth.roof.opening()).toBe(0)
  expect(night.phase).toBe('closed')
})

it('waits with its reason until it may open, and opens nothing before', async () => {
  await using opened = await openNight()
  const { site, night } = opened
  site.truth.weather.setSky({ rainMillimetresPerHour: 2 })
  await site.clock.advance(20_000)
  expect(night.start('test')).toEqual(done)
  await site.clock.advance(10 * 60_000)
  expect(night.doing).toMatch(/^Waiting: .*rain/)
  expect(opened.journal()).toEqual(['night preparing'])
  site.truth.weather.setSky({ rainMillimetresPerHour: 0 })
  await site.clock.advance(60_000)
  expect(opened.journal()).toContain('roof open')
  expect(await site.clock.run(night.stop('test'))).toEqual(done)
})

it('is at fault while the roof is stuck, goes on closing, and is closed when somebody frees it', async () => {
  await using opened = await openNight()
  const { site, night } = opened
  night.start('test')
  await site.clock.advance(3 * 60_000)
  site.truth.roof.jam(true)
  expect(await site.clock.run(night.stop('test'))).toMatchObject({ ok: false, reason: expect.stringContaining('roof') })
  expect(night.phase).toBe('fault')
  expect(night.start('test')).toMatchObject({ ok: false })
  site.truth.roof.jam(false)
  await site.clock.advance(10 * 60_000)
  expect(night.phase).toBe('closed')
  expect(site.truth.roof.opening()).toBe(0)
})

it('leaves the observatory alone while somebody else holds the lease', async () => {
  await using opened = await openNight()
  const { site, night } = opened
  site.commander.takeLease('session:ada', 'ada', 60_000)
  expect(night.start('test')).toMatchObject({ ok: false, reason: expect.stringContaining('session:ada') })
  expect(opened.journal()).toEqual([])
})

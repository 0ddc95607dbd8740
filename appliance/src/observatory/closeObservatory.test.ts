import { done } from '@nightjar/firmware-bridge/outcome.ts'
import { expect, it } from 'vitest'
import { closeObservatory } from './closeObservatory.ts'
import { highField, openTestSite, type TestSite } from './testing/simulatedSite.ts'

const forever = new AbortController().signal

async function openedSite(): Promise<TestSite> {
  const site = await openTestSite()
  const { commander, clock } = site
  commander.takeLease('night', 'test', 3_600_000)
  const steps = [{ kind: 'openRoof' }, { kind: 'unpark' }, { kind: 'slew', ...highField }] as const
  for (const action of steps) expect(await clock.run(commander.command(action, 'night'))).toEqual(done)
  return site
}

function closing(site: TestSite, signal = forever) {
  const alarms: string[] = []
  const { commander, clock, limits } = site
  const onAlarm = (alarm: string): void => void alarms.push(alarm)
  return { alarms, closed: closeObservatory({ commander, clock, limits: () => limits, by: 'panic', onAlarm }, signal) }
}

/** Whether the roof was ever less than open while the telescope was not parked. */
async function watchForHarm(site: TestSite, until: Promise<unknown>): Promise<string[]> {
  const harm: string[] = []
  let over = false
  void until.finally(() => {
    over = true
  })
  while (!over) {
    const parked = site.truth.mount.device.isOn('TELESCOPE_PARK', 'PARK')
    if (!parked && site.truth.roof.opening() < 1) harm.push(`at ${site.clock.now()}`)
    await site.clock.sleep(100)
  }
  return harm
}

it('parks first, closes then, and is done when both read so', async () => {
  await using site = await openedSite()
  const { alarms, closed } = closing(site)
  const harm = site.clock.run(watchForHarm(site, closed))
  expect(await harm).toEqual([])
  expect(await closed).toBe(true)
  expect(site.truth.roof.opening()).toBe(0)
  expect(alarms).toEqual([])
})

it('repeats the close over a roof that is stuck, sounds the alarm, and is done when somebody frees it', async () => {
  await using site = await openedSite()
  const { clock, truth } = site
  truth.roof.jam(true)
  const { alarms, closed } = closing(site)
  await clock.advance(10 * 60_000)
  expect(alarms.at(-1)).toMatch(/the roof has not closed for \d+ s, longer than 120 s/)
  expect(truth.roof.opening()).toBe(1)
  truth.roof.jam(false)
  expect(await clock.run(closed)).toBe(true)
  expect(truth.roof.opening()).toBe(0)
})

it('does not close over a mount that refuses to park, sounds the alarm, and goes on asking', async () => {
  await using site = await openedSite()
  const { clock, truth } = site
  truth.mount.device.refuse('TELESCOPE_PARK', 'the motor does not turn')
  const { alarms, closed } = closing(site)
  await clock.advance(10 * 60_000)
  expect(truth.roof.opening()).toBe(1)
  expect(alarms.at(-1)).toMatch(/the mount has not parked for \d+ s, longer than 120 s/)
  truth.mount.device.refuse('TELESCOPE_PARK', undefined)
  expect(await clock.run(closed)).toBe(true)
  expect(truth.roof.opening()).toBe(0)
})

it('ends without being closed only when it is told to', async () => {
  await using site = await openedSite()
  site.truth.roof.jam(true)
  const stop = new AbortController()
  const { closed } = closing(site, stop.signal)
  await site.clock.advance(60_000)
  stop.abort()
  expect(await site.clock.run(closed)).toBe(false)
})

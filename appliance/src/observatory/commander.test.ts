import { done } from '@nightjar/firmware-bridge/outcome.ts'
import { describe, expect, it } from 'vitest'
import type { Action } from './gate/command.ts'
import { highField, openTestSite, type TestSite } from './testing/simulatedSite.ts'

const minuteMs = 60_000

function ask(site: TestSite, action: Action) {
  return site.clock.run(site.commander.command(action, 'night'))
}

async function open(site: TestSite): Promise<void> {
  expect(site.commander.takeLease('night', 'test', 60 * minuteMs)).toEqual(done)
  expect(await ask(site, { kind: 'openRoof' })).toEqual(done)
  expect(await ask(site, { kind: 'unpark' })).toEqual(done)
  expect(await ask(site, { kind: 'slew', ...highField })).toEqual(done)
}

describe('a command', () => {
  it('goes nowhere without the lease, and nowhere while another holds it', async () => {
    await using site = await openTestSite()
    const { commander } = site
    expect(await ask(site, { kind: 'openRoof' })).toMatchObject({ ok: false, reason: expect.stringContaining('lease') })
    expect(commander.takeLease('session:ada', 'ada', minuteMs)).toEqual(done)
    expect(commander.takeLease('night', 'test', minuteMs)).toMatchObject({ ok: false })
    await site.clock.advance(minuteMs + 1)
    expect(commander.takeLease('night', 'test', minuteMs)).toEqual(done)
    expect(site.truth.roof.opening()).toBe(0)
  })

  it('opens the roof before the mount leaves its place, and parks before it closes', async () => {
    await using site = await openTestSite()
    const { commander, truth } = site
    commander.takeLease('night', 'test', 60 * minuteMs)
    expect(await ask(site, { kind: 'unpark' })).toMatchObject({ reason: expect.stringContaining('the roof is closed') })
    await open(site)
    expect(truth.roof.opening()).toBe(1)
    expect(await ask(site, { kind: 'closeRoof' })).toMatchObject({ reason: expect.stringContaining('not parked') })
    expect(truth.roof.opening()).toBe(1)
    expect(await ask(site, { kind: 'park' })).toEqual(done)
    expect(await ask(site, { kind: 'closeRoof' })).toEqual(done)
    expect(truth.roof.opening()).toBe(0)
    expect(site.events().filter(({ type }) => type === 'command.denied')).toHaveLength(2)
  })

  it('that is under way leaves the device unknown: the roof does not close over a mount that is unparking', async () => {
    await using site = await openTestSite()
    site.commander.takeLease('night', 'test', 60 * minuteMs)
    await ask(site, { kind: 'openRoof' })
    const unparking = site.commander.command({ kind: 'unpark' }, 'night')
    expect(site.commander.ask({ kind: 'closeRoof' }, 'night')).toMatchObject({ allow: false })
    expect(await site.clock.run(unparking)).toEqual(done)
  })

  it('fails when the roof says it moved and its switches say otherwise, and the journal knows', async () => {
    await using site = await openTestSite()
    site.commander.takeLease('night', 'test', 60 * minuteMs)
    site.truth.roof.jam(true)
    expect(await ask(site, { kind: 'openRoof' })).toMatchObject({ ok: false })
    expect(site.truth.roof.opening()).toBe(0)
  })

  it('is refused in rain, and for a while after it', async () => {
    await using site = await openTestSite({ recoveryMinutes: 20 })
    const { clock, truth, commander } = site
    // A process that has just started has not seen the time before.
    await clock.advance(21 * minuteMs)
    commander.takeLease('night', 'test', 600 * minuteMs)
    truth.weather.setSky({ rainMillimetresPerHour: 1 })
    await clock.advance(20_000)
    expect(await ask(site, { kind: 'openRoof' })).toMatchObject({ reason: expect.stringContaining('rain') })
    truth.weather.setSky({ rainMillimetresPerHour: 0 })
    await clock.advance(5 * minuteMs)
    expect(await ask(site, { kind: 'openRoof' })).toMatchObject({ reason: expect.stringContaining('20 min') })
    await clock.advance(17 * minuteMs)
    commander.look()
    expect(await ask(site, { kind: 'openRoof' })).toEqual(done)
  })

  it('is refused when the weather station has gone deaf for longer than its word holds', async () => {
    await using site = await openTestSite()
    site.commander.takeLease('night', 'test', 60 * minuteMs)
    site.commander.look()
    site.truth.weather.setDeaf(true)
    await site.clock.advance(20_000)
    expect(await ask(site, { kind: 'openRoof' })).toMatchObject({ reason: expect.stringContaining('silent') })
  })

  it('for a device that the site has not says so', async () => {
    await using site = await openTestSite()
    site.commander.takeLease('night', 'test', 60 * minuteMs)
    expect(await ask(site, { kind: 'rotate', angleDeg: 10 })).toMatchObject({ reason: 'this site has no rotator' })
  })
})

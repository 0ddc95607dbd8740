import { join } from 'node:path'
import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { describe, expect, it } from 'vitest'
import { giveLabel } from '../curation/giveLabel.ts'
import { temporaryFolder } from '../store/testing/samples.ts'
import { startPostgres } from './startPostgres.ts'
import { hasPostgres, startTestCentral } from './testing/receivers.ts'
import { destinationOf, openSite } from './testing/site.ts'

/** A data base for the central, or undefined for SQLite. */
type StartDatabase = (stack: AsyncDisposableStack) => Promise<string | undefined>

const databases: [string, boolean, StartDatabase][] = [
  ['SQLite', true, async () => undefined],
  [
    'PostgreSQL',
    hasPostgres,
    async (stack) => stack.use(await startPostgres(stack.use(temporaryFolder()).path, systemClock)).url,
  ],
]

describe.each(databases)('from a scored detection to an acknowledged alert in %s', (_, installed, startDatabase) => {
  const on = it.skipIf(!installed)

  on('over HTTPS, with every revision, from several sites', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(temporaryFolder()).path
    const receiver = stack.use(await startTestCentral(folder, await startDatabase(stack)))
    const roof = stack.use(openSite(join(folder, 'roof'), 'Roof', destinationOf(receiver)))
    const dome = stack.use(openSite(join(folder, 'dome'), 'Dome', destinationOf(receiver)))
    for (const site of [roof, dome]) site.scored('f1', 60)
    await Promise.all([roof.runUntilDelivered(20_000), dome.runUntilDelivered(20_000)])
    // Both sites saw the same 60 places.
    expect(await receiver.central.storage.counts()).toEqual({ alerts: 120, objects: 60 })
    const [first] = roof.store.alertsOf('f1-1')
    expect(roof.store.events(0, 1000).filter(({ type }) => type === 'alert.forwarded')).toHaveLength(60)
    giveLabel(roof.store, systemClock, 'f1-1', 'bogus', 'ann')
    await roof.runUntilDelivered(20_000)
    expect(await receiver.central.storage.alert(first!.eventId)).toMatchObject({
      rev: 2,
      class: 'artefact',
      validatedBy: 'ann',
      site: 'Roof',
    })
    expect((await roof.store.verify()).problems.filter((problem) => !problem.includes('missing'))).toEqual([])
  })

  on('again and again, to one row', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(temporaryFolder()).path
    const receiver = stack.use(await startTestCentral(folder, await startDatabase(stack)))
    const site = stack.use(openSite(join(folder, 'roof'), 'Roof', destinationOf(receiver)))
    site.scored('f1', 3)
    await site.runUntilDelivered(20_000)
    const sent = site.store.alerts(10)
    for (let again = 0; again < 5; again++) {
      site.store.commit(systemClock.now(), (tx) => {
        for (const { eventId, rev, destination } of sent) {
          tx.updateAlert(eventId, rev, destination, { state: 'waiting' })
          tx.reopenJob('forwarding', eventId)
        }
      })
      await site.runUntilDelivered(20_000)
    }
    expect(await receiver.central.storage.counts()).toEqual({ alerts: 3, objects: 3 })
    const receipts = site.store.alerts(10).map(({ receipt }) => receipt)
    expect(receipts).toEqual(sent.map(({ receipt }) => receipt))
  })

  on('while the receiver comes and goes', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(temporaryFolder()).path
    const database = await startDatabase(stack)
    let receiver = await startTestCentral(folder, database)
    const port = Number(new URL(receiver.central.url).port)
    const site = stack.use(openSite(join(folder, 'roof'), 'Roof', destinationOf(receiver)))
    for (let round = 0; round < 3; round++) {
      await receiver[Symbol.asyncDispose]()
      site.scored(`f${round}`, 10)
      await site.run()
      expect(site.store.alertCounts()).toEqual({ waiting: 10, delivered: 10 * round, dead: 0 })
      receiver = await startTestCentral(folder, database, port)
      await site.runUntilDelivered(20_000)
    }
    expect(await receiver.central.storage.counts()).toEqual({ alerts: 30, objects: 30 })
    await receiver[Symbol.asyncDispose]()
  })
})

describe('a receiver that does not know our token', () => {
  it('pauses the destination and loses nothing', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(temporaryFolder()).path
    const receiver = stack.use(await startTestCentral(folder))
    const stranger = stack.use(await startTestCentral(join(folder, 'stranger')))
    const destination = { ...destinationOf(receiver), tokenFile: stranger.tokenFile }
    const site = stack.use(openSite(join(folder, 'roof'), 'Roof', destination))
    site.scored('f1', 2)
    await site.run()
    expect(site.forwarding.resting()).toMatchObject([
      { needsAttention: true, reason: expect.stringMatching(/^401 the bearer token/) },
    ])
    expect(site.store.alertCounts()).toEqual({ waiting: 2, delivered: 0, dead: 0 })
  })

  it('that shows another certificate is not spoken to', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(temporaryFolder()).path
    const receiver = stack.use(await startTestCentral(folder))
    const stranger = stack.use(await startTestCentral(join(folder, 'stranger')))
    const destination = { ...destinationOf(receiver), caFile: stranger.caFile }
    const site = stack.use(openSite(join(folder, 'roof'), 'Roof', destination))
    site.scored('f1', 1)
    await site.run()
    expect(site.store.alertCounts()).toEqual({ waiting: 1, delivered: 0, dead: 0 })
    expect(site.store.alerts(1)[0]!.lastError).toMatch(/self-signed|verify/)
    expect(await receiver.central.storage.counts()).toEqual({ alerts: 0, objects: 0 })
  })
})

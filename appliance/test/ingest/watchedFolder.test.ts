import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { expect, it } from 'vitest'
import { defaultSettings, type Settings } from '../../src/contract/config.ts'
import { startDaemon } from '../../src/daemon.ts'
import { createCompute } from '../../src/frames/compute.ts'
import { offloadInline } from '../../src/frames/offload.ts'
import { openStarCatalogue } from '../../src/observations/starCatalogue.ts'
import { openHardware } from '../../src/observatory/openHardware.ts'
import { foreignFile } from '../../src/observatory/testing/foreignFile.ts'
import {
  createSimulatedObservatory,
  deviceNames,
  simulatedDevices,
  simulatedGate,
} from '../../src/simulation/observatory.ts'
import { simulatedSite } from '../../src/simulation/scenario.ts'
import { createSky } from '../../src/simulation/sky.ts'
import { temporaryFolder } from '../../src/store/testing/samples.ts'

it('a daemon takes files that appear in its watched folder as frames, and its pipeline works on them', async () => {
  using folder = temporaryFolder()
  const clock = new VirtualClock(Date.UTC(2026, 10, 21, 12))
  const watched = join(folder.path, 'in')
  mkdirSync(watched)
  const site = simulatedSite(clock.now())
  const sky = createSky({ seed: 1, catalogue: openStarCatalogue() })
  const settings: Settings = {
    ...defaultSettings,
    ...{ devices: simulatedDevices, gate: simulatedGate, site, ingest: { folder: watched, everySeconds: 10 } },
    fields: [{ fieldId: 'M31', raDeg: 10.684708, decDeg: 41.26875, exposureSeconds: 30, filter: 'L' }],
  }
  await using observatory = await createSimulatedObservatory({
    ...{ seed: 1, clock, site, sky, widthPixels: 64, heightPixels: 64 },
  })
  await using hardware = await openHardware({
    ...{ devices: settings.devices, site, clock, random: createRandom('indi'), arcsecPerPixel: 2 },
    simulated: { connect: observatory.connect, names: deviceNames },
  })
  const work = (async () => {
    await using daemon = await startDaemon({
      ...{ folder: join(folder.path, 'data'), settings, clock, random: createRandom('forwarding'), hardware },
      ...{ offload: offloadInline(createCompute({ threads: 1 })), destinations: [], simulated: true },
    })
    await clock.sleep(15_000)
    writeFileSync(join(watched, 'm31.fits'), foreignFile())
    writeFileSync(join(watched, 'notes.fits'), 'not a picture')
    await clock.sleep(60_000)
    await daemon.idle()
    return daemon.store.events(0, 1000).filter(({ type }) => type.startsWith('frame.'))
  })()
  const events = await clock.run(work)
  const [captured] = events.filter(({ type }) => type === 'frame.captured')
  expect(captured?.body).toMatchObject({ fieldId: 'M31', provenance: { source: 'folder', name: 'm31.fits' } })
  expect(events.filter(({ type }) => type === 'frame.refused')).toMatchObject([
    { body: { source: 'folder', name: 'notes.fits', reason: expect.stringMatching(/not a FITS file/) } },
  ])
  // Sixteen pixels of noise hold no stars: the pipeline says so.
  expect(events.at(-1)).toMatchObject({ type: 'frame.rejected' })
})

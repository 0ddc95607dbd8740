import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, test } from 'vitest'
import { defaultSettings, type FieldSettings } from '../contract/config.ts'
import { type Compute, createCompute } from '../frames/compute.ts'
import { openFits, readFrame } from '../frames/fits/read.ts'
import { encodeFrame } from '../frames/fits/write.ts'
import type { Frame } from '../frames/frame.ts'
import { offloadInline } from '../frames/offload.ts'
import { pixelToSky, skyToPixel, type Wcs, wcsFromHeader, wcsToHeader } from '../frames/wcs.ts'
import { hashFile } from '../store/frameFiles.ts'
import { openStore } from '../store/openStore.ts'
import { sampleDetection, sampleFrame, temporaryFolder } from '../store/testing/samples.ts'
import { archiveFrame, binnedWcs } from './archiveFrame.ts'
import type { PictureRequest } from './archives/archive.ts'
import { createDownload } from './archives/download.ts'
import { hips2fits } from './archives/hips2fits.ts'
import { panstarrs } from './archives/panstarrs.ts'
import { type Answer, archiveServer, PatientClock } from './archives/testing/archiveServer.ts'
import { differenceFrames } from './difference.ts'
import { createDifferencingStage } from './run.ts'
import { fetchReference, keepReferences } from './runArchives.ts'
import { makeScene } from './testScene.ts'

const compute = createCompute({ threads: 2 })
afterAll(() => compute[Symbol.dispose]())

const field: FieldSettings = { fieldId: 'F1', raDeg: 180, decDeg: 20, exposureSeconds: 30, filter: 'r' }
const [width, height] = [400, 360]
const scaleArcsec = 1
/** The frame is turned by 20° on the sky. */
const turn = (20 * Math.PI) / 180
const cd = (scale: number, angle: number): Wcs['cd'] => [
  (-scale / 3600) * Math.cos(angle),
  (scale / 3600) * Math.sin(angle),
  (scale / 3600) * Math.sin(angle),
  (scale / 3600) * Math.cos(angle),
]
const scienceWcs: Wcs = {
  referencePixel: [(width - 1) / 2, (height - 1) / 2],
  ...{ raDeg: 180, decDeg: 20, cd: cd(scaleArcsec, turn) },
}
/** Pixels of Pan-STARRS, with the reference pixel far outside as its skycells have it. */
const [wide, archiveScale] = [1900, 0.25]
const archiveWcs: Wcs = {
  referencePixel: [(wide - 1) / 2, (wide - 1) / 2],
  ...{ raDeg: 180, decDeg: 20, cd: cd(archiveScale, 0) },
}
const newcomer = { x: 250.3, y: 140.7, flux: 6000 }

interface Sky {
  readonly raDeg: number
  readonly decDeg: number
  readonly flux: number
}

function stars(): Sky[] {
  const random = createRandom('archive/stars')
  return Array.from({ length: 260 }, () => {
    const { raDeg, decDeg } = pixelToSky(
      scienceWcs,
      width * (1.2 * random.next() - 0.1),
      height * (1.2 * random.next() - 0.1),
    )
    return { raDeg, decDeg, flux: Math.min(4e5, 900 * Math.max(1e-3, random.next()) ** (-1 / 0.7)) }
  })
}

function scene(
  wcs: Wcs,
  size: { width: number; height: number },
  fwhm: number,
  share: number,
  more: (typeof newcomer)[] = [],
): Frame {
  const addedStars = stars().map(({ raDeg, decDeg, flux }) => ({
    ...skyToPixel(wcs, raDeg, decDeg)!,
    flux: share * flux,
  }))
  const { science } = makeScene(compute, {
    ...{ ...size, seed: `archive/${size.width}`, starsPerMpix: 0, galaxiesPerMpix: 0, fwhmSciencePixels: fwhm },
    ...{ distortionPixels: 0, psfVariation: 0, skyElectrons: size.width === width ? 400 : 25, readNoiseElectrons: 4 },
    addedStars: [...addedStars, ...more],
  })
  return { ...science, header: wcsToHeader(science.header, wcs) }
}

const scienceFrame = (): Frame => scene(scienceWcs, { width, height }, 3, 1, [newcomer])
/** FWHM 1.3″, ten times the flux of the frame. */
const archivePicture = (): Uint8Array => encodeFrame(scene(archiveWcs, { width: wide, height: wide }, 5.2, 10))

const request: PictureRequest = {
  ...{ raDeg: 180, decDeg: 20, widthDeg: 0.105, heightDeg: 0.095, scaleArcsecPerPixel: scaleArcsec, filter: 'r' },
}

const names =
  'projcell subcell ra dec filter mjd type filename shortname badflag\n1 1 180 20 r 0 stack /a.fits a.fits 0\n'
const ps1 =
  (picture: Uint8Array): Answer =>
  (url, _, response) => {
    response.end(url.pathname.endsWith('ps1filenames.py') ? names : picture)
  }

describe('a picture of an archive in four times finer pixels', () => {
  test('is summed to the scale of the frames, and a new star is found against it', () => {
    using _scratch = compute.scope()
    const made = archiveFrame(compute, pictureOnce(compute), request, 'Pan-STARRS')
    if (!made.ok) throw new Error(made.reason)
    expect([made.bin, made.frame.width]).toEqual([4, 475])
    expect(made.coverage).toBeGreaterThan(0.99)
    expect(made.scaleArcsecPerPixel).toBeCloseTo(1, 6)
    const { candidates, summary } = differenceFrames(compute, scienceFrame(), made.frame)
    const found = candidates.find(({ x, y }) => Math.hypot(x - newcomer.x, y - newcomer.y) < 1)
    expect(found?.scorr).toBeGreaterThan(15)
    expect(Math.abs(found!.fluxAdu / newcomer.flux - 1)).toBeLessThan(0.1)
    expect(summary.fluxRatio).toBeGreaterThan(9.5)
    expect(summary.fluxRatio).toBeLessThan(10.5)
    const others = candidates.filter((one) => one !== found && one.scorr > 0)
    expect(others).toEqual([])
  })

  test('keeps every pixel in its place on the sky, with a distortion too', () => {
    const sip = { a: [{ p: 2, q: 0, value: 2e-5 }], b: [{ p: 1, q: 1, value: -1e-5 }] }
    const before: Wcs = { ...archiveWcs, sip }
    const after = binnedWcs(before, 4)
    for (const [x, y] of [
      [0, 0],
      [100, 321],
    ] as const) {
      // The centre of a summed pixel is the middle of the sixteen.
      const [a, b] = [pixelToSky(after, x, y), pixelToSky(before, 4 * x + 1.5, 4 * y + 1.5)]
      expect(Math.abs(a.raDeg - b.raDeg) + Math.abs(a.decDeg - b.decDeg)).toBeLessThan(1e-10)
    }
  })

  test('is refused when half of the field is blank, as zeros or as NaN, or nothing but sky', () => {
    for (const blank of [0, Number.NaN]) {
      using _scratch = compute.scope()
      const frame = readFrame(compute, pictureOnce(compute))
      frame.science.data.fill(blank, 0, wide * wide * 0.55)
      const made = archiveFrame(compute, encodeFrame(frame), request, 'it')
      expect(made.ok ? '' : made.reason).toMatch(/only \d\d % of the field has values/)
    }
    using _scratch = compute.scope()
    const made = archiveFrame(
      compute,
      encodeFrame(scene(archiveWcs, { width: wide, height: wide }, 5.2, 0)),
      request,
      'it',
    )
    expect(made.ok ? '' : made.reason).toMatch(/\d clean stars in it, and 8 are needed/)
  })
})

describe('the reference of a field', () => {
  const quality = {
    ...{ stars: 100, fwhmPixels: 3, ellipticity: 0.1, skyAdu: 500, skyRmsAdu: 20, solved: true },
    ...{ grade: 'good' as const, reasons: [] },
  }

  test('comes from an archive until own frames take its place; both versions stay', async () => {
    using folder = temporaryFolder()
    await using offload = offloadInline(createCompute({ threads: 1 }))
    using store = openStore(folder.path)
    const clock = new PatientClock()
    const picture = pictureOnce(compute)
    await using server = await archiveServer(ps1(picture))
    const deps = { store, clock, offload, download: createDownload({ fetch, clock }) }
    const broken = hips2fits('http://127.0.0.1:9/none')
    const outcome = await fetchReference(deps, field, request, [broken, panstarrs(server.url)])
    if (!outcome.ok) throw new Error(outcome.reason)
    const { reference } = outcome
    expect(reference).toMatchObject({
      ...{ version: 1, frames: 1, filter: 'r', fieldId: 'F1' },
      archive: { service: 'panstarrs', survey: 'PS1 3pi stack r', kind: 'ccd', bin: 4, bytes: picture.length },
    })
    expect(reference.path).toBe(`references/${(await hashFile(join(folder.path, reference.path))).sha256}.fits`)
    const header = openFits(join(folder.path, reference.path)).hdus[0]!.header
    expect(header.text('REFURL')).toMatch(/fitscut\.cgi\?red=%2Fa\.fits/)
    expect(header.text('REFSHA')).toBe(reference.archive!.sha256)
    const middle = skyToPixel(wcsFromHeader(header)!, 180, 20)!
    expect(Math.hypot(middle.x - 237, middle.y - 237)).toBeLessThan(1)
    expect(store.references(10)).toEqual([reference])
    expect(store.events(0, 10).map(({ type, body }) => [type, body])).toMatchObject([
      ['reference.built', { service: 'panstarrs', referenceId: reference.referenceId }],
    ])
    expect(await store.verify()).toMatchObject({ ok: true })

    // The stage uses it at once.
    mkdirSync(join(folder.path, 'calibrated'))
    {
      using _scratch = compute.scope()
      writeFileSync(join(folder.path, 'calibrated/a.fits'), encodeFrame(scienceFrame()))
    }
    const stage = createDifferencingStage({ ...deps, settings: () => ({ references: { frames: 2 } }) })
    const put = async (frameId: string, state: 'calibrated' | 'scored'): Promise<void> => {
      const known = {
        frameId,
        path: `frames/${frameId}.fits`,
        fieldId: 'F1',
        filter: 'r',
        capturedAtMs: store.lastSeq(),
      }
      store.commit(1, (tx) =>
        tx.putFrame(sampleFrame({ ...known, state, quality, calibratedPath: 'calibrated/a.fits' })),
      )
      if (state === 'scored') return
      store.commit(1, (tx) => tx.reopenJob('differencing', frameId))
      await stage.run(store.nextJob('differencing', clock.now())!)
    }
    await put('a', 'calibrated')
    expect(store.frame('a')!.state).toBe('differenced')
    const found = store.events(0, 100).findLast(({ type }) => type === 'candidates.found')
    expect(found?.body).toMatchObject({ referenceId: reference.referenceId })
    // What was found and not dismissed stays out of a reference.
    store.commit(1, (tx) => tx.updateFrame('a', { state: 'scored' }))
    store.commit(1, (tx) => tx.putDetection(sampleDetection({ frameId: 'a', detectionId: 'a-1' })))
    await put('b', 'scored')
    await put('c', 'calibrated')
    expect(store.reference('F1', 'r')!.referenceId).toBe(reference.referenceId)
    store.commit(1, (tx) => tx.updateDetection('a-1', { state: 'dismissed' }))
    await put('d', 'calibrated')
    const own = store.reference('F1', 'r')!
    expect(own).toMatchObject({
      version: 2,
      replaces: reference.referenceId,
      reason: 'own frames instead of panstarrs',
    })
    expect(own.archive).toBeUndefined()
    expect(existsSync(join(folder.path, reference.path))).toBe(true)
    expect(await fetchReference(deps, field, request, [panstarrs(server.url)])).toEqual({
      ok: false,
      reason: 'F1 has a reference of its own frames in r, which is better',
    })
  })

  test('is fetched in the background for fields without one, only when archives are set, and once a day', async () => {
    using folder = temporaryFolder()
    await using offload = offloadInline(createCompute({ threads: 1 }))
    using store = openStore(folder.path)
    store.commit(1, (tx) => tx.putFrame(sampleFrame({ fieldId: 'F1', width, height })))
    const picture = pictureOnce(compute)
    await using server = await archiveServer(ps1(picture))
    const looks = async (archives: boolean, fields: FieldSettings[], count: number) => {
      const stop = new AbortController()
      const troubles: string[] = []
      let left = count
      const patient = new PatientClock()
      // The keeper's own look is the only sleep that is counted; time stands still between looks.
      const clock = Object.assign(patient, {
        sleep: async (ms: number, signal?: AbortSignal) => {
          if (ms === 600_000) return --left === 0 ? stop.abort() : undefined
          return PatientClock.prototype.sleep.call(patient, ms, signal)
        },
      })
      const references = {
        frames: 8,
        ...(archives && { archives: [{ service: 'panstarrs' as const, url: server.url }] }),
      }
      const camera = { ...defaultSettings.camera, pixelMicrometres: 5, focalLengthMillimetres: 1031.32403 }
      const settings = () => ({ fields, camera, references })
      const download = createDownload({ fetch, clock })
      const onTrouble = (reason: string) => troubles.push(reason)
      await keepReferences({ store, clock, offload, download, settings, onTrouble }, stop.signal)
      return troubles
    }
    expect(await looks(false, [field], 2)).toEqual([])
    expect(server.asked).toEqual([])
    const south = { ...field, fieldId: 'S1', decDeg: -60 }
    expect(await looks(true, [field, south], 3)).toEqual([
      'no reference of S1: Pan-STARRS saw nothing south of declination −30°',
    ])
    expect(store.reference('F1', 'r')?.archive?.service).toBe('panstarrs')
    expect(server.asked).toHaveLength(2)
  })
})

let made: Uint8Array | undefined
function pictureOnce(memory: Compute): Uint8Array {
  using _scratch = memory.scope()
  made ??= Buffer.from(archivePicture())
  expect(readFrame(memory, made).width).toBe(wide)
  return made
}

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { VirtualClock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera, ExposureRequest } from '@nightjar/firmware-bridge/devices/camera.ts'
import { createIndiCamera } from '@nightjar/firmware-bridge/devices/indiCamera.ts'
import { createIndiMount } from '@nightjar/firmware-bridge/devices/indiMount.ts'
import type { Mount } from '@nightjar/firmware-bridge/devices/mount.ts'
import { createIndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, describe, expect, it } from 'vitest'
import { type FitsFile, firstImage, imageSize, openFits } from '../frames/fits/read.ts'
import { separationDeg } from '../observations/ephemeris.ts'
import { openStarCatalogue } from '../observations/starCatalogue.ts'
import { createSimulatedObservatory, deviceNames, filterWheel } from './observatory.ts'
import { createSky } from './sky.ts'

const run = promisify(execFile)
const startMs = Date.UTC(2026, 10, 21, 22)
const site = { name: 'test', latitudeDeg: 28.76, longitudeDeg: -17.88, elevationMetres: 2396 }
const catalogue = openStarCatalogue()
/** 2° from the Pleiades' centre, high that night. */
const place = { raDeg: 56.75, decDeg: 24.12 }

interface Visit {
  readonly camera: Camera
  readonly mount: Mount
  readonly clock: VirtualClock
}

/** Everything in `visit` happens on a virtual clock, with the mount unparked and both devices connected. */
function observe<T>(seed: number, sizePixels: number, visit: (at: Visit) => Promise<T>): Promise<T> {
  const clock = new VirtualClock(startMs)
  const whole = async (): Promise<T> => {
    const sky = createSky({ seed, catalogue })
    const size = { widthPixels: sizePixels, heightPixels: sizePixels }
    await using observatory = createSimulatedObservatory({ seed, clock, site, sky, ...size })
    await using client = createIndiClient(observatory.connect, { clock, random: createRandom(1) })
    await using mount = createIndiMount(client, deviceNames.mount, { clock })
    await using camera = createIndiCamera(client, deviceNames.camera, { clock })
    while (!mount.state().connected || !camera.state().connected) await clock.sleep(100)
    expect(await mount.unpark()).toEqual({ ok: true })
    return await visit({ camera, mount, clock })
  }
  return clock.run(whole())
}

async function frameOf(
  camera: Camera,
  request: Partial<ExposureRequest> = {},
): Promise<{ bytes: Uint8Array; file: FitsFile }> {
  const frame = await camera.expose({ seconds: 5, frameType: 'light', ...request })
  if (!frame.ok) throw new Error(frame.reason)
  return { bytes: frame.bytes, file: openFits(frame.bytes) }
}

const header = (file: FitsFile) => firstImage(file).header

describe('the simulated observatory', () => {
  it('takes the frames that it was asked for', async () => {
    await observe(7, 256, async ({ camera, mount }) => {
      expect(await mount.slew(place.raDeg, place.decDeg, 120_000)).toEqual({ ok: true })
      const { file } = await frameOf(camera)
      expect(imageSize(file, firstImage(file))).toEqual({ width: 256, height: 256 })
      expect(header(file).number('EXPTIME')).toBe(5)
      expect(header(file).text('FRAME')).toBe('Light')
      expect(header(file).text('FILTER')).toBe('L')
      expect(await camera.setBinning(2, 2)).toEqual({ ok: true })
      expect(await camera.setRoi({ x: 16, y: 32, widthPixels: 128, heightPixels: 64 })).toEqual({ ok: true })
      expect(await camera.setFilter('R')).toEqual({ ok: true })
      expect(await camera.setGain(60)).toEqual({ ok: true })
      const { file: part } = await frameOf(camera, { seconds: 2 })
      expect(imageSize(part, firstImage(part))).toEqual({ width: 64, height: 32 })
      expect(header(part).number('XBINNING')).toBe(2)
      expect(header(part).number('GAIN')).toBe(60)
      expect(header(part).text('FILTER')).toBe('R')
    })
  })

  it('says in the header where the mount believes it looks', async () => {
    await observe(7, 128, async ({ camera, mount }) => {
      await mount.slew(place.raDeg, place.decDeg, 120_000)
      const { file } = await frameOf(camera)
      const apart = separationDeg(
        header(file).number('RA') ?? 0,
        header(file).number('DEC') ?? 0,
        mount.state().raDeg,
        mount.state().decDeg,
      )
      expect(apart * 3600).toBeLessThan(1)
    })
  })

  it('makes the same night from the same seed, and another from another', async () => {
    const night = (seed: number): Promise<Buffer> =>
      observe(seed, 128, async ({ camera, mount }) => {
        await mount.slew(place.raDeg, place.decDeg, 120_000)
        await camera.expose({ seconds: 10, frameType: 'dark' })
        return Buffer.from((await frameOf(camera)).bytes)
      })
    const [first, again, other] = [await night(7), await night(7), await night(8)]
    expect(again.equals(first)).toBe(true)
    expect(other.equals(first)).toBe(false)
  })

  it('lets through what each filter of its wheel lets through', () => {
    expect(filterWheel[0]).toEqual({ name: 'L', transmission: 1 })
    expect(filterWheel.slice(1).every(({ transmission }) => transmission > 0.2 && transmission < 0.4)).toBe(true)
  })
})

const index = '/usr/share/astrometry/index-tycho2-07.littleendian.fits'
const solver = existsSync('/usr/bin/solve-field') && existsSync(index)
if (!solver) {
  console.warn(
    'skipped: an independent solution; apt-get install astrometry.net astrometry-data-tycho2-07-littleendian',
  )
}

describe.skipIf(!solver)('astrometry.net on a simulated frame', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-observatory-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it('finds the place that was asked for within the pointing error, and the scale of the optics', async () => {
    const bytes = await observe(7, 1024, async ({ camera, mount }) => {
      await mount.slew(place.raDeg, place.decDeg, 120_000)
      return (await frameOf(camera, { seconds: 30 })).bytes
    })
    const path = join(folder, 'frame.fits')
    writeFileSync(path, bytes)
    writeFileSync(join(folder, 'solve.cfg'), `index ${index}\ncpulimit 60\n`)
    const hint = ['--ra', String(place.raDeg), '--dec', String(place.decDeg), '--radius', '2']
    const scale = ['--scale-units', 'arcsecperpix', '--scale-low', '1.8', '--scale-high', '2.1']
    await run('/usr/bin/solve-field', ['--config', join(folder, 'solve.cfg'), ...hint, ...scale, '--no-plots', path])
    const { stdout } = await run('/usr/bin/wcsinfo', [join(folder, 'frame.wcs')])
    const said = Object.fromEntries(stdout.split('\n').map((line) => line.split(' ') as [string, string]))
    // 206.264806 × 3.76 µm / 400 mm.
    expect(Number(said['pixscale'])).toBeCloseTo(1.9389, 2)
    const apart = separationDeg(Number(said['ra_center']), Number(said['dec_center']), place.raDeg, place.decDeg)
    // 20″ of pointing error per axis.
    expect(apart * 3600).toBeLessThan(80)
    expect(apart * 3600).toBeGreaterThan(1)
  }, 120_000)
})

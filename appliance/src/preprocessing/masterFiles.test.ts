import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '@nightjar/firmware-bridge/random.ts'
import { afterAll, expect, test } from 'vitest'
import { defaultSettings } from '../contract/config.ts'
import { createCompute } from '../frames/compute.ts'
import { FitsHeader } from '../frames/fits/header.ts'
import { readRaw } from '../frames/fits/rawImage.ts'
import { readFrame } from '../frames/fits/read.ts'
import { encodeFits } from '../frames/fits/write.ts'
import { calibrate } from './calibrate.ts'
import { readMasters, withMasters } from './masterFiles.ts'
import { masterBias } from './masters.ts'
import { buildMasterFile, calibrateFile } from './runPixels.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-masters-'))
afterAll(() => rmSync(folder, { recursive: true }))
const frame = FitsHeader.from({
  'DATE-OBS': '2026-03-10T01:00:00',
  XBINNING: 1,
  GAIN: 100,
  'CCD-TEMP': -10,
  EXPTIME: 30,
})

test('masters built from files by rows are those of frames in memory, carry their noise, and leave no files behind', async () => {
  using compute = createCompute({ threads: 2 })
  const random = createRandom('files')
  const [width, height] = [301, 97]
  const { camera } = defaultSettings
  const write = (name: string, level: number, header: FitsHeader, isFloat: boolean): string => {
    const data = isFloat ? new Float32Array(width * height) : new Uint16Array(width * height)
    for (let i = 0; i < data.length; i++) data[i] = Math.round(level + 5 * random.normal())
    const path = join(folder, name)
    writeFileSync(path, encodeFits([{ header, data: { width, height, data } }]))
    return path
  }
  const biasHeader = frame.with('EXPTIME', 0)
  const rawPaths = Array.from({ length: 5 }, (_, k) => write(`bias-${k}.fits`, 300, biasHeader, k === 3))
  const outPath = join(folder, 'bias-a-5.fits')
  const built = await buildMasterFile(compute, {
    type: 'bias',
    rawPaths,
    biasPath: undefined,
    outPath,
    camera,
    readNoiseAdu: undefined,
  })
  // σ of the drawn readings is 5 ADU and 1/12 ADU² of rounding.
  expect(Math.abs(built.readNoiseAdu! / Math.sqrt(25 + 1 / 12) - 1)).toBeLessThan(0.02)
  expect(readdirSync(folder).sort()).toEqual([
    'bias-0.fits',
    'bias-1.fits',
    'bias-2.fits',
    'bias-3.fits',
    'bias-4.fits',
    'bias-a-5.fits',
  ])
  const file = readFrame(compute, outPath)
  const inMemory = masterBias(
    compute,
    rawPaths.map((path) => readFrame(compute, path)),
  )
  expect(file.science.data).toEqual(inMemory.plane.data)
  expect(file.header.number('NCOMBINE')).toBe(5)
  expect(file.header.number('MVARFIX')).toBeCloseTo(built.readNoiseAdu! ** 2 / 5, 4)
  const std = Math.sqrt(
    file.science.data.reduce((sum, value) => sum + (value - 300) ** 2, 0) / file.science.data.length,
  )
  expect(Math.abs(std ** 2 / file.header.number('MVARFIX')! - 1)).toBeLessThan(0.04)
  const older = [0, 1].map((k) => write(`other-${k}.fits`, 900, biasHeader.with('GAIN', 0), false))
  const mixed = await buildMasterFile(compute, {
    type: 'bias',
    rawPaths: [...older, ...rawPaths],
    biasPath: undefined,
    outPath: join(folder, 'bias-b-7.fits'),
    camera,
  })
  // Two frames of another gain are left out: their level of 900 ADU would show.
  expect(mixed.frames).toBe(5)
  expect(readFrame(compute, join(folder, 'bias-b-7.fits')).science.data).toEqual(inMemory.plane.data)
  const rawPath = write('light.fits', 800, frame, false)
  const other = readMasters(compute, frame.with('GAIN', 1), { bias: [outPath] })
  expect(other.masters.bias).toBeUndefined()
  expect(other.measured.readNoiseAdu).toBeUndefined()
  expect(other.warnings).toEqual(['the master bias was not used: its GAIN is 100, the frame’s 1'])
  const { masters: fitting, used, measured } = readMasters(compute, frame, { bias: [outPath] })
  expect(used).toEqual([{ type: 'bias', rung: 'exact', note: undefined, masterId: 'bias-a-5' }])
  expect(measured.readNoiseAdu).toBeCloseTo(built.readNoiseAdu!, 5)
  const told = withMasters(frame, used)
  expect(told.text('BIASID')).toBe('bias-a-5')
  expect(told.lines('HISTORY')).toEqual(['nightjar masters: bias bias-a-5 exact'])
  const undecoded = calibrate(compute, readRaw(compute, rawPath), fitting, camera)
  const decoded = calibrate(compute, readFrame(compute, rawPath), fitting, camera)
  expect(undecoded.science.data).toEqual(decoded.science.data)
  expect(undecoded.variance!.data).toEqual(decoded.variance!.data)
  expect(undecoded.mask.data).toEqual(decoded.mask.data)
  expect(undecoded.header.flag('BIASSUB')).toBe(true)
})

test('a frame is calibrated with the gain and read noise that its masters measured, whatever its header says', async () => {
  using compute = createCompute({ threads: 1 })
  const random = createRandom('measured')
  const [width, height, gain, readNoise] = [256, 192, 1.7, 8]
  const expose = (name: string, electrons: number, header: FitsHeader): string => {
    const data = new Uint16Array(width * height)
    for (let i = 0; i < data.length; i++) {
      data[i] = Math.round(300 + (random.poisson(electrons) + readNoise * random.normal()) / gain)
    }
    const path = join(folder, name)
    writeFileSync(path, encodeFits([{ header, data: { width, height, data } }]))
    return path
  }
  const { camera } = defaultSettings
  const build = async (type: 'bias' | 'flat', electrons: number, biasPath?: string): Promise<string> => {
    const rawPaths = [0, 1, 2, 3, 4].map((k) => expose(`measured-${type}-${k}.fits`, electrons, frame))
    const outPath = join(folder, `measured-${type}.fits`)
    await buildMasterFile(compute, { type, rawPaths, biasPath, outPath, camera })
    return outPath
  }
  const bias = await build('bias', 0)
  const flat = await build('flat', 30000, bias)
  const rawPath = expose('measured-light.fits', 900, frame.with('EGAIN', 0.9))
  const outPath = join(folder, 'measured-out.fits')
  const masters = { bias: [bias], dark: [], flat: [flat] }
  const { quality, used } = await calibrateFile(compute, { rawPath, outPath, masters, camera, field: undefined })
  const { header } = readFrame(compute, outPath)
  expect(Math.abs(header.number('EGAIN')! / gain - 1)).toBeLessThan(0.02)
  expect(Math.abs(header.number('RDNOISE')! / readNoise - 1)).toBeLessThan(0.03)
  expect(used.map(({ type, rung }) => `${type} ${rung}`)).toEqual(['bias exact', 'dark none', 'flat exact'])
  expect(quality.reasons).toContain('there is no master dark')
  expect(quality.reasons).toContainEqual(expect.stringContaining('EGAIN is 0.900 e⁻/ADU, the flats’ noise says 1.'))
  expect(header.text('FLATID')).toBe('measured-flat')
})

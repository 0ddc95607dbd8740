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
import { misfit, readMasters } from './masterFiles.ts'
import { masterBias } from './masters.ts'
import { buildMasterFile } from './runPixels.ts'

const folder = mkdtempSync(join(tmpdir(), 'nightjar-masters-'))
afterAll(() => rmSync(folder, { recursive: true }))
const frame = FitsHeader.from({
  'DATE-OBS': '2026-03-10T01:00:00',
  XBINNING: 1,
  GAIN: 100,
  'CCD-TEMP': -10,
  EXPTIME: 30,
})

test('a master that does not fit is refused with the reason, and what headers do not say is not held against it', () => {
  expect(misfit('dark', frame, frame)).toBeUndefined()
  expect(misfit('dark', FitsHeader.from({}), frame)).toBeUndefined()
  expect(misfit('bias', frame.with('GAIN', 200), frame)).toBe('its GAIN is 200, the frame’s 100')
  expect(misfit('flat', frame.with('GAIN', 200), frame)).toBeUndefined()
  expect(misfit('flat', frame.with('XBINNING', 2), frame)).toContain('XBINNING is 2')
  expect(misfit('dark', frame.with('CCD-TEMP', -5), frame)).toContain('at -5 °C, the frame’s at -10 °C')
  expect(misfit('bias', frame.with('CCD-TEMP', -5), frame)).toBeUndefined()
  expect(misfit('bias', frame.with('DATE-OBS', '2026-01-10T01:00:00'), frame)).toContain('59 days from the frame')
  expect(misfit('bias', frame.with('DATE-OBS', '2026-01-10T01:00:00'), frame, { masterDays: 90 })).toBeUndefined()
  expect(misfit('dark', frame.withAll({ BIASSUB: false, EXPTIME: 60 }), frame)).toContain('take biases too')
  expect(misfit('dark', frame.withAll({ BIASSUB: true, EXPTIME: 60 }), frame)).toBeUndefined()
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
  const rawPath = write('light.fits', 800, frame, false)
  const { masters, refused } = readMasters(compute, frame.with('GAIN', 1), { biasPath: outPath })
  expect(masters.bias).toBeUndefined()
  expect(refused).toEqual(['the master bias was not used: its GAIN is 100, the frame’s 1'])
  const fitting = readMasters(compute, frame, { biasPath: outPath }).masters
  const undecoded = calibrate(compute, readRaw(compute, rawPath), fitting, camera)
  const decoded = calibrate(compute, readFrame(compute, rawPath), fitting, camera)
  expect(undecoded.science.data).toEqual(decoded.science.data)
  expect(undecoded.variance!.data).toEqual(decoded.variance!.data)
  expect(undecoded.mask.data).toEqual(decoded.mask.data)
  expect(undecoded.header.flag('BIASSUB')).toBe(true)
})

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../clock.ts'
import { resetUsb } from './usb.ts'

let sysfs: string
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'nightjar-sysfs-'))
})
afterEach(() => rmSync(sysfs, { recursive: true }))

/** As the kernel shows a device; the interface folders beside it (`1-1:1.0`) have no idVendor. */
function plugIn(name: string, idVendor: string, idProduct: string, serial: string): string {
  const folder = join(sysfs, 'bus/usb/devices', name)
  mkdirSync(folder, { recursive: true })
  mkdirSync(`${folder}:1.0`, { recursive: true })
  for (const [file, text] of Object.entries({ idVendor, idProduct, serial, authorized: '1' }))
    writeFileSync(join(folder, file), `${text}\n`)
  return join(folder, 'authorized')
}

const camera = { vendorId: '03C3', productId: '294a' }

/** Real files and a sleep that takes no time; `look` is called while the device is away. */
const clockThat = (look: () => void): Clock => ({ ...systemClock, sleep: async () => look() })
const clock = clockThat(() => undefined)

describe('a USB reset', () => {
  it('takes away exactly the device that was named and gives it back', async () => {
    const other = plugIn('1-1', '0403', '6001', 'FT1')
    const file = plugIn('1-2.4', '03c3', '294a', 'ASI')
    const meanwhile: string[] = []
    const watching = clockThat(() => meanwhile.push(readFileSync(file, 'utf8'), readFileSync(other, 'utf8')))
    expect(await resetUsb(camera, watching, sysfs)).toEqual({ ok: true })
    expect(meanwhile).toEqual(['0', '1\n'])
    expect(readFileSync(file, 'utf8')).toBe('1')
  })

  it('fails with clear words when the device is not there, or is there twice', async () => {
    expect(await resetUsb(camera, clock, sysfs)).toMatchObject({ reason: expect.stringContaining('no USB device') })
    plugIn('1-1', '03c3', '294a', 'A')
    const second = plugIn('1-2', '03c3', '294a', 'B')
    expect(await resetUsb(camera, clock, sysfs)).toMatchObject({ reason: expect.stringContaining('serial number') })
    expect(await resetUsb({ ...camera, serialNumber: 'B' }, clock, sysfs)).toEqual({ ok: true })
    expect(readFileSync(second, 'utf8')).toBe('1')
  })
})

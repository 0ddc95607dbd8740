import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findPort, listPorts, needsPortList, type PortInfo, readKernelPorts } from './serialPorts.ts'

/** Three ports as `SerialPort.list()` shows them on Linux: two FTDI adapters and an on-board UART. */
const ports: readonly PortInfo[] = [
  { path: '/dev/ttyS0' },
  {
    path: '/dev/ttyUSB0',
    vendorId: '0403',
    productId: '6001',
    serialNumber: 'A10KZP45',
    pnpId: 'usb-FTDI_FT232R_USB_UART_A10KZP45-if00-port0',
  },
  {
    path: '/dev/ttyUSB1',
    vendorId: '0403',
    productId: '6001',
    serialNumber: 'A50285BI',
    pnpId: 'usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0',
  },
  { path: '/dev/ttyACM0', vendorId: '2341', productId: '0043', serialNumber: '7563331313335170A0D1' },
]

describe('a serial port is found', () => {
  it('by the identity of its USB adapter, whatever its number is today', () => {
    expect(findPort('usb:2341:0043', ports)).toEqual({ ok: true, path: '/dev/ttyACM0' })
    expect(findPort('usb:10C4:EA60', [{ path: '/dev/ttyUSB2', vendorId: '10c4', productId: 'ea60' }])).toEqual({
      ok: true,
      path: '/dev/ttyUSB2',
    })
    expect(findPort('usb:0403:6001:A50285BI', ports)).toEqual({ ok: true, path: '/dev/ttyUSB1' })
    const moved = ports.map((port) => (port.serialNumber === 'A50285BI' ? { ...port, path: '/dev/ttyUSB7' } : port))
    expect(findPort('usb:0403:6001:A50285BI', moved)).toEqual({ ok: true, path: '/dev/ttyUSB7' })
  })

  it('by its name in /dev/serial/by-id', () => {
    const address = '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP45-if00-port0'
    expect(findPort(address, ports)).toEqual({ ok: true, path: '/dev/ttyUSB0' })
  })

  it('as it is when it is a path', () => {
    expect(needsPortList('/dev/ttyUSB0')).toBe(false)
    expect(findPort('/dev/ttyUSB0', [])).toEqual({ ok: true, path: '/dev/ttyUSB0' })
  })
})

describe('a serial port is not found', () => {
  it('when two devices fit: the wrong one would move the wrong hardware', () => {
    expect(findPort('usb:0403:6001', ports)).toEqual({
      ok: false,
      reason:
        'usb:0403:6001 fits more than one device: /dev/ttyUSB0 (serial number A10KZP45), /dev/ttyUSB1 (serial number A50285BI); add the serial number',
    })
  })

  it('when it is not plugged in, with what is', () => {
    expect(findPort('usb:10c4:ea60', ports)).toMatchObject({
      ok: false,
      reason: expect.stringContaining(
        'usb:10c4:ea60 is not plugged in; there are /dev/ttyUSB0 = usb:0403:6001',
      ) as string,
    })
    expect(findPort('usb:10c4:ea60', [])).toEqual({ ok: false, reason: 'usb:10c4:ea60 is not plugged in' })
  })

  it('when the address is not one', () => {
    expect(findPort('usb:zz:6001', ports)).toMatchObject({ ok: false })
    expect(findPort('usb:0403', ports)).toMatchObject({ ok: false })
  })
})

describe('the ports of this machine', () => {
  it('are listed, with udevadm or without', async () => {
    for (const port of await listPorts()) expect(port.path).toMatch(/^\/dev\//)
  })

  it('are read from the kernel’s tree, as it looks for an adapter of FTDI', () => {
    const root = mkdtempSync(join(tmpdir(), 'nightjar-tty-'))
    const usb = join(root, 'devices/usb1/1-2')
    const tty = join(usb, '1-2:1.0/ttyUSB3/tty/ttyUSB3')
    mkdirSync(tty, { recursive: true })
    writeFileSync(join(usb, 'idVendor'), '0403\n')
    writeFileSync(join(usb, 'idProduct'), '6001\n')
    writeFileSync(join(usb, 'serial'), 'A10KZP45\n')
    symlinkSync(join(usb, '1-2:1.0/ttyUSB3'), join(tty, 'device'))
    const folder = join(root, 'class/tty')
    mkdirSync(join(folder, 'console'), { recursive: true })
    symlinkSync(tty, join(folder, 'ttyUSB3'))
    try {
      expect(readKernelPorts(folder)).toEqual([
        { path: '/dev/ttyUSB3', vendorId: '0403', productId: '6001', serialNumber: 'A10KZP45' },
      ])
      expect(readKernelPorts(join(root, 'nowhere'))).toEqual([])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})

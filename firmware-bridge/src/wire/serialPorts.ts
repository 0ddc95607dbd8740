/**
 * Which file a serial device is behind, today. A USB adapter that is pulled and plugged again may come back as another
 * `ttyUSBn`, so a port is looked up by its USB identity at every opening.
 */
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Failure, failure } from '../outcome.ts'

/** One port as `SerialPort.list()` gives it (the part that tells who it is). */
export interface PortInfo {
  readonly path: string
  /** Four hexadecimal digits, any case. */
  readonly vendorId?: string | undefined
  readonly productId?: string | undefined
  readonly serialNumber?: string | undefined
  /** udev's name, that of the link in `/dev/serial/by-id`. */
  readonly pnpId?: string | undefined
}

export interface FoundPort {
  readonly ok: true
  readonly path: string
}

const byId = '/dev/serial/by-id/'
const usbAddress = /^usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.+))?$/i

/** True for addresses that need the list of ports: the others are paths that are opened as they are. */
export const needsPortList = (address: string): boolean => address.startsWith('usb:') || address.startsWith(byId)

/**
 * The path of `usb:VID:PID`, `usb:VID:PID:SERIAL`, `/dev/serial/by-id/NAME` or any other path among `ports`. Pure. Two
 * devices that fit are a failure: opening the wrong one moves the wrong hardware.
 */
export function findPort(address: string, ports: readonly PortInfo[]): FoundPort | Failure {
  if (!needsPortList(address)) return { ok: true, path: address }
  if (address.startsWith(byId)) {
    const name = basename(address)
    return theOne(
      address,
      ports.filter((port) => port.pnpId === name),
      ports,
    )
  }
  const match = usbAddress.exec(address)
  if (!match)
    return failure(`${address} is not an address: write usb:VID:PID or usb:VID:PID:SERIAL, as lsusb shows them`)
  const [, vendor = '', product = '', serial] = match
  const fits = (port: PortInfo): boolean =>
    equal(port.vendorId, vendor) &&
    equal(port.productId, product) &&
    (serial === undefined || port.serialNumber === serial)
  return theOne(address, ports.filter(fits), ports)
}

const equal = (a: string | undefined, b: string): boolean => a?.toLowerCase() === b.toLowerCase()

function theOne(address: string, found: readonly PortInfo[], all: readonly PortInfo[]): FoundPort | Failure {
  const [first, second] = found
  if (first && !second) return { ok: true, path: first.path }
  if (first) {
    const choices = found.map((port) => `${port.path} (serial number ${port.serialNumber ?? 'none'})`).join(', ')
    return failure(`${address} fits more than one device: ${choices}; add the serial number`)
  }
  const there = all.filter((port) => port.vendorId !== undefined).map(describePort)
  return failure(`${address} is not plugged in${there.length > 0 ? `; there are ${there.join(', ')}` : ''}`)
}

/** `/dev/ttyUSB0 = usb:0403:6001:A10K` for settings pages and messages. */
export function describePort({ path, vendorId, productId, serialNumber }: PortInfo): string {
  if (vendorId === undefined || productId === undefined) return path
  return `${path} = usb:${vendorId}:${productId}${serialNumber === undefined ? '' : `:${serialNumber}`}`
}

/**
 * Every serial port of this machine. `SerialPort.list()` runs udevadm; where that is missing the kernel's own tree tells
 * the same, but for the by-id names.
 */
export async function listPorts(): Promise<PortInfo[]> {
  const { SerialPort } = await import('serialport')
  try {
    return (await SerialPort.list()).map(({ path, vendorId, productId, serialNumber, pnpId }) => ({
      path,
      vendorId,
      productId,
      serialNumber,
      pnpId,
    }))
  } catch {
    return readKernelPorts('/sys/class/tty')
  }
}

/** USB serial ports from a folder laid out as `/sys/class/tty`: each entry's `device` link leads into the USB tree. */
export function readKernelPorts(folder: string): PortInfo[] {
  return names(folder).flatMap((name) => {
    const device = usbDeviceAbove(join(folder, name, 'device'))
    if (device === undefined) return []
    const read = (file: string): string | undefined => contents(join(device, file))
    return [
      {
        path: `/dev/${name}`,
        vendorId: read('idVendor'),
        productId: read('idProduct'),
        serialNumber: read('serial'),
      },
    ]
  })
}

/** From the tty's interface up to the USB device, which has an `idVendor`. */
function usbDeviceAbove(link: string): string | undefined {
  let folder: string
  try {
    folder = realpathSync(link)
  } catch {
    return undefined
  }
  const mostLevels = 6
  for (let level = 0; level < mostLevels; level++) {
    if (contents(join(folder, 'idVendor')) !== undefined) return folder
    folder = dirname(folder)
  }
  return undefined
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function contents(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

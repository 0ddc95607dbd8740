import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { done, failure, type Outcome } from '../outcome.ts'

/** What stays the same when a device is plugged in elsewhere. Four hexadecimal digits each, as `lsusb` shows them. */
export interface UsbIdentity {
  readonly vendorId: string
  readonly productId: string
  readonly serialNumber?: string | undefined
}

/** Long enough for a device to lose its state, as the kernel's own reset holds it (USB 2.0 §7.1.7.5: at least 10 ms). */
const offMs = 500

/**
 * Takes a USB device away from its driver and gives it back, as if it had been unplugged: writes 0 and then 1 to
 * `authorized` in sysfs (Linux Documentation/usb/authorization). Fails as a value when no such device is plugged in, when
 * several are and no serial number tells them apart, or when the file may not be written.
 */
export async function resetUsb(identity: UsbIdentity, clock: Clock, sysfs = '/sys'): Promise<Outcome> {
  const found = await findUsb(identity, sysfs)
  const name = `USB device ${identity.vendorId}:${identity.productId}`
  if (found.length === 0) return failure(`no ${name} is plugged in`)
  if (found.length > 1) return failure(`${found.length} devices are ${name}: name its serial number`)
  const file = join(found[0]!, 'authorized')
  try {
    await writeFile(file, '0')
    await clock.sleep(offMs)
    await writeFile(file, '1')
    return done
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      return failure(`${name} may not be reset: this user or service may not write ${file}`)
    return failure(`${name} could not be reset: ${(error as Error).message}`)
  }
}

/** Folders of sysfs that match. */
async function findUsb(identity: UsbIdentity, sysfs: string): Promise<string[]> {
  const root = join(sysfs, 'bus/usb/devices')
  const names = await readdir(root).catch(() => [] as string[])
  const read = (name: string, file: string): Promise<string | undefined> =>
    readFile(join(root, name, file), 'utf8').then(
      (text) => text.trim(),
      () => undefined,
    )
  const matches = await Promise.all(
    names.map(
      async (name) =>
        (await read(name, 'idVendor')) === identity.vendorId.toLowerCase() &&
        (await read(name, 'idProduct')) === identity.productId.toLowerCase() &&
        (identity.serialNumber === undefined || (await read(name, 'serial')) === identity.serialNumber),
    ),
  )
  return names.filter((_, index) => matches[index]).map((name) => join(root, name))
}

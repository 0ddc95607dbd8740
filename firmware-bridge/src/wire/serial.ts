import { existsSync } from 'node:fs'
import type { SerialPort } from 'serialport'
import { NightjarError } from '../errors.ts'
import { findPort, listPorts, needsPortList, type PortInfo } from './serialPorts.ts'
import type { Connect, Wire, WireHandlers } from './wire.ts'

export interface SerialOptions {
  /**
   * `usb:VID:PID[:SERIAL]` and `/dev/serial/by-id/...` survive replugging, each opening looks them up anew;
   * `/dev/ttyUSB0` may become another device.
   */
  readonly path: string
  readonly baudRate: number
  /** The ports of this machine. */
  readonly list?: () => Promise<readonly PortInfo[]>
}

/** Opens a serial port, 8N1, locked. The binding is loaded at the first use: a machine without serial ports needs none. */
export function connectSerial({ path: address, baudRate, list = listPorts }: SerialOptions): Connect {
  const name = `serial ${address}`
  return async (handlers, signal) => {
    const path = await resolvePort(address, list)
    const { SerialPort } = await import('serialport')
    // DTR stays up when the port is closed: the next opening does not reset an Arduino in the middle of a motion.
    const port = new SerialPort({ path, baudRate, autoOpen: false, hupcl: false })
    await new Promise<void>((resolve, reject) => {
      port.open((error) => {
        if (error) reject(new NightjarError('wire/connect', `${name}: ${advice(error.message)}`, { cause: error }))
        else resolve()
      })
    })
    if (signal?.aborted) {
      port.close()
      throw signal.reason
    }
    return serialWire(port, name, handlers)
  }
}

/** A by-id link that is there is followed by the kernel; without udev's links the list must tell. */
async function resolvePort(address: string, list: () => Promise<readonly PortInfo[]>): Promise<string> {
  if (!needsPortList(address) || existsSync(address)) return address
  const found = findPort(address, await list())
  if (found.ok) return found.path
  throw new NightjarError('wire/connect', `serial ${found.reason}`)
}

function advice(message: string): string {
  if (/Permission denied|cannot open.*denied/i.test(message)) return `${message}; add the user to the group dialout`
  if (/lock port|busy/i.test(message)) return 'another program has the port open: close it, or give it another port'
  if (/No such file/i.test(message)) return `${message}; is the cable plugged in?`
  return message
}

/**
 * serialport never calls back for a write after a hang-up, and may emit `close` twice (both measured), so pending writes
 * are settled here and the end is told once. A hang-up may go unnoticed until the next write: sessions poll their device.
 */
function serialWire(port: SerialPort, name: string, handlers: WireHandlers): Wire {
  let closed = false
  const pending = new Set<(error: Error) => void>()
  const end = (reason: string): void => {
    if (closed) return
    closed = true
    for (const reject of pending) reject(new NightjarError('wire/closed', `${name}: ${reason}`))
    pending.clear()
    handlers.onClose(reason)
  }
  port.on('data', (bytes: Buffer) => closed || handlers.onBytes(bytes))
  port.on('error', (error: Error) => end(error.message))
  port.on('close', (error?: Error | null) => end(error ? 'the device was unplugged' : 'closed'))
  return {
    name,
    write(bytes) {
      return new Promise((resolve, reject) => {
        if (closed || !port.isOpen) return reject(new NightjarError('wire/closed', `${name}: the wire is closed`))
        pending.add(reject)
        port.write(Buffer.from(bytes), (error) => {
          pending.delete(reject)
          if (error) reject(new NightjarError('wire/closed', `${name}: ${error.message}`, { cause: error }))
          else resolve()
        })
      })
    },
    pause: () => void port.pause(),
    resume: () => void port.resume(),
    close() {
      return new Promise((resolve) => {
        if (!port.isOpen) {
          end('closed')
          return resolve()
        }
        port.close(() => {
          end('closed')
          resolve()
        })
      })
    },
  }
}

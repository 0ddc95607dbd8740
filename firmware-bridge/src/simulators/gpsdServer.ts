import { createLineSplitter } from '../wire/lineSplitter.ts'
import type { Wire, WireHandlers } from '../wire/wire.ts'

export interface SimulatedGpsd {
  accept(open: (handlers: WireHandlers) => Wire): void
  /** Says this to everybody who watches. */
  say(report: Readonly<Record<string, unknown>>): void
}

const longestLineBytes = 4_096

/** gpsd 3.22 with one receiver, as far as watchers see it: greets, takes ?WATCH, and says what it is told to. */
export function createSimulatedGpsd(device = '/dev/gps0'): SimulatedGpsd {
  const watchers = new Set<Wire>()
  const line = (report: Readonly<Record<string, unknown>>): Uint8Array => Buffer.from(`${JSON.stringify(report)}\r\n`)
  const send = (wire: Wire, report: Readonly<Record<string, unknown>>): void =>
    void wire.write(line(report)).catch(() => undefined)

  function take(wire: Wire, text: string): void {
    const json = /^\?WATCH=(\{.*\});$/.exec(text)?.[1]
    if (json === undefined) return send(wire, { class: 'ERROR', message: `Unrecognized request '${text}'` })
    const devices = device === '' ? [] : [{ class: 'DEVICE', path: device, driver: 'NMEA0183', bps: 9600 }]
    send(wire, { class: 'DEVICES', devices })
    send(wire, { class: 'WATCH', ...(JSON.parse(json) as object) })
    watchers.add(wire)
  }

  return {
    accept(open) {
      const lines = createLineSplitter({ longestBytes: longestLineBytes, onLine: (text) => take(wire, text) })
      const wire = open({ onBytes: (bytes) => lines.push(bytes), onClose: () => void watchers.delete(wire) })
      send(wire, { class: 'VERSION', release: '3.22', rev: '3.22', proto_major: 3, proto_minor: 14 })
    },
    say(report) {
      for (const wire of watchers) send(wire, report)
    },
  }
}

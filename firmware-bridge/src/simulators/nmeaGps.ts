/** A GPS receiver that sends GGA, GSA, RMC and ZDA once a second; gpsd takes it for one. */
import type { Clock } from '../clock.ts'
import { formatNmeaAngle, formatNmeaTime, frameNmea } from '../nmea/codec.ts'
import { toBytes } from '../wire/line.ts'
import type { Accept } from '../wire/serialServe.ts'

export interface NmeaSimulatorOptions {
  readonly clock: Clock
  readonly latitudeDeg: number
  readonly longitudeDeg: number
  readonly elevationMetres: number
  /** Its UTC minus ours. */
  readonly clockErrorMs?: number
}

export interface NmeaTrouble {
  readonly silent?: boolean
  readonly fix?: 'none' | '2d' | '3d'
  /** One character of each sentence is another. */
  readonly garbled?: boolean
}

export interface NmeaSimulator extends AsyncDisposable {
  readonly accept: Accept
  trouble(what: NmeaTrouble): void
}

const everyMs = 1_000

export function createNmeaGpsSimulator(options: NmeaSimulatorOptions): NmeaSimulator {
  const { clock } = options
  const stop = new AbortController()
  let trouble: NmeaTrouble = {}

  function sentences(): string[] {
    const fix = trouble.fix ?? '3d'
    const utcMs = clock.now() + (options.clockErrorMs ?? 0)
    const date = new Date(utcMs)
    const time = formatNmeaTime(utcMs)
    const two = (value: number): string => String(value).padStart(2, '0')
    const [day, month, year] = [two(date.getUTCDate()), two(date.getUTCMonth() + 1), date.getUTCFullYear()]
    const fixed = fix !== 'none'
    const place = fixed
      ? `${formatNmeaAngle(options.latitudeDeg, 2)},${formatNmeaAngle(options.longitudeDeg, 3)}`
      : ',,,'
    const elevation = fix === '3d' ? `${options.elevationMetres.toFixed(1)},M,43.2,M` : ',M,,M'
    const used = fixed ? '04,05,09,12,16,20,24,29,,,,' : ',,,,,,,,,,,'
    return [
      `GPGGA,${time},${place},${fixed ? 1 : 0},${fixed ? '08' : '00'},0.9,${elevation},,`,
      `GPGSA,A,${fix === '3d' ? 3 : fixed ? 2 : 1},${used},1.8,0.9,1.5`,
      `GPRMC,${time},${fixed ? 'A' : 'V'},${place},0.0,0.0,${day}${month}${two(year % 100)},,,${fixed ? 'A' : 'N'}`,
      `GPZDA,${time},${day},${month},${year},00,00`,
    ].map(frameNmea)
  }

  const spoiled = (text: string): string => text.replaceAll(/^(\$.{7})./gm, '$1?')

  return {
    accept(open) {
      const over = new AbortController()
      const wire = open({ onBytes: () => undefined, onClose: () => over.abort() })
      const signal = AbortSignal.any([over.signal, stop.signal])
      void speak()

      async function speak(): Promise<void> {
        while (!signal.aborted) {
          await clock.sleep(everyMs - (clock.now() % everyMs), signal).catch(() => undefined)
          if (signal.aborted) return
          if (trouble.silent) continue
          const text = sentences().join('')
          await wire.write(toBytes(trouble.garbled ? spoiled(text) : text)).catch(() => over.abort())
        }
      }
    },
    trouble(what) {
      trouble = what
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
    },
  }
}

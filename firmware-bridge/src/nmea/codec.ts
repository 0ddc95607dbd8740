/**
 * NMEA 0183 sentences of a GPS receiver: GGA, RMC, GSA and ZDA, of any talker (GP, GN, GL, GA, GB). Pure, both ways. The
 * checksum is the exclusive or of what stands between `$` and `*`.
 */

export type NmeaSentence =
  | {
      readonly type: 'GGA'
      /** Milliseconds since 0 h UTC. */
      readonly timeOfDayMs: number | undefined
      readonly latitudeDeg: number | undefined
      readonly longitudeDeg: number | undefined
      /** 0 none, 1 GPS, 2 differential, 4 and 5 real-time kinematic, 6 dead reckoning, 7 by hand, 8 simulated. */
      readonly quality: number
      readonly satellites: number | undefined
      readonly hdop: number | undefined
      /** Above mean sea level. */
      readonly elevationMetres: number | undefined
    }
  | {
      readonly type: 'RMC'
      readonly valid: boolean
      /** Unix ms. */
      readonly utcMs: number | undefined
      readonly latitudeDeg: number | undefined
      readonly longitudeDeg: number | undefined
      readonly speedKnots: number | undefined
    }
  | {
      readonly type: 'GSA'
      readonly fix: 'none' | '2d' | '3d'
      readonly satellites: number
      readonly pdop: number | undefined
    }
  | { readonly type: 'ZDA'; readonly utcMs: number | undefined }

export type NmeaResult =
  | { readonly ok: true; readonly sentence: NmeaSentence }
  /** Not one of the four: `GSV`, a maker's own. */
  | { readonly ok: true; readonly sentence?: undefined; readonly name: string }
  | { readonly ok: false; readonly reason: string }

/** With `$` and the line end; NMEA 0183 section 5.3. Makers exceed it, so readers allow more. */
export const longestNmeaBytes = 82

export function nmeaChecksum(body: string): string {
  let sum = 0
  for (let at = 0; at < body.length; at++) sum ^= body.charCodeAt(at)
  return sum.toString(16).toUpperCase().padStart(2, '0')
}

/** A line without its line end. A sentence without a checksum is refused: a flipped bit would move the observatory. */
export function parseNmea(line: string): NmeaResult {
  const match = /^\$([^$*]{3,120})\*([0-9A-Fa-f]{2})$/.exec(line.trim())
  const [, body = '', sum = ''] = match ?? []
  if (!match) return { ok: false, reason: 'not a sentence with a checksum' }
  if (nmeaChecksum(body) !== sum.toUpperCase()) return { ok: false, reason: 'the checksum is wrong' }
  const [address = '', ...fields] = body.split(',')
  const name = address.slice(2)
  const sentence = address.length === 5 ? readers[name]?.(fields) : undefined
  return sentence ? { ok: true, sentence } : { ok: true, name: address }
}

type Fields = readonly string[]

const readers: Readonly<Record<string, (fields: Fields) => NmeaSentence>> = {
  GGA: (f) => ({
    type: 'GGA',
    timeOfDayMs: timeOfDay(f[0]),
    latitudeDeg: angle(f[1], f[2], 'N', 'S', 90),
    longitudeDeg: angle(f[3], f[4], 'E', 'W', 180),
    quality: number(f[5]) ?? 0,
    satellites: number(f[6]),
    hdop: number(f[7]),
    elevationMetres: f[9] === 'M' ? number(f[8]) : undefined,
  }),
  RMC: (f) => ({
    type: 'RMC',
    valid: f[1] === 'A',
    utcMs: moment(/^(\d\d)(\d\d)(\d\d)$/.exec(f[8] ?? ''), f[0]),
    latitudeDeg: angle(f[2], f[3], 'N', 'S', 90),
    longitudeDeg: angle(f[4], f[5], 'E', 'W', 180),
    speedKnots: number(f[6]),
  }),
  GSA: (f) => ({
    type: 'GSA',
    fix: f[1] === '3' ? '3d' : f[1] === '2' ? '2d' : 'none',
    satellites: f.slice(2, 14).filter((one) => one !== '').length,
    pdop: number(f[14]),
  }),
  ZDA: (f) => ({
    type: 'ZDA',
    utcMs: moment(/^(\d\d)-(\d\d)-(\d{4})$/.exec(`${f[1]}-${f[2]}-${f[3]}`), f[0]),
  }),
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined
}

/** `ddmm.mmmm` or `dddmm.mmmm`, signed by its hemisphere. */
function angle(
  text: string | undefined,
  side: string | undefined,
  plus: string,
  minus: string,
  most: number,
): number | undefined {
  const match = /^(\d{2,3})(\d{2}(?:\.\d{1,9})?)$/.exec(text ?? '')
  if (!match || (side !== plus && side !== minus)) return undefined
  const minutes = Number(match[2])
  const degrees = Number(match[1]) + minutes / 60
  if (minutes >= 60 || degrees > most) return undefined
  return side === minus ? -degrees : degrees
}

/** `hhmmss` or `hhmmss.sss`; a leap second is second 60. */
function timeOfDay(text: string | undefined): number | undefined {
  const match = /^(\d\d)(\d\d)(\d\d(?:\.\d{1,6})?)$/.exec(text ?? '')
  if (!match) return undefined
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3])]
  if (hours > 23 || minutes > 59 || seconds >= 61) return undefined
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 1000)
}

/** Day, month and year of a match, with the time of day. Two-digit years are 1980 to 2079. */
function moment(date: RegExpExecArray | null, time: string | undefined): number | undefined {
  const ofDay = timeOfDay(time)
  if (!date || ofDay === undefined) return undefined
  const [day, month] = [Number(date[1]), Number(date[2])]
  const written = Number(date[3])
  const year = written >= 100 ? written : written >= 80 ? 1900 + written : 2000 + written
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined
  return Date.UTC(year, month - 1, day) + ofDay
}

/** A whole sentence with `$`, checksum and line end. */
export function frameNmea(body: string): string {
  return `$${body}*${nmeaChecksum(body)}\r\n`
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `hhmmss.ss` of a Unix time. */
export function formatNmeaTime(utcMs: number): string {
  const date = new Date(utcMs)
  const hundredths = Math.floor(date.getUTCMilliseconds() / 10)
  return `${two(date.getUTCHours())}${two(date.getUTCMinutes())}${two(date.getUTCSeconds())}.${two(hundredths)}`
}

/** `ddmm.mmmmm,N`; `digits` 2 for latitude, 3 for longitude. */
export function formatNmeaAngle(degrees: number, digits: 2 | 3): string {
  const side = digits === 2 ? (degrees < 0 ? 'S' : 'N') : degrees < 0 ? 'W' : 'E'
  const parts = Math.round(Math.abs(degrees) * 6_000_000)
  const minutes = (parts % 6_000_000) / 100_000
  const whole = Math.floor(parts / 6_000_000)
  return `${String(whole).padStart(digits, '0')}${minutes.toFixed(5).padStart(8, '0')},${side}`
}

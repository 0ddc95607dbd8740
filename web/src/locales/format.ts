import { t } from './t.ts'

/** Numbers and times as observers write them. Times are UT: site and reader may be in different zones. */

const twoDigits = (n: number): string => String(Math.floor(n)).padStart(2, '0')

/** `23:41` */
export function clockTime(ms: number): string {
  const date = new Date(ms)
  return `${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}`
}

/** `21 Nov 23:41 UT` */
export function dayAndTime(ms: number): string {
  const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(ms)
  return `${day} ${clockTime(ms)} UT`
}

/** `now`, `14 s`, `3 min`, `2 h`, `5 d` */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms / 1000)
  if (seconds < 1) return t('age.now')
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** `16 ms` below a second, `1.9 s` below ten, else `duration`. */
export function shortDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(1, Math.round(ms))} ms`
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms)
}

export function ago(ms: number): string {
  return ms < 1000 ? t('age.now') : t('age.ago', { age: duration(ms) })
}

/** `68 %`; nothing that is judged is certain, so neither 0 % nor 100 % is ever said. */
export function percent(share: number): string {
  if (share > 0.99) return '> 99 %'
  if (share < 0.01) return '< 1 %'
  return `${Math.round(share * 100)} %`
}

/** `412 GB` */
export function fileSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}

/** The reasons of the daemon, as sentences begin. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** A real minus sign, as figures in a table want it. */
export function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`
}

/** `03 33 36.4` hours; rounds without ever showing 60 seconds. */
export function rightAscension(raDeg: number): string {
  const tenths = Math.round((((raDeg % 360) + 360) % 360) * 2400) % 864_000
  return sexagesimal(tenths)
}

/** `+12 08 24.0` degrees. */
export function declination(decDeg: number): string {
  return (decDeg < 0 ? '−' : '+') + sexagesimal(Math.round(Math.abs(decDeg) * 36_000))
}

function sexagesimal(tenths: number): string {
  const seconds = (tenths % 600) / 10
  return `${twoDigits(tenths / 36_000)} ${twoDigits((tenths / 600) % 60)} ${seconds.toFixed(1).padStart(4, '0')}`
}

const winds = ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW']

/** `SE` for an azimuth counted from north through east. */
export function compass(azimuthDeg: number): string {
  return winds[Math.round((((azimuthDeg % 360) + 360) % 360) / 45) % 8]!
}

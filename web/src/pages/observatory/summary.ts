import type { DeviceView, MountView, Reading } from '@nightjar/appliance/contract/observatory.ts'
import { t } from '../../locales/t.ts'

/** What a card says of a device before it is opened: the few readings that people ask for. */
const wanted: Readonly<Record<string, readonly string[]>> = {
  camera: ['temperature', 'filter'],
  focuser: ['position', 'temperature'],
  filterWheel: ['filter'],
  rotator: ['angle'],
  cover: ['position'],
  weather: ['temperature', 'humidity', 'wind', 'raining'],
  skyQuality: ['mag per square arcsec'],
  power: ['volts', 'amps'],
  gps: ['fix', 'satellites'],
  timeSource: ['offset'],
  ups: ['charge', 'runtime'],
  guider: ['activity', 'rms'],
  roof: ['position'],
  flatPanel: ['lit'],
  safety: ['raining', 'mains lost'],
}

export function summaryOf({ kind, readings }: DeviceView, mount: MountView): string {
  if (kind === 'mount') return t(`obs.mount.${mountWord(mount)}`)
  const found = (wanted[kind] ?? []).flatMap((name) => readings.filter((one) => one.name === name))
  return found.flatMap((one) => inShort(one)).join(' · ') || t('obs.device.ok')
}

/** Rain is worth a word only when there is some. */
function inShort(reading: Reading): string[] {
  if (typeof reading.value === 'boolean') return reading.value ? [reading.name] : []
  return [shownValue(reading).replaceAll(' ', '\u00a0')]
}

export function shownValue({ value, unit }: Reading): string {
  if (typeof value === 'boolean') return value ? t('obs.yes') : t('obs.no')
  if (typeof value === 'string') return value
  const shown = rounded(value).replace('-', '−')
  return unit === undefined ? shown : `${shown}${unit === '°' || unit === '″' ? '' : ' '}${unit}`
}

/** Four figures and no more than three decimals. */
function rounded(value: number): string {
  if (Number.isInteger(value)) return String(value)
  const decimals = Math.max(0, Math.min(3, 3 - Math.floor(Math.log10(Math.abs(value) || 1))))
  return String(Number(value.toFixed(decimals)))
}

export type MountWord = 'gone' | 'parked' | 'slewing' | 'tracking' | 'standing'

export function mountWord({ connected, parked, slewing, tracking }: MountView): MountWord {
  if (!connected) return 'gone'
  if (slewing) return 'slewing'
  if (parked) return 'parked'
  return tracking ? 'tracking' : 'standing'
}

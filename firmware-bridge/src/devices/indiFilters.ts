/** The filters of a wheel of its own or of one inside a camera, over INDI. */
import { failure, type Outcome } from '../outcome.ts'
import type { IndiDevice } from './indiDevice.ts'

const slot = ['FILTER_SLOT', 'FILTER_SLOT_VALUE'] as const

/** By slot; `Filter 3` where the wheel has no name. A wheel without names has as many as its slot number allows. */
export function filterNames(wheel: IndiDevice): readonly string[] {
  const names = wheel.property('FILTER_NAME')
  if (names?.kind === 'text') return names.elements.map(({ value }, index) => value || unnamed(index))
  const slots = wheel.property(slot[0])
  const most = slots?.kind === 'number' ? (slots.elements[0]?.max ?? 0) : 0
  return Array.from({ length: Math.min(mostSlots, Math.max(0, Math.round(most))) }, (_, index) => unnamed(index))
}

/** A wheel that says more than this says nothing. */
const mostSlots = 64
const unnamed = (index: number): string => `Filter ${index + 1}`

/** The filter in the beam; undefined while the wheel turns and until it has told. */
export function filterInBeam(wheel: IndiDevice): string | undefined {
  return wheel.isBusy(slot[0]) ? undefined : filterNames(wheel)[(wheel.number(...slot) ?? 0) - 1]
}

/** Turns to a filter by name; at once when it is there already. Kept over a loss of the device. */
export function selectFilter(wheel: IndiDevice, filter: string, timeoutMs: number): Promise<Outcome> {
  const number = filterNames(wheel).indexOf(filter) + 1
  if (number === 0) {
    const names = filterNames(wheel).join(', ') || 'none'
    return Promise.resolve(failure(`${wheel.name} has no filter ${filter}; it has ${names}`))
  }
  if (filterInBeam(wheel) === filter) return Promise.resolve({ ok: true })
  return wheel.set(slot[0], { [slot[1]]: number }, { keep: true, timeoutMs })
}

/**
 * The standard properties of INDI with their units, so that drivers name them without a slip (a property or element that
 * is not in the table does not compile) and a panel can label what any driver shows. Source: "INDI Standard Properties"
 * (docs.indilib.org/drivers/standard-properties) and, where that is silent, the interfaces of libindi 1.9.9 and 2.
 */
import type { Kind } from '../devices/kinds.ts'
import type { Kind as VectorKind } from './messages.ts'
import type { Property } from './properties.ts'
import { cameraProperties } from './standardCamera.ts'
import { enclosureProperties } from './standardEnclosure.ts'
import { generalProperties } from './standardGeneral.ts'
import { mountProperties } from './standardMount.ts'
import { opticsProperties } from './standardOptics.ts'
import { powerProperties } from './standardPower.ts'
import { skyProperties } from './standardSky.ts'

/** `''`: a name, a switch, a count. */
export type Unit =
  | ''
  | 'h'
  | '°'
  | '″'
  | '″/s'
  | '× sidereal'
  | 's'
  | 'ms'
  | 'm'
  | 'mm'
  | 'mm/h'
  | 'µm'
  | 'px'
  | 'bit'
  | 'steps'
  | '°C'
  | '°C/min'
  | '%'
  | 'hPa'
  | 'km/h'
  | 'mag/arcsec²'
  | 'V'
  | 'A'
  | 'W'
  | 'Wh'
  | 'Ah'
  | 'Hz'
  | 'fps'
  | 'lux'
  | 'MB'

/** A kind of ours; `general`: of every device; `aux`: of helpers that are no kind of device. */
export type StandardKind = Kind | 'general' | 'aux'

export interface StandardProperty {
  readonly kinds: readonly StandardKind[]
  readonly type: VectorKind
  readonly meaning: string
  /** Element → unit and meaning. */
  readonly elements: Readonly<Record<string, readonly [unit: Unit, meaning: string]>>
  /** There are more elements, one for each port or slot, all with this unit. */
  readonly more?: Unit
}

export type StandardTable = Readonly<Record<string, StandardProperty>>

export const standardProperties = {
  ...generalProperties,
  ...mountProperties,
  ...cameraProperties,
  ...opticsProperties,
  ...enclosureProperties,
  ...skyProperties,
  ...powerProperties,
} as const satisfies StandardTable

export type StandardName = keyof typeof standardProperties
export type ElementOf<N extends StandardName> = keyof (typeof standardProperties)[N]['elements'] & string

/** The table's row for a property; undefined for a driver's own. */
export function standardProperty(name: string): StandardProperty | undefined {
  return Object.hasOwn(standardProperties, name) ? standardProperties[name as StandardName] : undefined
}

/** The unit of an element: of the standard, else the one that the driver's label gives in brackets; `''` when nobody says. */
export function unitOf(property: string, element: string, label = ''): string {
  const known = standardProperty(property)
  const unit = known?.elements[element]?.[0] ?? known?.more
  return unit || labelUnit(label)
}

/** `Wind (kph)` → `kph`. */
export function labelUnit(label: string): string {
  return /[([]([^()[\]]{1,16})[)\]]\s*$/.exec(label)?.[1]?.trim() ?? ''
}

export interface DescribedProperty {
  readonly label: string
  /** '' where the standard does not know the property. */
  readonly meaning: string
  readonly kinds: readonly StandardKind[]
  readonly elements: readonly {
    readonly name: string
    readonly label: string
    readonly unit: string
    readonly meaning: string
  }[]
}

/** Labels, units and meanings of any property, for a panel that shows whatever a driver has. */
export function describeProperty(property: Property): DescribedProperty {
  const known = standardProperty(property.name)
  const elements = property.elements.map(({ name, label }) => ({
    name,
    label: label || name,
    unit: unitOf(property.name, name, label),
    meaning: known?.elements[name]?.[1] ?? '',
  }))
  return {
    label: property.label || property.name,
    meaning: known?.meaning ?? '',
    kinds: known?.kinds ?? [],
    elements,
  }
}

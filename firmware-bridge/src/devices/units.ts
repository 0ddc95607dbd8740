/** Units as drivers and stations write them, to the ones that our states are in. */
export type Quantity = 'celsius' | 'percent' | 'hectopascals' | 'metresPerSecond' | 'millimetresPerHour'

type Conversion = (value: number) => number
const times =
  (factor: number): Conversion =>
  (value) =>
    value * factor
const same: Conversion = (value) => value

/** Exact factors: the international inch, statute mile, nautical mile, and the conventional inch of mercury. */
const conversions: Readonly<Record<Quantity, Readonly<Record<string, Conversion>>>> = {
  celsius: {
    '°c': same,
    c: same,
    'deg c': same,
    '°f': (f) => ((f - 32) * 5) / 9,
    f: (f) => ((f - 32) * 5) / 9,
    k: (k) => k - 273.15,
  },
  percent: { '%': same, '': same },
  hectopascals: {
    hpa: same,
    mbar: same,
    mb: same,
    pa: times(0.01),
    kpa: times(10),
    inhg: times(33.86389),
    mmhg: times(1.33322387415),
  },
  metresPerSecond: {
    'm/s': same,
    mps: same,
    'km/h': times(1 / 3.6),
    kph: times(1 / 3.6),
    kmh: times(1 / 3.6),
    mph: times(0.44704),
    kt: times(1852 / 3600),
    kn: times(1852 / 3600),
    knots: times(1852 / 3600),
  },
  millimetresPerHour: {
    'mm/h': same,
    mm: same,
    'mm/hr': same,
    in: times(25.4),
    'in/h': times(25.4),
    'in/hr': times(25.4),
  },
}

/** The value in the wanted unit; undefined when the unit is none of those known, because a guess could be a factor off. */
export function inUnit(value: number, unit: string, quantity: Quantity): number | undefined {
  const known = conversions[quantity]
  const key = unit.trim().toLowerCase()
  return Object.hasOwn(known, key) ? known[key]?.(value) : undefined
}

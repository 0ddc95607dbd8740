import type { UpsState } from '../devices/ups.ts'

/** What a UPS tells of itself; the units of NUT's variables are those of its documentation, appendix "variables". */
export type UpsReading = Pick<UpsState, 'onMains' | 'lowBattery' | 'chargePercent' | 'runtimeSeconds' | 'flags'>

/** A finite number in a variable's text; undefined where it is none. */
function readNumber(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === '') return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

/**
 * From the variables of one listing. `ups.status` holds flags: OL on line, OB on battery, LB low battery, FSD the server's
 * own forced shutdown, CHRG, DISCHRG, RB … (RFC 9271, status symbols). With neither or both of OL and OB the supply has not told
 * whether there is mains. A forced shutdown counts as low battery: power goes off in seconds.
 */
export function readUps(variables: ReadonlyMap<string, string>): UpsReading {
  const flags = (variables.get('ups.status') ?? '').split(/\s+/).filter((flag) => flag !== '')
  const has = (flag: string): boolean => flags.includes(flag)
  return {
    onMains: has('OL') === has('OB') ? undefined : has('OL'),
    lowBattery: has('LB') || has('FSD'),
    chargePercent: readNumber(variables.get('battery.charge')),
    runtimeSeconds: readNumber(variables.get('battery.runtime')),
    flags,
  }
}

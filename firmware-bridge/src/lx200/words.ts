/** What the codes of LX200 and OnStep mount mean, in words for people. */

/** `:MS#` and `:MA#` (Meade rev. L: 0, 1, 2; the others OnStep's Command.ino). */
const gotoWords: Readonly<Record<string, string>> = {
  '1': 'the target is below the horizon limit of the mount',
  '2': 'the target is above the overhead limit of the mount',
  '3': 'the mount stands by: switch tracking on first',
  '4': 'the mount is parked',
  '5': 'a slew is under way already',
  '6': 'the target is outside the limits of the axes or the meridian',
  '7': 'the mount reports a hardware fault',
  '8': 'the mount is in motion already',
  '9': 'the mount refuses without a reason',
}

/** Undefined for 0: the slew has begun. `text` is what Meade's mounts add. */
export function explainGoto(code: string, text = ''): string | undefined {
  if (code === '0') return undefined
  const words = gotoWords[code] ?? `the mount answers ${JSON.stringify(code)}, which is no code of the protocol`
  return text === '' ? words : `${words} (it says ${JSON.stringify(text)})`
}

/** The last character of `:GU#`, 0 to 15 (OnStep `GeneralErrors`). */
const generalErrors: readonly (string | undefined)[] = [
  undefined,
  'a motor driver reports a fault',
  'the mount is below its horizon limit',
  'a limit switch is closed',
  'the declination axis is outside its limits',
  'the azimuth axis is outside its limits',
  'the mount is below the pole outside its limit',
  'the mount is past its meridian limit',
  'the sync was refused',
  'the park failed',
  'slew or sync refused: the target is outside the limits',
  'a fault without a name',
  'the mount is above its overhead limit',
  'the weather sensor does not start',
  'date, time or place have not been set',
  'the memory of the settings does not start',
]

/** Undefined when there is none. */
export function explainGeneralError(code: number): string | undefined {
  if (code === 0) return undefined
  return generalErrors[code] ?? `error ${code}, which is not in the protocol`
}

/** `:GE#` (OnStep `CommandErrors`). */
const commandErrors: readonly (string | undefined)[] = [
  undefined,
  'the answer is no',
  'the command is not known to this firmware',
  'the firmware lost its own answer',
  'a value is out of range',
  'a value is not in the right form',
  'the alignment failed',
  'no alignment is under way',
  'the mount must be parked or at home for this',
  'the mount is parked',
  'the park failed',
  'the mount is not parked',
  'no park position has been set',
  'the slew failed',
  'the library is full',
  'the target is below the horizon limit',
  'the target is above the overhead limit',
  'the mount stands by: switch tracking on first',
  'the mount is parked: unpark it first',
  'a slew is under way already',
  'the target is outside the limits',
  'the mount reports a hardware fault',
  'the mount is in motion',
  'refused without a reason',
]

/** Undefined when the last command was well. */
export function explainCommandError(code: number): string | undefined {
  if (code === 0) return undefined
  return commandErrors[code] ?? `command error ${code}, which is not in the protocol`
}

/** How many codes each table knows: for the tests. */
export const codeCounts = {
  goto: Object.keys(gotoWords).length,
  general: generalErrors.length,
  command: commandErrors.length,
}

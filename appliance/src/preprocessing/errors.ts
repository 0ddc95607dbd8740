import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

export function preprocessingError(code: string, message: string): NightjarError {
  return new NightjarError(`preprocessing/${code}`, message)
}

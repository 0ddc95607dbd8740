/**
 * A broken promise: something the caller may not expect to go on from. Expected failures are values, not errors.
 * `code` is stable and greppable; the message names the thing and the fix.
 */
export class NightjarError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NightjarError'
    this.code = code
  }
}

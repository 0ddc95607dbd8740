/** What a command to a device came to. Failures of hardware are expected, so they are values with a reason for people. */
export type Outcome = { readonly ok: true } | Failure

export interface Failure {
  readonly ok: false
  readonly reason: string
}

export const done: Outcome = { ok: true }

export function failure(reason: string): Failure {
  return { ok: false, reason }
}

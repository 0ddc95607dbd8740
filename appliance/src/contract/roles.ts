import type { Role } from './records.ts'

/** True when somebody with `role` may do what needs `need`: a viewer sees, a curator judges, an operator runs the night. */
export function roleCovers(role: Role, need: Role): boolean {
  return role === 'admin' || need === 'viewer' || role === need
}

import type { JournalEvent } from '../../contract/events.ts'
import type { Role } from '../../contract/records.ts'

/** Who logged in from where is for administrators; everything else is for everybody who is logged in. */
export function mayHear(role: Role, event: JournalEvent): boolean {
  return role === 'admin' || !(event.type.startsWith('user.') || event.type.startsWith('login.'))
}

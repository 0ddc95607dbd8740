import { socket } from '../live/socket.svelte.ts'
import { moment } from './now.svelte.ts'

/** Short gaps are nobody's business: the socket resumes and misses nothing. */
const quietMs = 3000

/** How old what is shown is, once that matters. */
class Connection {
  /** Milliseconds since anything was heard, or 0 while all is well. */
  get lostMs(): number {
    const silentMs = moment.ms - socket.lastHeardMs
    return !socket.connected && silentMs > quietMs ? silentMs : 0
  }
}

export const connection = new Connection()

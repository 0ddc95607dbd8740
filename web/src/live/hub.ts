import type { TonightState } from '@nightjar/appliance/contract/api.ts'
import type { JournalEvent } from '@nightjar/appliance/contract/events.ts'

/** What the socket brings, name → value. State classes listen; nothing else knows the socket. */
export interface LiveEvents {
  tonight: TonightState
  event: JournalEvent
  /** The panel may have missed things: ask again for everything that is shown. */
  reload: undefined
}

type Listener<T> = (value: T) => void

class Hub {
  readonly #listeners: { [K in keyof LiveEvents]: Set<Listener<LiveEvents[K]>> } = {
    tonight: new Set(),
    event: new Set(),
    reload: new Set(),
  }

  on<K extends keyof LiveEvents>(name: K, listener: Listener<LiveEvents[K]>): () => void {
    this.#listeners[name].add(listener)
    return () => void this.#listeners[name].delete(listener)
  }

  tell<K extends keyof LiveEvents>(name: K, value: LiveEvents[K]): void {
    for (const listener of this.#listeners[name]) listener(value)
  }
}

export const hub = new Hub()

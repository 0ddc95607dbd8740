import type { WireList, WireMessage, WirePage, WireView } from '@nightjar/appliance/contract/observatory.ts'
import { get, reasonOf } from '../live/api.ts'
import { every } from '../live/clock.ts'

const lookMs = 1000
const kept = 500

/** What goes over one wire, as it goes. */
class Wires {
  #wires = $state.raw<readonly WireView[]>([])
  #name = $state('')
  #messages = $state.raw<readonly WireMessage[]>([])
  #paused = $state(false)
  #problem = $state('')
  #loading = false

  get wires(): readonly WireView[] {
    return this.#wires
  }

  get name(): string {
    return this.#name
  }

  /** Newest first. */
  get messages(): readonly WireMessage[] {
    return this.#messages
  }

  get paused(): boolean {
    return this.#paused
  }

  get problem(): string {
    return this.#problem
  }

  pause(paused: boolean): void {
    this.#paused = paused
  }

  /** Listens to this wire, or to the first there is, until told to end. */
  watch(name: string | undefined): () => void {
    this.#name = name ?? ''
    this.#messages = []
    this.#paused = false
    void this.#look()
    return every(lookMs, () => {
      if (!document.hidden && !this.#paused) void this.#look()
    })
  }

  async #look(): Promise<void> {
    if (this.#loading) return
    this.#loading = true
    try {
      this.#wires = (await get<WireList>('/api/wires')).wires
      const name = this.#name || this.#wires[0]?.name
      if (name === undefined) return
      this.#name = name
      await this.#more(name)
      this.#problem = ''
    } catch (error) {
      this.#problem = reasonOf(error)
    } finally {
      this.#loading = false
    }
  }

  async #more(name: string): Promise<void> {
    const last = this.#messages[0]?.seq
    const query = last === undefined ? 'limit=200' : `limit=500&after=${last}`
    const page = await get<WirePage>(`/api/wires/${encodeURIComponent(name)}?${query}`)
    if (name !== this.#name) return
    // A daemon that started anew counts from 1 again.
    const restarted = last !== undefined && page.lastSeq < last
    const before = restarted ? [] : this.#messages
    this.#messages = [...page.messages.toReversed(), ...before].slice(0, kept)
  }
}

export const wires = new Wires()

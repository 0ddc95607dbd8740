import type { LiveMessage, SocketTicket } from '@nightjar/appliance/contract/api.ts'
import type { JournalEvent } from '@nightjar/appliance/contract/events.ts'
import { post } from './api.ts'
import { after, every, now } from './clock.ts'
import { hub } from './hub.ts'

/** The server speaks each second; after this silence the line is dead even if nobody said so. */
const silenceMs = 6000
const retryMs = [500, 1000, 2000, 4000, 8000]

/** The live socket: opens, watches, and resumes after the last event it saw. */
class Socket {
  #connected = $state(false)
  #lastHeardMs = $state(now())
  #socket: WebSocket | undefined
  #lastSeq: number | undefined
  #tries = 0
  #running = false
  #cancelRetry: () => void = () => {}
  #cancelWatch: () => void = () => {}

  get connected(): boolean {
    return this.#connected
  }

  /** When the last message came, ms by this browser's clock. */
  get lastHeardMs(): number {
    return this.#lastHeardMs
  }

  start(): void {
    if (this.#running) return
    this.#running = true
    this.#cancelWatch = every(1000, () => this.#watch())
    addEventListener('online', this.#retryNow)
    document.addEventListener('visibilitychange', this.#retryNow)
    void this.#open()
  }

  stop(): void {
    this.#running = false
    this.#lastSeq = undefined
    this.#cancelRetry()
    this.#cancelWatch()
    removeEventListener('online', this.#retryNow)
    document.removeEventListener('visibilitychange', this.#retryNow)
    this.#drop()
  }

  #retryNow = (): void => {
    if (this.#connected || document.hidden || this.#socket) return
    this.#cancelRetry()
    void this.#open()
  }

  async #open(): Promise<void> {
    try {
      const { ticket } = await post<SocketTicket>('/api/socket-ticket')
      if (!this.#running || this.#socket) return
      const query = new URLSearchParams({ ticket })
      if (this.#lastSeq !== undefined) query.set('after', String(this.#lastSeq))
      const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/live?${query}`)
      this.#socket = socket
      this.#lastHeardMs = Math.max(this.#lastHeardMs, now() - 1000)
      socket.onmessage = (message) => this.#hear(JSON.parse(message.data) as LiveMessage)
      socket.onclose = () => this.#closed(socket)
    } catch {
      this.#retryLater()
    }
  }

  #hear(message: LiveMessage): void {
    this.#lastHeardMs = now()
    if (message.kind === 'tonight') hub.tell('tonight', message.tonight)
    else if (message.kind === 'event') this.#tellEvent(message.event)
    else this.#caughtUp(message.seq)
  }

  #tellEvent(event: JournalEvent): void {
    this.#lastSeq = event.seq
    hub.tell('event', event)
  }

  #caughtUp(seq: number): void {
    this.#tries = 0
    this.#connected = true
    const first = this.#lastSeq === undefined
    const journalReplaced = !first && seq < this.#lastSeq!
    this.#lastSeq = seq
    if (first || journalReplaced) hub.tell('reload', undefined)
  }

  #watch(): void {
    if (this.#socket && now() - this.#lastHeardMs > silenceMs) this.#closed(this.#socket)
  }

  #closed(socket: WebSocket): void {
    if (socket !== this.#socket) return
    this.#drop()
    if (this.#running) this.#retryLater()
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#connected = false
    socket?.close()
  }

  #retryLater(): void {
    const wait = retryMs[Math.min(this.#tries++, retryMs.length - 1)]!
    this.#cancelRetry = after(wait, () => void this.#open())
  }
}

export const socket = new Socket()

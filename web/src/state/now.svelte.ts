import { every, now } from '../live/clock.ts'

/** A moment that moves each second, for ages and countdowns. */
class Now {
  #ms = $state(now())

  constructor() {
    every(1000, () => {
      this.#ms = now()
    })
  }

  get ms(): number {
    return this.#ms
  }
}

export const moment = new Now()

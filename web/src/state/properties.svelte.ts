import type { IndiDevice, PropertyTree } from '@nightjar/appliance/contract/observatory.ts'
import { get, post, reasonOf } from '../live/api.ts'
import { every } from '../live/clock.ts'

const lookMs = 2000

/** INDI's devices, and one of them with all its properties. */
class Properties {
  #devices = $state.raw<readonly IndiDevice[]>([])
  #name = $state('')
  #loaded = $state(false)
  #problem = $state('')

  get devices(): readonly IndiDevice[] {
    return this.#devices
  }

  get device(): IndiDevice | undefined {
    return this.#devices.find(({ name }) => name === this.#name)
  }

  get loaded(): boolean {
    return this.#loaded
  }

  get problem(): string {
    return this.#problem
  }

  /** Looks at this device, or at the first there is, until told to end. */
  watch(name: string | undefined): () => void {
    this.#name = name ?? ''
    void this.#look()
    return every(lookMs, () => {
      if (!document.hidden) void this.#look()
    })
  }

  async set(property: string, values: Record<string, unknown>): Promise<void> {
    try {
      await post('/api/indi/properties', { device: this.#name, property, values })
    } finally {
      await this.#look()
    }
  }

  async #look(): Promise<void> {
    try {
      const asked = this.#name
      const tree = await get<PropertyTree>(`/api/indi/properties?device=${encodeURIComponent(asked)}`)
      if (asked !== this.#name) return
      this.#devices = tree.devices
      this.#problem = ''
      const first = tree.devices[0]?.name
      if (asked === '' && first !== undefined) {
        this.#name = first
        await this.#look()
      }
      this.#loaded = true
    } catch (error) {
      this.#problem = reasonOf(error)
    }
  }
}

export const properties = new Properties()

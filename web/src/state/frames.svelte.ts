import type { DetectionPage, FramePage, FrameSource, Stretch } from '@nightjar/appliance/contract/api.ts'
import type { DetectionRecord, FrameRecord } from '@nightjar/appliance/contract/records.ts'
import { get, reasonOf } from '../live/api.ts'
import { settled } from '../live/clock.ts'
import { hub } from '../live/hub.ts'

export const frameFilters = ['all', 'light', 'calibration', 'rejected'] as const
export type FrameFilter = (typeof frameFilters)[number]
const pageSize = 48
const frameEvents = ['frame.captured', 'frame.calibrated', 'frame.rejected', 'candidates.found', 'detections.scored']

/** The list of frames under one filter, newest first. */
class Frames {
  #filter = $state<FrameFilter>('all')
  #frames = $state.raw<readonly FrameRecord[]>([])
  #nextBefore = $state<number | undefined>()
  #status = $state<'loading' | 'ready' | 'failed'>('loading')
  #problem = $state('')

  constructor() {
    hub.on('reload', () => void this.load())
    const refresh = settled(800, () => void this.#refresh())
    hub.on('event', (event) => {
      if (frameEvents.includes(event.type)) refresh()
    })
  }

  get filter(): FrameFilter {
    return this.#filter
  }

  get list(): readonly FrameRecord[] {
    return this.#filter === 'calibration' ? this.#frames.filter((frame) => frame.type !== 'light') : this.#frames
  }

  get more(): boolean {
    return this.#nextBefore !== undefined
  }

  get status(): 'loading' | 'ready' | 'failed' {
    return this.#status
  }

  get problem(): string {
    return this.#problem
  }

  choose(filter: FrameFilter): void {
    this.#filter = filter
    this.#frames = []
    void this.load()
  }

  /** The list from its newest end. */
  async load(): Promise<void> {
    const filter = this.#filter
    if (this.#frames.length === 0) this.#status = 'loading'
    try {
      const page = await get<FramePage>(listUrl(filter))
      if (filter !== this.#filter) return
      this.#frames = page.frames
      this.#nextBefore = page.nextBefore
      this.#status = 'ready'
    } catch (error) {
      this.#problem = reasonOf(error)
      this.#status = 'failed'
    }
  }

  async loadOlder(): Promise<void> {
    if (this.#nextBefore === undefined) return
    const page = await get<FramePage>(`${listUrl(this.#filter)}&before=${this.#nextBefore}`)
    this.#frames = [...this.#frames, ...page.frames]
    this.#nextBefore = page.nextBefore
  }

  /** New and changed frames at the top; older pages stay as they are. */
  async #refresh(): Promise<void> {
    const filter = this.#filter
    const page = await get<FramePage>(listUrl(filter)).catch(() => undefined)
    if (!page || filter !== this.#filter) return
    const fresh = new Set(page.frames.map((frame) => frame.frameId))
    this.#frames = [...page.frames, ...this.#frames.filter((frame) => !fresh.has(frame.frameId))]
    this.#nextBefore ??= page.nextBefore
  }
}

function listUrl(filter: FrameFilter): string {
  const condition = filter === 'light' ? '&type=light' : filter === 'rejected' ? '&state=rejected' : ''
  return `/api/frames?limit=${pageSize}${condition}`
}

export function previewUrl(
  frame: { frameId: string; calibratedPath?: string },
  width: number,
  stretch: Stretch = 'auto',
): string {
  // Named, so that the picture from before the calibration is not taken for the one after it.
  const source: FrameSource = frame.calibratedPath ? 'calibrated' : 'captured'
  const query = new URLSearchParams({ width: String(width), stretch, source })
  return `/api/frames/${frame.frameId}/preview?${query}`
}

export const loadFrame = (frameId: string): Promise<FrameRecord> => get(`/api/frames/${frameId}`)

export async function loadDetectionsOf(frameId: string): Promise<DetectionRecord[]> {
  return (await get<DetectionPage>(`/api/detections?frameId=${frameId}&limit=200`)).detections
}

export const frames = new Frames()

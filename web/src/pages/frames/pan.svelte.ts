/** Where the frame lies on the screen: `screen = frame × scale + offset`. */
export class Pan {
  #scale = $state(1)
  #x = $state(0)
  #y = $state(0)
  #fitScale = 1
  #box = { width: 1, height: 1 }
  #frame = { width: 1, height: 1 }
  readonly #fingers = new Map<number, { x: number; y: number }>()

  get scale(): number {
    return this.#scale
  }

  get x(): number {
    return this.#x
  }

  get y(): number {
    return this.#y
  }

  get fitted(): boolean {
    return this.#scale === this.#fitScale
  }

  /** A new frame or a new window: shows the whole frame unless only the window changed under a zoomed one. */
  place(frame: { width: number; height: number }, box: { width: number; height: number }): void {
    const wasFitted = this.fitted || frame.width !== this.#frame.width || frame.height !== this.#frame.height
    this.#frame = frame
    this.#box = box
    this.#fitScale = Math.min(box.width / frame.width, box.height / frame.height)
    if (wasFitted) this.fit()
    else this.#hold()
  }

  fit(): void {
    this.#scale = this.#fitScale
    this.#hold()
  }

  /** Zooms by `factor` about a point of the screen, the middle when none is given. */
  zoom(factor: number, at = { x: this.#box.width / 2, y: this.#box.height / 2 }): void {
    const scale = Math.max(this.#fitScale, Math.min(16, this.#scale * factor))
    const ratio = scale / this.#scale
    this.#x = at.x - (at.x - this.#x) * ratio
    this.#y = at.y - (at.y - this.#y) * ratio
    this.#scale = scale
    this.#hold()
  }

  /** Between the whole frame and one frame pixel on one screen pixel. */
  toggle(at: { x: number; y: number }): void {
    if (this.fitted) this.zoom(Math.max(2, 1 / this.#scale), at)
    else this.fit()
  }

  move(dx: number, dy: number): void {
    this.#x += dx
    this.#y += dy
    this.#hold()
  }

  /** The frame pixel under a point of the screen, or undefined outside the frame. */
  pixelAt(at: { x: number; y: number }): { x: number; y: number } | undefined {
    const x = (at.x - this.#x) / this.#scale - 0.5
    const y = (at.y - this.#y) / this.#scale - 0.5
    const inside = x >= -0.5 && y >= -0.5 && x < this.#frame.width - 0.5 && y < this.#frame.height - 0.5
    return inside ? { x, y } : undefined
  }

  fingerDown(id: number, at: { x: number; y: number }): void {
    this.#fingers.set(id, at)
  }

  fingerUp(id: number): void {
    this.#fingers.delete(id)
  }

  /** One finger moves, two zoom about their middle. */
  fingerMove(id: number, to: { x: number; y: number }): void {
    const from = this.#fingers.get(id)
    if (!from) return
    const other = [...this.#fingers].find(([key]) => key !== id)?.[1]
    this.#fingers.set(id, to)
    if (!other) {
      this.move(to.x - from.x, to.y - from.y)
      return
    }
    const distance = (a: { x: number; y: number }): number => Math.hypot(a.x - other.x, a.y - other.y)
    this.move((to.x - from.x) / 2, (to.y - from.y) / 2)
    this.zoom(distance(to) / Math.max(1, distance(from)), { x: (to.x + other.x) / 2, y: (to.y + other.y) / 2 })
  }

  /** A frame smaller than the window is centred; a larger one always covers it. */
  #hold(): void {
    this.#x = held(this.#x, this.#frame.width * this.#scale, this.#box.width)
    this.#y = held(this.#y, this.#frame.height * this.#scale, this.#box.height)
  }
}

function held(offset: number, size: number, box: number): number {
  return size <= box ? (box - size) / 2 : Math.max(box - size, Math.min(0, offset))
}

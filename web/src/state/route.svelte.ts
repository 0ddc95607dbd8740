export const pages = ['tonight', 'observatory', 'frames', 'review', 'alerts'] as const
export type Page = (typeof pages)[number]

/** Where we are: `#/frames/f-0001`. */
class Route {
  #parts = $state<string[]>(read())

  constructor() {
    addEventListener('hashchange', () => {
      this.#parts = read()
    })
  }

  get page(): Page {
    return pages.find((page) => page === this.#parts[0]) ?? 'tonight'
  }

  /** What follows the page: a frame id. */
  get argument(): string | undefined {
    return this.#parts[1]
  }

  /** What follows that: the name of a wire. */
  get detail(): string | undefined {
    return this.#parts[2]
  }
}

function read(): string[] {
  return location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
}

export function go(page: Page, ...parts: string[]): void {
  location.hash = linkTo(page, ...parts)
}

export function linkTo(page: Page, ...parts: string[]): string {
  return `#/${[page, ...parts.map(encodeURIComponent)].join('/')}`
}

export const route = new Route()

export const pages = ['tonight', 'frames', 'review', 'alerts'] as const
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
}

function read(): string[] {
  return location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
}

export function go(page: Page, argument?: string): void {
  location.hash = linkTo(page, argument)
}

export function linkTo(page: Page, argument?: string): string {
  return argument ? `#/${page}/${encodeURIComponent(argument)}` : `#/${page}`
}

export const route = new Route()

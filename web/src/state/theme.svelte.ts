export const themes = ['day', 'night', 'red'] as const
export type Theme = (typeof themes)[number]

const storageKey = 'nightjar.theme'

/** Day, night or red; remembered by this browser. `public/theme.js` sets it before the first paint. */
class ThemeChoice {
  #theme = $state<Theme>((document.documentElement.dataset.theme as Theme | undefined) ?? 'night')

  get current(): Theme {
    return this.#theme
  }

  choose(theme: Theme): void {
    this.#theme = theme
    document.documentElement.dataset.theme = theme
    const ground = getComputedStyle(document.documentElement).getPropertyValue('--ground')
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', ground.trim())
    try {
      localStorage.setItem(storageKey, theme)
    } catch {
      // Private windows may refuse: the choice then lasts as long as the page.
    }
  }
}

export const theme = new ThemeChoice()

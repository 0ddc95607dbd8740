/** The browser's clock and timers, in one place. Each timer gives the function that stops it. */

export const now = (): number => Date.now()

export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}

export function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

/** Calls `run` at most once per `ms`, the last time after the last call. */
export function settled(ms: number, run: () => void): () => void {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    after(ms, () => {
      waiting = false
      run()
    })
  }
}

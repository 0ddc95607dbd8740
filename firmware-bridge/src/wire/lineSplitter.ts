/** Cuts a stream of bytes into lines, for protocols of text. */
export interface LineSplitter {
  push(bytes: Uint8Array): void
  /** Forgets what is half received: for a new wire. */
  reset(): void
}

export interface LineSplitterOptions {
  /** A longer line is dropped as a whole: a peer that sends no line break must not fill the memory. */
  readonly longestBytes: number
  /** The line without its break (LF, or CR LF). UTF-8; what is not becomes U+FFFD. Empty lines are left out. */
  readonly onLine: (line: string) => void
  /** A line that was too long has been dropped. */
  readonly onOverlong?: () => void
}

const lineFeed = 0x0a

export function createLineSplitter(options: LineSplitterOptions): LineSplitter {
  const { longestBytes, onLine, onOverlong } = options
  let parts: Buffer[] = []
  let length = 0
  let dropping = false

  function keep(part: Buffer): void {
    if (dropping) return
    length += part.length
    if (length <= longestBytes) return void parts.push(Buffer.from(part))
    dropping = true
    parts = []
    onOverlong?.()
  }

  function finish(): void {
    const text = Buffer.concat(parts).toString('utf8').replace(/\r$/, '')
    reset()
    if (text !== '') onLine(text)
  }

  function reset(): void {
    parts = []
    length = 0
    dropping = false
  }

  return {
    push(bytes) {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let start = 0
      for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
        keep(chunk.subarray(start, end))
        if (dropping) reset()
        else finish()
        start = end + 1
      }
      if (start < chunk.length) keep(chunk.subarray(start))
    },
    reset,
  }
}

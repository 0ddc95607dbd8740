import { readFileSync } from 'node:fs'

/**
 * The most memory that this program has held, in bytes (`VmHWM` of /proc/self/status). Unlike `ru_maxrss` it does not
 * include what the process held that started it.
 */
export function peakRssBytes(): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

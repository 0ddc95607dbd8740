import { isIP } from 'node:net'
import { hostname } from 'node:os'

/**
 * Tells whether a `Host` header names this machine: any literal address, `localhost`, the machine's own name (also as
 * `.local`) and `more`. Refusing others stops a web page whose own name was re-pointed at this machine (DNS rebinding).
 */
export function ownHosts(more: readonly string[]): (host: string) => boolean {
  const names = new Set(['localhost', hostname(), `${hostname()}.local`, ...more].map((name) => name.toLowerCase()))
  names.delete('')
  return (host) => {
    const name = host
      .toLowerCase()
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
    return isIP(name) !== 0 || names.has(name)
  }
}

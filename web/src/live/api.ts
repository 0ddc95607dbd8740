import type { ApiError } from '@nightjar/appliance/contract/api.ts'

/** The server said no, or said nothing (`status` 0). `message` is for people. */
export class ApiFailure extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, error: ApiError) {
    super(error.message)
    this.status = status
    this.code = error.code
  }
}

let csrfToken = ''
let onLoggedOut: () => void = () => {}

/** Told at login; goes with every request that changes something. */
export function useToken(token: string): void {
  csrfToken = token
}

/** What to do when the server no longer knows us. */
export function whenLoggedOut(run: () => void): void {
  onLoggedOut = run
}

export function get<T>(path: string): Promise<T> {
  return ask<T>(path, {})
}

/** `keepalive` lets the request outlive the page. */
export function post<T>(path: string, body?: object, keepalive = false): Promise<T> {
  return ask<T>(path, {
    method: 'POST',
    keepalive,
    headers: { 'x-csrf-token': csrfToken, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
}

export function remove<T>(path: string): Promise<T> {
  return ask<T>(path, { method: 'DELETE', headers: { 'x-csrf-token': csrfToken } })
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await fetch(path, { credentials: 'same-origin', ...init }).catch(() => undefined)
  if (!answer) throw new ApiFailure(0, { code: 'network', message: 'Nightjar does not answer.' })
  if (answer.ok) return (await answer.json()) as T
  const error = (await answer.json().catch(() => undefined)) as ApiError | undefined
  if (answer.status === 401 && error?.code === 'login/needed') onLoggedOut()
  throw new ApiFailure(answer.status, error ?? { code: 'server/failed', message: answer.statusText })
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

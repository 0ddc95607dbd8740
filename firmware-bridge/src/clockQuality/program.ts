import { execFile } from 'node:child_process'
import type { Reading } from '../devices/poll.ts'
import { failure } from '../outcome.ts'

/** What a program prints; bounded in time and size. */
export type RunProgram = (program: string, argv: readonly string[], signal: AbortSignal) => Promise<Reading<string>>

const programMs = 5_000
const mostOutputBytes = 64 * 1024

/** Runs a program to its end, killed after five seconds. A failure has its own words, or names what is missing. */
export const runProgram: RunProgram = (program, argv, signal) =>
  new Promise((resolve) => {
    const limits = { timeout: programMs, killSignal: 'SIGKILL', maxBuffer: mostOutputBytes, signal } as const
    // An ordinary user's PATH leaves out where adjtimex lives.
    const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` }
    execFile(program, argv, { ...limits, encoding: 'utf8', env }, (error, out, words) => {
      if (!error) return resolve({ ok: true, value: out })
      if (error.code === 'ENOENT') return resolve(failure(`${program} is not installed`))
      if (error.killed) return resolve(failure(`${program} did not end within ${programMs / 1000} s`))
      const said = `${words}${out}`.trim().split('\n')[0]
      resolve(failure(`${program}: ${said || error.message}`))
    })
  })

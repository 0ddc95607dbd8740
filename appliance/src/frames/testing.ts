import type { Compute } from './compute.ts'

/** Tasks for the tests of `offload.ts`; a worker loads them by name. */
export const addOne = (_compute: Compute, input: number): number => input + 1

export const failing = (_compute: Compute, _input: number): number => {
  throw Object.assign(new Error('as it should'), { code: 'test/expected' })
}

/** Ends the worker thread. */
export const dying = (_compute: Compute, _input: number): number => process.exit(3)

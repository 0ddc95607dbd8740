import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Compiles the SIMD kernels (appliance/src/frames/kernels/assembly) to appliance/build/kernels.wasm. Skipped when the
 * sources, the compiler and the flags are those of the last build. Safe to run several times at once: each run writes
 * beside and renames. The product is the same, byte for byte, on every machine.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const sourceFolder = join(root, 'appliance/src/frames/kernels/assembly')
const buildFolder = join(root, 'appliance/build')
const product = join(buildFolder, 'kernels.wasm')

const flags = [
  '--runtime=stub',
  '--importMemory',
  '--sharedMemory',
  '--initialMemory=16',
  '--maximumMemory=65536',
  '--enable=simd,threads',
  '--optimizeLevel=3',
  '--shrinkLevel=0',
  '--noAssert',
]

/** Hash of everything that decides the product. */
function sourceHash(): string {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(root, 'node_modules/assemblyscript/package.json')))
  hash.update(flags.join(' '))
  for (const name of readdirSync(sourceFolder).sort()) {
    if (name.endsWith('.ts')) hash.update(name).update(readFileSync(join(sourceFolder, name)))
  }
  return hash.digest('hex')
}

/** Data segments would be written over the arena by each thread's instance. */
function refuseStaticData(wasm: Uint8Array): void {
  let at = 8
  while (at < wasm.length) {
    const section = wasm[at++]
    let size = 0
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0
      size |= (byte & 127) << shift
      if (byte < 128) break
    }
    if (section === 11)
      throw new Error('kernels use static data (a string, array literal or Math function with tables)')
    at += size
  }
}

/** A custom section `sources` at the end of the module: product and stamp are one file, so they cannot disagree. */
function stampSection(hash: string): Buffer {
  const content = Buffer.from(`\x07sources${hash}`, 'latin1')
  return Buffer.concat([Buffer.from([0, content.length]), content])
}

/** The stamp of the last build; undefined when there is none. */
function builtHash(): string | undefined {
  if (!existsSync(product)) return undefined
  return readFileSync(product).subarray(-64).toString('latin1')
}

async function build(hash: string): Promise<void> {
  const { default: asc } = await import('assemblyscript/asc')
  mkdirSync(buildFolder, { recursive: true })
  const temporary = `kernels-${process.pid}.wasm`
  const beside = join(buildFolder, temporary)
  try {
    const result = await asc.main(['index.ts', '--baseDir', sourceFolder, '--outFile', beside, ...flags])
    if (result.error) throw new Error(`${result.stderr}${result.error.message}`)
    const wasm = readFileSync(beside)
    refuseStaticData(wasm)
    writeFileSync(beside, Buffer.concat([wasm, stampSection(hash)]))
    renameSync(beside, product)
  } finally {
    rmSync(beside, { force: true })
  }
}

const hash = sourceHash()
if (builtHash() !== hash || process.argv.includes('--force')) {
  try {
    await build(hash)
    console.log(`kernels: ${readFileSync(product).length} bytes in appliance/build/kernels.wasm`)
  } catch (error) {
    console.error(`kernels: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

import { execFile } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { encode } from './encode.ts'

/** 61 megapixels of 16 bits. */
const frameBytes = 122_000_000
const program = fileURLToPath(new URL('./benchmarkMemory.ts', import.meta.url))

describe('a client that receives a frame of 61 megapixels', () => {
  it('needs at most two and a half times its size, all else included', async () => {
    const bytes = Buffer.alloc(frameBytes, 'frame')
    const message = encode({
      type: 'set',
      kind: 'blob',
      device: 'Camera',
      name: 'CCD1',
      state: 'Ok',
      elements: [{ name: 'CCD1', format: '.fits', sizeBytes: frameBytes, bytes }],
    })
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.resume()
      socket.write(message)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    const { stdout } = await promisify(execFile)(process.execPath, [program, `${port}`, `${frameBytes}`])
    server.close()
    const { peakRssBytes } = JSON.parse(stdout) as { readonly peakRssBytes: number }
    console.log(`peak memory for a BLOB of ${frameBytes / 1e6} MB: ${(peakRssBytes / 1e6).toFixed(0)} MB`)
    expect(peakRssBytes).toBeGreaterThan(frameBytes)
    expect(peakRssBytes).toBeLessThan(2.5 * frameBytes)
  })
})

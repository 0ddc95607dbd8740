import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { connectTcp, type SocketAddress } from './tcp.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function listen(onSocket: (socket: net.Socket) => void, path?: string): Promise<SocketAddress> {
  const server = net.createServer(onSocket)
  cleanups.push(() => server.close())
  await new Promise<void>((resolve) =>
    path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve),
  )
  return path === undefined ? { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port } : { path }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-tcp-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function echoed(address: SocketAddress, bytes: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = []
  const whole = Promise.withResolvers<void>()
  const wire = await connectTcp(address)({
    onBytes(chunk) {
      parts.push(Buffer.from(chunk))
      if (parts.reduce((sum, part) => sum + part.length, 0) === bytes.length) whole.resolve()
    },
    onClose: () => whole.resolve(),
  })
  await wire.write(bytes)
  await whole.promise
  await wire.close()
  return Buffer.concat(parts)
}

describe('a socket wire', () => {
  const megabytes = Buffer.alloc(3 << 20, 'nightjar')

  it('carries bytes over TCP and over a unix socket', async () => {
    const echo = (socket: net.Socket): void => void socket.pipe(socket)
    expect((await echoed(await listen(echo), megabytes)).equals(megabytes)).toBe(true)
    const path = join(temporaryFolder(), 'echo.sock')
    expect((await echoed(await listen(echo, path), megabytes)).equals(megabytes)).toBe(true)
  })

  it('tells once when the far side goes, and then refuses writes', async () => {
    const address = await listen((socket) => socket.once('data', () => socket.destroy()))
    const reasons: string[] = []
    const closed = Promise.withResolvers<void>()
    const wire = await connectTcp(address)({
      onBytes: () => undefined,
      onClose(reason) {
        reasons.push(reason)
        closed.resolve()
      },
    })
    await wire.write(Buffer.from('x'))
    await closed.promise
    await expect(wire.write(Buffer.from('y'))).rejects.toMatchObject({ code: 'wire/closed' })
    await wire.close()
    expect(reasons).toHaveLength(1)
  })

  it('names the address and the fix when nothing listens', async () => {
    const path = join(temporaryFolder(), 'missing.sock')
    const handlers = { onBytes: () => undefined, onClose: () => undefined }
    await expect(connectTcp({ path })(handlers)).rejects.toMatchObject({
      code: 'wire/connect',
      message: `unix ${path}: the socket file is not there: start the server or correct the path`,
    })
    await expect(connectTcp({ host: '127.0.0.1', port: 1 })(handlers)).rejects.toThrow(
      'tcp 127.0.0.1:1: nothing listens there: start the server or correct the address',
    )
  })

  it('does not connect when it is told to stop', async () => {
    const handlers = { onBytes: () => undefined, onClose: () => undefined }
    const address = await listen(() => undefined)
    await expect(connectTcp(address)(handlers, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  })
})

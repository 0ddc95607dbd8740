import { describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { createAlpacaCamera } from '../devices/alpacaCamera.ts'
import { createAlpacaFocuser } from '../devices/alpacaFocuser.ts'
import { createRandom } from '../random.ts'
import { createAlpacaCameraSimulator } from '../simulators/alpacaCamera.ts'
import { createAlpacaFocuserSimulator } from '../simulators/alpacaDevices.ts'
import { createSimulatedAlpacaServer } from '../simulators/alpacaServer.ts'
import { until } from '../simulators/realPeers.ts'
import { broadcastOf, discoverAlpaca, parseDiscovery } from './discovery.ts'
import { writeFits } from './fits.ts'
import { readImageBytes, readImageJson, writeImageBytes } from './imageBytes.ts'
import { listAlpacaDevices, parseConfigured } from './management.ts'
import { parseReply } from './reply.ts'
import { httpTransport } from './transport.ts'

describe('an Alpaca reply', () => {
  // Shapes of the Alpaca API reference, "Alpaca responses".
  it('is a value, or an error with our words before the device’s', () => {
    const reply = { Value: 1.5, ClientTransactionID: 7, ServerTransactionID: 2, ErrorNumber: 0, ErrorMessage: '' }
    expect(parseReply(JSON.stringify(reply), 7)).toEqual({ ok: true, value: 1.5 })
    const refused = { ...reply, ErrorNumber: 0x408, ErrorMessage: 'unpark first' }
    expect(parseReply(JSON.stringify(refused), 7)).toEqual({
      ok: false,
      errorNumber: 0x408,
      reason: 'it does not do this while parked: unpark first',
    })
    expect(parseReply(JSON.stringify({ ...reply, ErrorNumber: 0x512 }), 7)).toMatchObject({ reason: 'error 0x512' })
    expect(parseReply(JSON.stringify(reply), 8).ok).toBe(false)
    expect(parseReply('<html>', 7)).toMatchObject({ reason: 'its answer is not an Alpaca reply' })
  })

  it('is read without a throw in 200,000 bytes of noise', () => {
    const random = createRandom('alpaca noise')
    const real = '{"Value":[1,2],"ClientTransactionID":1,"ErrorNumber":0,"ErrorMessage":""}'
    for (let sent = 0; sent < 200_000; sent += real.length) {
      const at = random.integer(real.length)
      const text = real.slice(0, at) + String.fromCharCode(random.integer(128)) + real.slice(at + random.integer(4))
      parseReply(text, 1)
      readImageJson(text, 1)
      parseDiscovery(text)
    }
  })
})

describe('an Alpaca image', () => {
  const image = { widthPixels: 3, heightPixels: 2, pixels: new Uint16Array([0, 1, 2, 10, 11, 65535]) }

  it('is the reference’s header and columns, top first', () => {
    const bytes = writeImageBytes(image, { client: 5, server: 6 })
    const words = Array.from({ length: 11 }, (_, index) => Buffer.from(bytes).readUInt32LE(index * 4))
    // Version, error, client, server, start of data, Int32 in the driver, UInt16 on the way, rank, three dimensions.
    expect(words).toEqual([1, 0, 5, 6, 44, 2, 8, 2, 3, 2, 0])
    expect([...new Uint16Array(bytes.slice(44).buffer)]).toEqual([0, 10, 1, 11, 2, 65535])
    expect(readImageBytes(bytes, 5)).toEqual({ ok: true, image: { ...image, planes: 1 } })
    expect(readImageBytes(bytes, 4).ok).toBe(false)
  })

  /** Column by column, as the wire has it. */
  function message(type: number, values: ArrayBufferView, dimensions: readonly [number, number, number]): Uint8Array {
    const [x, y, planes] = dimensions
    const header = new Uint32Array([1, 0, 1, 1, 44, 2, type, planes === 0 ? 2 : 3, x, y, planes])
    return Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(values.buffer)])
  }

  it('of 32 bits stays small where it can, signed or floating where it must', () => {
    const small = readImageBytes(message(2, new Int32Array([1, 70, 3, 4]), [2, 2, 0]), 1)
    expect(small).toMatchObject({ image: { pixels: new Uint16Array([1, 3, 70, 4]) } })
    const large = readImageBytes(message(2, new Int32Array([1, 70_000, -3, 4]), [2, 2, 0]), 1)
    expect(large).toMatchObject({ image: { pixels: new Int32Array([1, -3, 70_000, 4]) } })
    const floating = readImageBytes(message(3, new Float64Array([0.5, 1, 2, 3]), [2, 2, 0]), 1)
    expect(floating).toMatchObject({ image: { pixels: new Float32Array([0.5, 2, 1, 3]) } })
  })

  it('of three colours becomes three planes', () => {
    const colours = new Uint8Array([1, 2, 3, 4, 5, 6])
    expect(readImageBytes(message(6, colours, [1, 2, 3]), 1)).toEqual({
      ok: true,
      image: { widthPixels: 1, heightPixels: 2, planes: 3, pixels: new Uint16Array([1, 4, 2, 5, 3, 6]) },
    })
  })

  it('is refused when its sizes do not fit, and an error in it has its words', () => {
    const bytes = writeImageBytes(image, { client: 5, server: 6 })
    expect(readImageBytes(bytes.subarray(0, 50), 5)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('6 bytes instead of 12') as string,
    })
    expect(readImageBytes(bytes.subarray(0, 40), 5).ok).toBe(false)
    const failed = Buffer.concat([bytes.subarray(0, 44), Buffer.from('shutter stuck')])
    failed.writeUInt32LE(0x40b, 4)
    expect(readImageBytes(failed, 5)).toMatchObject({
      errorNumber: 0x40b,
      reason: 'it cannot do this now: shutter stuck',
    })
  })

  it('is read without a throw in 100,000 damaged headers, and never gets more pixels than came', () => {
    const random = createRandom('image noise')
    const real = Buffer.from(writeImageBytes(image, { client: 5, server: 6 }))
    let read = 0
    for (let round = 0; round < 100_000; round++) {
      const damaged = Buffer.from(real)
      damaged[random.integer(44)] = random.integer(256)
      const result = readImageBytes(damaged, 5)
      if (result.ok) read++
      if (result.ok) expect(result.image.pixels.length).toBeLessThanOrEqual(12)
    }
    expect(read).toBeGreaterThan(1_000)
  })

  it('of 61 million pixels is turned in a few seconds', () => {
    const [widthPixels, heightPixels] = [9576, 6388]
    const data = new Uint16Array(widthPixels * heightPixels)
    data[1] = 7
    const result = readImageBytes(message(8, data, [widthPixels, heightPixels, 0]), 1)
    expect(result.ok && result.image.pixels[widthPixels]).toBe(7)
  }, 20_000)
})

describe('a FITS file', () => {
  it('has cards of eighty characters in blocks of 2880 bytes, big-endian', () => {
    const file = writeFits({ widthPixels: 2, heightPixels: 1, planes: 1, pixels: new Int32Array([-2, 70_000]) }, [
      { keyword: 'OBJECT', value: "Barnard's star µ" },
      { keyword: 'X', value: 0.1, comment: 'unit' },
    ])
    const header = Buffer.from(file.subarray(0, 2880)).toString('latin1')
    expect(header.slice(80, 160)).toBe('BITPIX  =                   32'.padEnd(80))
    expect(header).toContain("OBJECT  = 'Barnard''s star ?'")
    expect(header).toMatch(/X {7}= {18}0\.1 \/ unit/)
    expect(header.trimEnd().endsWith('END')).toBe(true)
    const view = new DataView(file.buffer, file.byteOffset + 2880)
    expect([view.getInt32(0), view.getInt32(4), file.length]).toEqual([-2, 70_000, 5760])
  })

  it('is not made of pixels that do not fill it', () => {
    expect(() => writeFits({ widthPixels: 2, heightPixels: 2, planes: 1, pixels: new Uint16Array(3) }, [])).toThrow(
      RangeError,
    )
  })
})

describe('the list of an Alpaca server’s devices', () => {
  it('has only what is named and numbered', () => {
    const one = { DeviceName: 'Sky', DeviceType: 'Camera', DeviceNumber: 1, UniqueID: 'x' }
    const list = [one, { ...one, DeviceNumber: -1 }, { ...one, DeviceName: 3 }, null, 'camera']
    expect(parseConfigured(JSON.stringify({ Value: list }))).toEqual([
      { name: 'Sky', kind: 'camera', deviceNumber: 1, uniqueId: 'x' },
    ])
    expect(parseConfigured('{"Value":7}')).toBeUndefined()
    expect(parseConfigured('x')).toBeUndefined()
  })
})

describe('Alpaca over the network', () => {
  it('is found by its discovery and driven by HTTP', async () => {
    const clock = systemClock
    const server = createSimulatedAlpacaServer([
      createAlpacaFocuserSimulator(clock),
      createAlpacaCameraSimulator({ clock, widthPixels: 640, heightPixels: 480 }),
    ])
    await using listening = await server.listen()
    const found = await discoverAlpaca({
      clock,
      waitMs: 200,
      addresses: ['127.0.0.1'],
      port: listening.discoveryPort,
    })
    expect(found).toEqual([{ host: '127.0.0.1', port: listening.port }])
    const transport = httpTransport(`http://127.0.0.1:${listening.port}`)
    expect(await listAlpacaDevices(transport, clock)).toMatchObject({
      ok: true,
      devices: [
        { kind: 'focuser', deviceNumber: 0, name: 'Alpaca Focuser' },
        { kind: 'camera', deviceNumber: 0, name: 'Alpaca Camera' },
      ],
    })
    await using focuser = createAlpacaFocuser({ clock, transport, intervalMs: 100 })
    await using camera = createAlpacaCamera({ clock, transport, intervalMs: 100 })
    await until('connected', () => focuser.state().connected && camera.state().connected)
    expect(await focuser.moveTo(26_000)).toEqual({ ok: true })
    const frame = await camera.expose({ seconds: 0.1, frameType: 'light' })
    expect(frame.ok && frame.bytes.length).toBe(2880 + Math.ceil((640 * 480 * 2) / 2880) * 2880)
    await listening[Symbol.asyncDispose]()
    await until('lost', () => !focuser.state().connected)
    expect(focuser.state().problem).toContain('start the Alpaca server')
  })

  it('knows the broadcast address of a network', () => {
    expect(broadcastOf('192.168.1.20', '255.255.255.0')).toBe('192.168.1.255')
    expect(broadcastOf('10.1.2.3', '255.255.240.0')).toBe('10.1.15.255')
  })

  it('takes no answer that is not a port', () => {
    expect(parseDiscovery('{"AlpacaPort":11111}')).toBe(11111)
    for (const text of ['{"AlpacaPort":0}', '{"AlpacaPort":70000}', '{}', 'null', 'x'])
      expect(parseDiscovery(text)).toBeUndefined()
  })
})

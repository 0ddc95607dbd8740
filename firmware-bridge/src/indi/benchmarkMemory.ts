/**
 * Receives one BLOB as a client does and prints its own peak memory as JSON: a program of its own, because a process's
 * peak cannot be set back. Arguments: port, bytes of the BLOB.
 */
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { connectTcp } from '../wire/tcp.ts'
import { createIndiClient } from './client.ts'
import { peakRssBytes } from './peakMemory.ts'

const [port, bytes] = process.argv.slice(2).map(Number)
await using client = createIndiClient(connectTcp({ host: '127.0.0.1', port: port! }), {
  clock,
  random: createRandom(1),
})
const whole = Promise.withResolvers<number>()
client.listen((event) => {
  if (event.type === 'blob') whole.resolve(event.blobs[0]!.bytes.length)
})
const startedAt = clock.monotonic()
const got = await whole.promise
const elapsedMs = clock.monotonic() - startedAt
if (got !== bytes) throw new Error(`${got} of ${bytes} bytes came`)
process.stdout.write(JSON.stringify({ peakRssBytes: peakRssBytes(), elapsedMs }))

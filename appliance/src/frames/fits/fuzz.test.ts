import { systemClock } from '@nightjar/firmware-bridge/clock.ts'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { describe, expect, it } from 'vitest'
import { createCompute } from '../compute.ts'
import { compressedCorpus, reference } from '../reference.ts'
import { wcsFromHeader } from '../wcs.ts'
import { verifyChecksums } from './checksum.ts'
import { FitsHeader } from './header.ts'
import { openFits, readFrame } from './read.ts'
import { encodeFits } from './write.ts'

const files = 100_000
const maximumBytes = 4 * 1024 * 1024
const evil = [
  "'",
  '/',
  '=',
  '&',
  '-',
  '9'.repeat(18),
  '1E99',
  '  T',
  'END',
  '\xff',
  '\0',
  'XTENSION',
  'CONTINUE',
  '(',
  '0',
]

function seeds(): Uint8Array[] {
  const size = { width: 3, height: 2 }
  const mask = { ...size, data: Int32Array.of(1, 2, 4, 8, 16, -1) }
  const header = FitsHeader.from({
    MP_SAT: 1,
    CTYPE1: 'RA---TAN-SIP',
    CTYPE2: 'DEC--TAN-SIP',
    A_ORDER: 2,
    NOTE: 'x'.repeat(200),
  })
  return [
    ...Object.values(reference.files).map((file) => Buffer.from(file.base64, 'base64')),
    Buffer.from(reference.header.base64, 'base64'),
    ...compressedCorpus()
      .files.filter((_, index) => index % 9 === 0)
      .map(({ base64 }) => Buffer.from(base64, 'base64')),
    encodeFits([
      { header },
      { data: { ...size, data: Float32Array.of(1, 2, 3, 4, 5, 6) } },
      { data: mask, header, extname: 'MASK' },
      { data: { ...size, data: new Float32Array(6) }, extname: 'VARIANCE' },
    ]),
  ]
}

/** A few changes, most of them in headers: bytes, evil text, a card moved over another, blocks cut or doubled. */
function mutated(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(seed)
  for (let changes = 1 + random.integer(4); changes > 0; changes--) {
    const at = random.integer(bytes.length)
    const card = Math.floor(at / 80) * 80
    const kind = random.integer(6)
    if (kind === 0) bytes[at] = random.integer(256)
    else if (kind === 1) bytes.write(evil[random.integer(evil.length)] ?? '', at, 'latin1')
    else if (kind === 2)
      bytes.write(
        evil[random.integer(evil.length)] ?? '',
        Math.min(bytes.length, random.integer(9) * 80 + 10),
        'latin1',
      )
    else if (kind === 3) bytes.copy(bytes, card, random.integer(Math.ceil(bytes.length / 80)) * 80, card + 80)
    else if (kind === 4) bytes = bytes.subarray(0, Math.max(1, at))
    else bytes = Buffer.concat([bytes.subarray(0, card), bytes.subarray(random.integer(bytes.length))])
  }
  return bytes
}

describe('damaged files', () => {
  it(`of ${files} kinds are read or refused by name, quickly and in bounds`, () => {
    using compute = createCompute({ threads: 1 })
    const random = createRandom('damaged FITS')
    const originals = seeds()
    let refused = 0
    let slowestMs = 0
    for (let i = 0; i < files; i++) {
      const bytes = mutated(originals[i % originals.length] as Uint8Array, random)
      const started = systemClock.monotonic()
      try {
        using _scope = compute.scope()
        const file = openFits(bytes, { name: 'damaged.fits', maximumBytes })
        const frame = readFrame(compute, file)
        wcsFromHeader(frame.header)
        verifyChecksums(file)
      } catch (error) {
        refused++
        const known =
          error instanceof NightjarError && error.code.startsWith('fits/') && error.message.startsWith('damaged.fits: ')
        if (!known) throw error
      }
      slowestMs = Math.max(slowestMs, systemClock.monotonic() - started)
    }
    expect(refused).toBeGreaterThan(files / 10)
    expect(refused).toBeLessThan(files)
    expect(slowestMs).toBeLessThan(2000)
    expect(compute.usage().peakBytes).toBeLessThan(8 * maximumBytes)
  })
})

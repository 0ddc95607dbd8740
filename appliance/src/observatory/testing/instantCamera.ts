import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Camera, ExposureRequest } from '@nightjar/firmware-bridge/devices/camera.ts'
import { createRandom, type Random } from '@nightjar/firmware-bridge/random.ts'
import { FitsHeader } from '../../frames/fits/header.ts'
import { encodeFits } from '../../frames/fits/write.ts'

const side = 16

/** Delivers frames of 16 × 16 pixels in no time at all, each with its own noise; does nothing else. */
export function instantCamera(clock: Clock, random: Random = createRandom('bias')): Camera {
  const frame = (): Uint8Array => {
    const data = Uint16Array.from({ length: side * side }, () => 300 + random.next() * 10)
    return encodeFits([{ header: FitsHeader.from({}), data: { width: side, height: side, data } }])
  }
  const expose = async ({ seconds }: ExposureRequest) => ({
    ok: true as const,
    bytes: frame(),
    format: '.fits',
    startedAtMs: clock.now(),
    endedAtMs: clock.now() + seconds * 1000,
  })
  const state = () => ({ source: 'instant camera', filters: [], widthPixels: side, heightPixels: side })
  return { expose, state } as unknown as Camera
}

import sharp from 'sharp'
import { expect, test } from 'vitest'
import { encodeGreyPng } from './png.ts'

test('libvips reads back every pixel', async () => {
  const width = 67
  const height = 41
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i * i * 31 + (i % width) * 7) & 255)
  const { data, info } = await sharp(encodeGreyPng(pixels, width, height))
    .toColourspace('b-w')
    .raw()
    .toBuffer({ resolveWithObject: true })
  expect([info.width, info.height, info.channels]).toEqual([width, height, 1])
  expect(Buffer.compare(data, Buffer.from(pixels))).toBe(0)
})

test('an array of the wrong length is refused', () => {
  expect(() => encodeGreyPng(new Uint8Array(5), 2, 3)).toThrow(/6 pixels/)
})

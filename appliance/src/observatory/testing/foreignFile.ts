import { FitsHeader, type HeaderEntries } from '../../frames/fits/header.ts'
import { encodeFits } from '../../frames/fits/write.ts'

const side = 16

/** A frame of M31 as another program writes it; `change` is laid over its header, undefined leaves a card out. */
export function foreignFile(
  change: HeaderEntries = {},
  pixel: (index: number) => number = (i) => 300 + ((i * 7) % 11),
) {
  const cards: HeaderEntries = {
    IMAGETYP: 'LIGHT',
    OBJECT: 'Andromeda',
    'DATE-OBS': '2026-11-20T22:15:30.250',
    EXPTIME: 60,
    FILTER: 'L',
    OBJCTRA: '00 42 44.33',
    OBJCTDEC: '+41 16 07.5',
    SWCREATE: 'Another 1.0',
    ...change,
  }
  const data = Uint16Array.from({ length: side * side }, (_, index) => pixel(index))
  return encodeFits([{ header: FitsHeader.from({}).withAll(cards), data: { width: side, height: side, data } }])
}

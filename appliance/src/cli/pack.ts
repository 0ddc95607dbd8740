import { parseArgs } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'
import { createCompute } from '../frames/compute.ts'
import { packFile } from './packFile.ts'
import { forEachFile } from './packReport.ts'

export const help = `Usage: nightjar pack FILE… [--lossy Q] [--keep] [--json]

Packs the images of FITS files in tiles, as fpack does: FILE becomes FILE.fz, which funpack, astropy and Nightjar read. Whole
numbers are packed by RICE_1, floats by GZIP_2, both bit for bit; tables and headers stay as they are, checksums are right.
FILE goes when FILE.fz is on the disk and unpacks to the very same bytes.

  --lossy Q  floats are rounded to Q steps per standard deviation of their noise, with dither (fpack's -q; 4 is usual)
  --keep     FILE stays
  --json     prints one JSON object a file

Exits with 1 when a file was not packed; the others are. "nightjar unpack" is the way back.`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      lossy: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const quantizeLevel = values.lossy === undefined ? undefined : levelOf(values.lossy)
  using compute = createCompute()
  return await forEachFile(positionals, values.json, (path) =>
    packFile(compute, path, { quantizeLevel, keep: values.keep }),
  )
}

function levelOf(text: string): number {
  const level = Number(text)
  if (level > 0 && level <= 1000) return level
  throw new NightjarError('cli/usage', `--lossy must be a number above 0 and up to 1000, not ${text}`)
}

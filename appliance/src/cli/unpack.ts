import { parseArgs } from 'node:util'
import { createCompute } from '../frames/compute.ts'
import { unpackFile } from './packFile.ts'
import { forEachFile } from './packReport.ts'

export const help = `Usage: nightjar unpack FILE.fz… [--keep] [--json]

Unpacks tile-compressed FITS files, by nightjar pack or fpack: FILE.fz becomes FILE. What was packed without loss has the bytes
that it had. FILE.fz goes when FILE is on the disk and its checksums hold.

  --keep     FILE.fz stays
  --json     prints one JSON object a file

Exits with 1 when a file was not unpacked; the others are.`

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { keep: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
  })
  using compute = createCompute()
  return await forEachFile(positionals, values.json, (path) => unpackFile(compute, path, { keep: values.keep }))
}

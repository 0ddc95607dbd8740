import type { BenchRow } from '../contract/bench.ts'
import { qualityScenes } from '../differencing/quality/scenes.ts'
import { formatNumber } from './formatNumber.ts'

/** docs/quality.md: what `scripts/bench --quality` found of differences, one column a sky and one line a figure. */
const scene = 'scene '
const pair = 'pair '

/** Figures of how good differences are; all others are of speed and size, or stand beside a peer. */
export function isQuality({ room, frame }: BenchRow): boolean {
  return room === 'differencing' && frame !== null && (frame.startsWith(scene) || frame.startsWith(pair))
}

export function formatQuality(rows: readonly BenchRow[]): string {
  const titles = new Map(qualityScenes.map(({ name, title }) => [name, title]))
  const scenes = columnsOf(rows, scene).map(
    (name) => `- **${name}**: ${titles.get(name) ?? name}; ${framesOf(rows, scene + name)}.`,
  )
  return `# How good the differences are

Made by \`scripts/bench pixels --quality --write-docs\`. Differencing subtracts a reference from a new frame and looks for what
is left. Its result S_corr is how many standard deviations each pixel differs: where nothing changed it is noise of mean 0 and
width 1, and a new star is a peak. The figures are those of the subtraction alone, before the network has looked at anything.

## Simulated skies

Frames of 2048 × 2048 pixels with 1,500 stars and 80 galaxies in a megapixel, seeing 3 px, a deeper reference with seeing 2 px,
and 130 new sources in a megapixel on empty sky, on galaxies and on stars, unless the name says otherwise:

${scenes.join('\n')}

${tableOf(rows, scene)}
- **False positives**: peaks above that many σ further than 10 px from every new source, in a megapixel. Pure noise has about 8
  above 4 σ and less than 0.2 above 5 σ. **Negatives** are the same of the other sign, where something seems to have faded.
- **Completeness**: share of the new sources of that signal-to-noise ratio that were found above 5 σ, within 2.5 px. The ratio is
  that against the sky in the new frame alone; light of a host and noise of the reference come on top.
- **S/N of 50 % completeness**: where half of them are found. With the threshold raised or lowered until one false
  positive in a megapixel is left it is the fairest single number.
- **MAD of S_corr**: 1.4826 × median absolute deviation; 1 when the noise is known exactly.
- **From saturation**: pixels around saturated stars, which candidates are taken from with a warning.
- **Flux ratio**: how far the measured brightness ratio of the two frames is from the true one.

## Real frames

The frames are not part of this repository; without them this table is empty. Sources of S/N 8 and 10 were added to the new frame
of all but the DECam pairs, which hold one true brightening; every other positive candidate off masked pixels counts as false.

${tableOf(rows, pair)}`
}

function columnsOf(rows: readonly BenchRow[], kind: string): string[] {
  return [...new Set(rows.flatMap(({ frame }) => (frame?.startsWith(kind) ? [frame.slice(kind.length)] : [])))]
}

function framesOf(rows: readonly BenchRow[], frame: string): string {
  const n = rows.find((row) => row.frame === frame)?.n ?? 0
  return n === 1 ? 'one frame' : `${n} frames`
}

function tableOf(rows: readonly BenchRow[], kind: string): string {
  const columns = columnsOf(rows, kind)
  const figures = new Map(rows.filter(({ frame }) => frame?.startsWith(kind)).map((row) => [row.figure, row.unit]))
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  const lines = [...figures].map(([figure, unit]) => {
    const values = columns.map((name) => rows.find((row) => row.frame === kind + name && row.figure === figure)?.value)
    return line([figure, unit, ...values.map((value) => (value === undefined ? '' : formatNumber(value)))])
  })
  return line(['figure', 'unit', ...columns]) + line(['---', '---', ...columns.map(() => '---:')]) + lines.join('')
}

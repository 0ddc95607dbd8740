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
- **Flux of new sources**: median of measured over true flux of 460 sources of S/N 20, 30 and 50 in each of as many other frames.
  **Pulls** are their errors over what these were said to be: their standard deviation without those beyond 4 σ, 1 when that is
  right.
${peerOf(rows)}
## Real frames

The frames are not part of this repository; without them this table is empty. Sources of S/N 8 and 10 were added to the new frame
of all but the DECam pairs, which hold one true brightening; every other positive candidate off masked pixels counts as false. The
ratio is the source's flux over the scatter of a matched filter's fluxes on empty sky of the new frame alone; noise of the reference
comes on top. HAT-P-32 is a night of undersampled frames of a small telescope, calibrated by nothing but itself; some 20 sources of either
ratio are in each frame, so that one of them is 5 %.

${tableOf(rows, pair)}`
}

function columnsOf(rows: readonly BenchRow[], kind: string): string[] {
  return [...new Set(rows.flatMap(({ frame }) => (frame?.startsWith(kind) ? [frame.slice(kind.length)] : [])))]
}

function framesOf(rows: readonly BenchRow[], frame: string): string {
  const n = rows.find((row) => row.frame === frame)?.n ?? 0
  return n === 1 ? 'one frame' : `${n} frames`
}

/** A line for each figure, and under it the peer's where it has one. */
function tableOf(rows: readonly BenchRow[], kind: string): string {
  const columns = columnsOf(rows, kind)
  const here = rows.filter(({ frame }) => frame?.startsWith(kind))
  const figures = new Map(here.map((row) => [row.figure, row.unit]))
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  const lines = [...figures].map(([figure, unit]) => {
    const found = columns.map((name) => here.find((row) => row.frame === kind + name && row.figure === figure))
    const ours = line([figure, unit, ...found.map((row) => (row ? formatNumber(row.value) : ''))])
    if (found.every((row) => row?.peerValue == null)) return ours
    return ours + line(['— peer', unit, ...found.map((row) => formatNumber(row?.peerValue ?? null))])
  })
  return line(['figure', 'unit', ...columns]) + line(['---', '---', ...columns.map(() => '---:')]) + lines.join('')
}

/** Who the peer is; where it has no figure the row says why. */
function peerOf(rows: readonly BenchRow[]): string {
  const named = rows.filter(({ peer }) => peer !== null)
  const who = named.find(({ peerValue }) => peerValue !== null)?.peer
  if (!named.length) return ''
  const missing = [
    ...new Set(
      named
        .filter(({ peerValue, frame }) => peerValue === null && !hasPeer(named, frame))
        .map(({ frame, peer }) => `${frame}: ${peer}`),
    ),
  ]
  const why = missing.length > 0 ? ` Without its figures: ${missing.join('; ')}.` : ''
  return `
The **peer** had the same frames in the same run: ${who ? `${who} (scripts/reference/quality_zogy.py)` : 'none'}.${why}
It knows what this program knows of them (gain, saturation, masked pixels filled), and its S_corr is divided by its MAD where that is off by
more than 3 %. Where a cell of its line is empty it never finds half of the sources, or was not measured.
`
}

function hasPeer(rows: readonly BenchRow[], frame: string | null): boolean {
  return rows.some((row) => row.frame === frame && row.peerValue !== null)
}

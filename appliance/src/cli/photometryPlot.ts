/** A light curve as a picture: measurements with their errors, the model and what it leaves. */
export interface PlotInput {
  readonly title: string
  /** Hours from `origin`. */
  readonly hours: readonly number[]
  readonly mag: readonly number[]
  readonly errorMag: readonly number[]
  readonly modelMag?: readonly number[]
  readonly xLabel: string
}

const size = { width: 900, height: 560, left: 74, right: 20, top: 44, middle: 390, bottom: 50 } as const

/** An SVG of 900 × 560 px: brightness above, residuals (with a model) below; fainter is lower. */
export function plotLightCurve(input: PlotInput): string {
  const { hours, mag, errorMag, modelMag } = input
  const mmag = mag.map((value) => value * 1000)
  const spread = errorMag.map((value) => value * 1000)
  const rest = modelMag && mmag.map((value, i) => value - modelMag[i]! * 1000)
  const upper = { top: size.top, bottom: modelMag ? size.middle : size.height - size.bottom }
  const lower = { top: size.middle + 14, bottom: size.height - size.bottom }
  const x = axis(hours, size.left, size.width - size.right)
  const y = axis(
    [...mmag.map((v, i) => v - spread[i]!), ...mmag.map((v, i) => v + spread[i]!)],
    upper.top,
    upper.bottom,
  )
  const parts = [
    frame(upper),
    ...ticks(x).map((t) => tickX(x.at(t), modelMag ? lower.bottom : upper.bottom, t)),
    ...ticks(y).map((t) => tickY(y.at(t), t)),
    ...hours.map((h, i) => point(x.at(h), y.at(mmag[i]!), y.at(mmag[i]! - spread[i]!), y.at(mmag[i]! + spread[i]!))),
  ]
  if (modelMag && rest) {
    const r = axis([...rest, -2, 2], lower.top, lower.bottom)
    const line = hours.map((h, i) => `${x.at(h).toFixed(1)},${y.at(modelMag[i]! * 1000).toFixed(1)}`).join(' ')
    parts.push(`<polyline points="${line}" fill="none" stroke="#c2410c" stroke-width="2"/>`, frame(lower))
    const zero = r.at(0).toFixed(1)
    parts.push(`<line x1="${size.left}" x2="${size.width - size.right}" y1="${zero}" y2="${zero}" stroke="#c2410c"/>`)
    parts.push(...ticks(r, 3).map((t) => tickY(r.at(t), t)))
    parts.push(...hours.map((h, i) => point(x.at(h), r.at(rest[i]!), r.at(rest[i]!), r.at(rest[i]!))))
  }
  const labels = [
    text(size.width / 2, 26, input.title, 'middle', 17),
    text(size.width / 2, size.height - 10, input.xLabel, 'middle', 14),
    `<text transform="translate(20 ${(upper.top + upper.bottom) / 2}) rotate(-90)" text-anchor="middle" font-size="14">brightness, mmag (fainter is lower)</text>`,
  ]
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" fill="#1f2937">`
  return `${open}\n<rect width="100%" height="100%" fill="#ffffff"/>\n${[...parts, ...labels].join('\n')}\n</svg>\n`
}

interface Axis {
  readonly low: number
  readonly high: number
  at(value: number): number
}

/** Smaller values come first: more magnitude is fainter and drawn lower. */
function axis(values: readonly number[], from: number, to: number): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const margin = 0.05 * (most - least || 1)
  const [low, high] = [least - margin, most + margin]
  return { low, high, at: (value) => from + ((value - low) / (high - low)) * (to - from) }
}

function ticks({ low, high }: Axis, wanted = 6): number[] {
  const raw = (high - low) / wanted
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10)
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(6)))
}

function frame({ top, bottom }: { readonly top: number; readonly bottom: number }): string {
  const width = size.width - size.right - size.left
  return `<rect x="${size.left}" y="${top}" width="${width}" height="${bottom - top}" fill="none" stroke="#9ca3af"/>`
}

function tickX(x: number, bottom: number, value: number): string {
  return `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${bottom}" y2="${bottom - 6}" stroke="#9ca3af"/>${text(x, bottom + 18, String(value), 'middle', 13)}`
}

function tickY(y: number, value: number): string {
  return `<line x1="${size.left}" x2="${size.left + 6}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="#9ca3af"/>${text(size.left - 8, y + 4, String(value), 'end', 13)}`
}

function point(x: number, y: number, low: number, high: number): string {
  const bar = `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${low.toFixed(1)}" y2="${high.toFixed(1)}" stroke="#93c5fd"/>`
  return `${low === high ? '' : bar}<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="#1d4ed8"/>`
}

function text(x: number, y: number, content: string, anchor: string, fontSize: number): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${fontSize}">${safe}</text>`
}

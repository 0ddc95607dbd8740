import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Compute } from '../../frames/compute.ts'
import { encodeFrame } from '../../frames/fits/write.ts'
import type { Frame } from '../../frames/frame.ts'
import { MaskFlag } from '../../frames/mask.ts'
import type { MaskPlane, Plane } from '../../frames/plane.ts'
import { type Peak, scoreFrame } from './score.ts'

/** The peer of the quality tables: a difference of the same two frames by programs that Debian has. */
export interface PeerDifference {
  /** Name and versions. */
  readonly peer: string
  /** On the science grid. */
  readonly scorr: Plane
}

export interface PeerOptions {
  /** Electrons per ADU, where the headers do not say. */
  readonly gainScience?: number
  readonly gainReference?: number
}

const python = '/usr/bin/python3'
const script = fileURLToPath(new URL('../../../../scripts/reference/quality_zogy.py', import.meta.url))
export const peerInstall =
  'ZOGY by scipy with PSFEx: apt-get install psfex source-extractor python3-sep python3-astroalign python3-scipy'
const childMs = 300_000

/**
 * S_corr by scripts/reference/quality_zogy.py, or why there is none: a program is missing, or it failed on these frames. The
 * plane is allocated from `compute`.
 */
export function peerDifference(
  compute: Compute,
  science: Frame,
  reference: Frame,
  options: PeerOptions = {},
): PeerDifference | string {
  if (![python, '/usr/bin/psfex', '/usr/bin/source-extractor'].every((path) => existsSync(path))) return peerInstall
  const folder = mkdtempSync(join(tmpdir(), 'nightjar-peer-'))
  try {
    writeFileSync(join(folder, 'science.fits'), encodeFrame(plain(compute, science, options.gainScience)))
    writeFileSync(join(folder, 'reference.fits'), encodeFrame(plain(compute, reference, options.gainReference)))
    const said = execFileSync(python, [script, folder], {
      timeout: childMs,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { peer } = JSON.parse(said.toString()) as { peer: string }
    const bytes = readFileSync(join(folder, 'scorr.f32'))
    const scorr = compute.float32(science.width, science.height)
    scorr.data.set(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
    return { peer, scorr }
  } catch (error) {
    const lines = String((error as { stderr?: unknown }).stderr ?? error).trim()
    return lines.includes('ModuleNotFoundError') ? peerInstall : `failed: ${lines.slice(lines.lastIndexOf('\n') + 1)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const spoilt = MaskFlag.bad | MaskFlag.cosmicRay

/** Without a mask: missing pixels are NaN, spoilt ones the mean of good neighbours. */
function plain(compute: Compute, frame: Frame, gain: number | undefined): Frame {
  const { width, height, mask } = frame
  const science = compute.float32(width, height)
  science.data.set(frame.science.data)
  for (let i = 0; i < mask.data.length; i++) {
    if ((mask.data[i]! & MaskFlag.noData) !== 0) science.data[i] = Number.NaN
    else if ((mask.data[i]! & spoilt) !== 0) science.data[i] = goodMean(frame, i)
  }
  const known = frame.header.number('EGAIN') !== undefined
  const header = known || !gain ? frame.header : frame.header.with('EGAIN', gain, 'electrons per ADU')
  return { header, width, height, science, mask: compute.uint16(width, height), variance: undefined }
}

function goodMean({ science, mask, width, height }: Frame, at: number): number {
  const [x, y] = [at % width, Math.floor(at / width)]
  let [sum, count] = [0, 0]
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      if ((mask.data[v * width + u]! & (spoilt | MaskFlag.noData)) !== 0) continue
      sum += science.data[v * width + u]!
      count++
    }
  }
  return count > 0 ? sum / count : Number.NaN
}

const maskReach = 2

/** Positive peaks off masked pixels, borders and saturation, as candidates are judged. */
export function openPeaks(scorr: Plane, mask: MaskPlane): readonly Peak[] {
  const isOpen = ({ x, y }: Peak): boolean => {
    for (let v = y - maskReach; v <= y + maskReach; v++)
      for (let u = x - maskReach; u <= x + maskReach; u++) if (mask.data[v * mask.width + u] !== 0) return false
    return true
  }
  return scoreFrame(scorr, mask, []).peaks.filter((peak) => peak.peak > 0 && isOpen(peak))
}

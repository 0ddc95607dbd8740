import type { FitsHeader } from '../frames/fits/header.ts'
import { pixelScaleArcsec, pixelToSky, wcsFromHeader } from '../frames/wcs.ts'
import type { SolveHint } from './solve.ts'

/** What a header says of where it points and how large its pixels are; each undefined when it says nothing. */
export interface HeaderHint {
  readonly place: { readonly raDeg: number; readonly decDeg: number } | undefined
  readonly scaleArcsecPerPixel: number | undefined
  /** A solved header is exact, optics are good to a few per cent, binning may have been counted twice. */
  readonly scaleTolerance: number
}

const arcsecPerRadian = 206264.806

/** Reads CRVAL, RA and DEC, OBJCTRA and OBJCTDEC; SCALE, or FOCALLEN with XPIXSZ or PIXSIZE1. */
export function headerHint(header: FitsHeader, width: number, height: number): HeaderHint {
  const wcs = wcsFromHeader(header)
  if (wcs) {
    const place = pixelToSky(wcs, (width - 1) / 2, (height - 1) / 2)
    return { place, scaleArcsecPerPixel: pixelScaleArcsec(wcs), scaleTolerance: 0.05 }
  }
  const scale = scaleOf(header)
  return { place: placeOf(header), scaleArcsecPerPixel: scale, scaleTolerance: 0.1 }
}

function placeOf(header: FitsHeader): HeaderHint['place'] {
  const raDeg = angleOf(header, 'RA', 'OBJCTRA')
  const decDeg = angleOf(header, 'DEC', 'OBJCTDEC')
  if (raDeg === undefined || decDeg === undefined || Math.abs(decDeg) > 90) return undefined
  return { raDeg: wrapped(raDeg), decDeg }
}

/** `key` in degrees (or sexagesimal), else `sexagesimalKey`; hours of RA become degrees. */
function angleOf(header: FitsHeader, key: 'RA' | 'DEC', sexagesimalKey: string): number | undefined {
  const plain = header.number(key)
  if (plain !== undefined) return plain
  const text = header.text(key) ?? header.text(sexagesimalKey)
  const value = text === undefined ? undefined : parseSexagesimal(text)
  return value === undefined ? undefined : key === 'RA' ? value * 15 : value
}

function wrapped(raDeg: number): number {
  return raDeg >= 0 && raDeg < 360 ? raDeg : ((raDeg % 360) + 360) % 360
}

/** `±D M S`, parts separated by blanks or colons, minutes and seconds optional; undefined when it is something else. */
export function parseSexagesimal(text: string): number | undefined {
  const match =
    /^\s*([+-]?)\s*(\d+(?:\.\d*)?)(?:[\s:hdms°]+(\d+(?:\.\d*)?))?(?:[\s:ms'′]+(\d+(?:\.\d*)?))?[\s:s"″]*$/.exec(text)
  if (!match) return undefined
  const [, sign, whole, minutes = '0', seconds = '0'] = match
  if (Number(minutes) >= 60 || Number(seconds) >= 60) return undefined
  const value = Number(whole) + Number(minutes) / 60 + Number(seconds) / 3600
  return sign === '-' ? -value : value
}

/** A place as people write it: degrees, or sexagesimal with hours for a right ascension. */
export function parsePlace(raText: string, decText: string): { raDeg: number; decDeg: number } | undefined {
  const plain = (text: string): number | undefined => (/^\s*[+-]?\d+(\.\d*)?\s*$/.test(text) ? Number(text) : undefined)
  const hours = parseSexagesimal(raText)
  const raDeg = plain(raText) ?? (hours === undefined ? undefined : hours * 15)
  const decDeg = plain(decText) ?? parseSexagesimal(decText)
  if (raDeg === undefined || decDeg === undefined || Math.abs(decDeg) > 90) return undefined
  return { raDeg: wrapped(raDeg), decDeg }
}

function scaleOf(header: FitsHeader): number | undefined {
  const optics = (header.number('FOCALLEN') ?? 0) / 1000
  const pixel = header.number('XPIXSZ') ?? binnedPixel(header)
  if (optics > 0 && pixel !== undefined && pixel > 0) return (arcsecPerRadian * pixel * 1e-6) / optics
  const stated = header.number('SCALE') ?? header.number('SECPIX1') ?? header.number('PIXSCALE')
  return stated !== undefined && stated > 0 ? stated : undefined
}

/** PIXSIZE1 is the unbinned pixel (INDI); XPIXSZ the binned one. */
function binnedPixel(header: FitsHeader): number | undefined {
  const pixel = header.number('PIXSIZE1')
  return pixel === undefined ? undefined : pixel * (header.number('XBINNING') ?? 1)
}

/** A hint for the solver; undefined when neither the header nor `given` says where. */
export function hintFrom(
  header: FitsHeader,
  width: number,
  height: number,
  given: {
    readonly place?: { readonly raDeg: number; readonly decDeg: number } | undefined
    readonly radiusDeg?: number | undefined
    readonly scaleArcsecPerPixel?: number | undefined
  } = {},
): SolveHint | undefined {
  const said = headerHint(header, width, height)
  const place = given.place ?? said.place
  if (!place) return undefined
  const scale = given.scaleArcsecPerPixel ?? said.scaleArcsecPerPixel
  const scaleTolerance = given.scaleArcsecPerPixel === undefined ? said.scaleTolerance : 0.1
  return {
    ...place,
    radiusDeg: given.radiusDeg ?? 2,
    ...(scale !== undefined && { scaleArcsecPerPixel: scale, scaleTolerance }),
  }
}

import { FitsHeader, type HeaderEntries, real } from './header.ts'

const unixEpochMjd = 40587
const dayMs = 86_400_000
const arcsecPerRadian = 206264.806

/** What the observatory knows about one exposure. Everything but the first four may be missing; then so is its keyword. */
export interface FrameFacts {
  readonly imageType: 'light' | 'dark' | 'bias' | 'flat'
  /** Shutter open, Unix ms UTC, from the driver. */
  readonly startedAtMs: number
  readonly exposureSeconds: number
  /** `name version` of what writes the file. */
  readonly software: string
  readonly endedAtMs?: number
  readonly requestedSeconds?: number
  readonly writtenAtMs?: number
  readonly object?: string
  readonly filter?: string
  readonly camera?: string
  readonly cameraSerial?: string
  readonly telescope?: string
  readonly observer?: string
  readonly observatory?: string
  readonly sensorCelsius?: number
  readonly setPointCelsius?: number
  readonly coolerPercent?: number
  /** The camera's own setting; not e-/ADU. */
  readonly gainSetting?: number
  readonly offsetSetting?: number
  readonly gainElectronsPerAdu?: number
  readonly readNoiseElectrons?: number
  readonly saturationAdu?: number
  readonly binning?: readonly [number, number]
  /** Unbinned pixels. */
  readonly subframeOrigin?: readonly [number, number]
  /** Unbinned. */
  readonly pixelMicrometres?: readonly [number, number]
  readonly bayerPattern?: string
  readonly focalLengthMm?: number
  readonly apertureMm?: number
  readonly focusSteps?: number
  readonly focusCelsius?: number
  readonly rotatorDeg?: number
  readonly rowOrder?: 'TOP-DOWN' | 'BOTTOM-UP'
  /** Where the mount said it pointed, ICRS. Not a solution: that goes to the WCS keywords. */
  readonly raDeg?: number
  readonly decDeg?: number
  readonly altitudeDeg?: number
  readonly azimuthDeg?: number
  readonly pierSide?: 'WEST' | 'EAST'
  readonly latitudeDeg?: number
  /** East positive. */
  readonly longitudeDeg?: number
  readonly elevationMetres?: number
  readonly nightId?: string
  readonly frameId?: string
  readonly fieldId?: string
  /** Clock offset and uncertainty, seconds. */
  readonly clockOffsetSeconds?: number
  readonly clockUncertaintySeconds?: number
  readonly clockSource?: string
}

/** ISO-8601 UTC with milliseconds and no zone letter, as FITS 4.0 section 9.1 wants. */
export function fitsDate(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1)
}

/** Modified Julian Date of Unix ms; both count UTC days of 86 400 s. */
export function mjdOf(ms: number): number {
  return ms / dayMs + unixEpochMjd
}

/** Relative air mass. Kasten & Young 1989, Applied Optics 28, 4735, eq. 3. Undefined at or below the horizon. */
export function airmassAt(altitudeDeg: number): number | undefined {
  if (altitudeDeg <= 0) return undefined
  return 1 / (Math.sin((altitudeDeg * Math.PI) / 180) + 0.50572 * (altitudeDeg + 6.07995) ** -1.6364)
}

function sexagesimal(value: number, sign: string, decimals: number): string {
  const scale = 10 ** decimals
  const units = Math.round(Math.abs(value) * 3600 * scale)
  const seconds = ((units % (60 * scale)) / scale).toFixed(decimals)
  const minutes = Math.floor(units / (60 * scale)) % 60
  const whole = Math.floor(units / (3600 * scale))
  const two = (part: number | string): string => String(part).padStart(2, '0')
  return `${sign}${two(whole)} ${two(minutes)} ${seconds.padStart(decimals + 3, '0')}`
}

/** `HH MM SS.ss`, never 24 00 00. */
export function hmsText(raDeg: number): string {
  const wrapped = ((raDeg % 360) + 360) % 360
  const text = sexagesimal(wrapped / 15, '', 2)
  return text.startsWith('24') ? '00 00 00.00' : text
}

/** `±DD MM SS.s`. */
export function dmsText(decDeg: number): string {
  return sexagesimal(decDeg, decDeg < 0 ? '-' : '+', 1)
}

type Entry = HeaderEntries[string]

function realEntry(value: number | undefined, comment: string): Entry {
  return value === undefined ? undefined : [real(value), comment]
}

function rounded(value: number | undefined, decimals: number): number | undefined {
  return value === undefined ? undefined : Number(value.toFixed(decimals))
}

/** IMAGETYP values of SBFITSEXT 1.0. */
export const imageTypes = { light: 'Light Frame', dark: 'Dark Frame', bias: 'Bias Frame', flat: 'Flat Frame' } as const

function timeEntries(facts: FrameFacts): HeaderEntries {
  const start = facts.startedAtMs
  const end = facts.endedAtMs ?? start + facts.exposureSeconds * 1000
  const middle = start + facts.exposureSeconds * 500
  return {
    TIMESYS: ['UTC', 'time scale of every date here'],
    'DATE-OBS': [fitsDate(start), 'start of exposure'],
    'DATE-BEG': [fitsDate(start), 'start of exposure'],
    'DATE-AVG': [fitsDate(middle), 'middle of exposure'],
    'DATE-END': [fitsDate(end), 'end of exposure'],
    'MJD-OBS': realEntry(rounded(mjdOf(start), 8), '[d] start of exposure'),
    'MJD-AVG': realEntry(rounded(mjdOf(middle), 8), '[d] middle of exposure'),
    DATE: facts.writtenAtMs === undefined ? undefined : [fitsDate(facts.writtenAtMs), 'file written'],
    EXPTIME: realEntry(facts.exposureSeconds, '[s] exposure'),
    XPOSURE: realEntry(facts.exposureSeconds, '[s] effective exposure'),
    TELAPSE: realEntry((end - start) / 1000, '[s] from start to end'),
    REQTIME: realEntry(facts.requestedSeconds, '[s] exposure asked for'),
    DARKTIME: facts.imageType === 'dark' ? realEntry(facts.exposureSeconds, '[s]') : undefined,
    CLKSRC: facts.clockSource,
    CLKOFF: realEntry(facts.clockOffsetSeconds, '[s] clock minus UTC'),
    CLKUNC: realEntry(facts.clockUncertaintySeconds, '[s] uncertainty of that'),
  }
}

function cameraEntries(facts: FrameFacts): HeaderEntries {
  const [binX, binY] = facts.binning ?? [1, 1]
  const [pixelX, pixelY] = facts.pixelMicrometres ?? [undefined, undefined]
  return {
    INSTRUME: facts.camera,
    CAMERAID: facts.cameraSerial,
    'CCD-TEMP': realEntry(facts.sensorCelsius, '[degC] sensor'),
    'SET-TEMP': realEntry(facts.setPointCelsius, '[degC] asked for'),
    COOLPOWR: realEntry(facts.coolerPercent, '[%] cooler power'),
    GAIN: facts.gainSetting === undefined ? undefined : [facts.gainSetting, 'camera setting, not e-/ADU'],
    OFFSET: facts.offsetSetting === undefined ? undefined : [facts.offsetSetting, 'camera setting'],
    EGAIN: realEntry(facts.gainElectronsPerAdu, '[e-/ADU] gain'),
    RDNOISE: realEntry(facts.readNoiseElectrons, '[e-] read noise'),
    SATURATE: realEntry(facts.saturationAdu, '[ADU] saturation level'),
    XBINNING: [binX, 'binning along x'],
    YBINNING: [binY, 'binning along y'],
    XPIXSZ: realEntry(pixelX === undefined ? undefined : pixelX * binX, '[um] binned pixel'),
    YPIXSZ: realEntry(pixelY === undefined ? undefined : pixelY * binY, '[um] binned pixel'),
    XORGSUBF: facts.subframeOrigin?.[0],
    YORGSUBF: facts.subframeOrigin?.[1],
    BAYERPAT: facts.bayerPattern,
    ROWORDER: [facts.rowOrder ?? 'TOP-DOWN', 'first row in the file'],
  }
}

function opticsEntries(facts: FrameFacts): HeaderEntries {
  const pixel = facts.pixelMicrometres?.[0]
  const length = facts.focalLengthMm
  const scale =
    pixel === undefined || length === undefined
      ? undefined
      : (arcsecPerRadian * pixel * (facts.binning?.[0] ?? 1)) / (1000 * length)
  return {
    TELESCOP: facts.telescope,
    FOCALLEN: realEntry(length, '[mm] focal length'),
    APTDIA: realEntry(facts.apertureMm, '[mm] aperture'),
    FILTER: facts.filter,
    FOCUSPOS: facts.focusSteps,
    FOCUSTEM: realEntry(facts.focusCelsius, '[degC] focuser'),
    ROTATANG: realEntry(facts.rotatorDeg, '[deg] rotator'),
    SCALE: realEntry(rounded(scale, 6), '[arcsec/px] from optics, not solved'),
  }
}

function pointingEntries(facts: FrameFacts): HeaderEntries {
  const { raDeg, decDeg, altitudeDeg } = facts
  const airmass = altitudeDeg === undefined ? undefined : airmassAt(altitudeDeg)
  const pointed = raDeg !== undefined && decDeg !== undefined
  return {
    RADESYS: pointed ? ['ICRS', 'of RA and DEC'] : undefined,
    EQUINOX: pointed ? realEntry(2000, '[yr]') : undefined,
    RA: realEntry(raDeg, '[deg] from the mount'),
    DEC: realEntry(decDeg, '[deg] from the mount'),
    OBJCTRA: raDeg === undefined ? undefined : [hmsText(raDeg), 'from the mount'],
    OBJCTDEC: decDeg === undefined ? undefined : [dmsText(decDeg), 'from the mount'],
    CENTALT: realEntry(altitudeDeg, '[deg] altitude'),
    CENTAZ: realEntry(facts.azimuthDeg, '[deg] azimuth, north 0, east 90'),
    AIRMASS: realEntry(rounded(airmass, 5), 'Kasten & Young 1989'),
    PIERSIDE: facts.pierSide,
    SITELAT: realEntry(facts.latitudeDeg, '[deg] north positive'),
    SITELONG: realEntry(facts.longitudeDeg, '[deg] east positive'),
    SITEELEV: realEntry(facts.elevationMetres, '[m]'),
    'OBSGEO-B': realEntry(facts.latitudeDeg, '[deg] latitude'),
    'OBSGEO-L': realEntry(facts.longitudeDeg, '[deg] longitude, east positive'),
    'OBSGEO-H': realEntry(facts.elevationMetres, '[m]'),
  }
}

/** The keywords of one exposure that other programs read, with their units. FITS 4.0 spelling throughout. */
export function frameEntries(facts: FrameFacts): HeaderEntries {
  return {
    IMAGETYP: imageTypes[facts.imageType],
    OBJECT: facts.object,
    ...timeEntries(facts),
    ...cameraEntries(facts),
    ...opticsEntries(facts),
    ...pointingEntries(facts),
    OBSERVER: facts.observer,
    OBSERVAT: facts.observatory,
    NIGHTID: facts.nightId,
    FRAMEID: facts.frameId,
    FIELD: facts.fieldId,
    SWCREATE: facts.software,
  }
}

/** `frameEntries` as a header. */
export function frameHeader(facts: FrameFacts): FitsHeader {
  return FitsHeader.from(frameEntries(facts))
}

import { type FitsHeader, type HeaderEntries, real } from './fits/header.ts'

/** A polynomial Σ c u^p v^q. */
export interface SipTerm {
  readonly p: number
  readonly q: number
  readonly value: number
}

/**
 * Where pixels lie on the sky: the gnomonic projection (TAN; Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3),
 * with SIP distortion (Shupe et al. 2005) or the TPV polynomials of DECam and SCAMP. Pixels are 0-based in code (the centre
 * of the first is 0, 0) and 1-based in headers; sky angles are degrees.
 */
export interface Wcs {
  /** 0-based: CRPIX − 1. */
  readonly referencePixel: readonly [number, number]
  readonly raDeg: number
  readonly decDeg: number
  /** CD1_1, CD1_2, CD2_1, CD2_2 in degrees per pixel. */
  readonly cd: readonly [number, number, number, number]
  readonly sip?: { readonly a: readonly SipTerm[]; readonly b: readonly SipTerm[] }
  /** PV1_m and PV2_m of TPV. */
  readonly tpv?: { readonly x: readonly number[]; readonly y: readonly number[] }
}

export interface SkyPosition {
  /** 0 ≤ raDeg < 360. */
  readonly raDeg: number
  readonly decDeg: number
}

export interface PixelPosition {
  readonly x: number
  readonly y: number
}

const degree = Math.PI / 180
const maximumOrder = 9

function polynomial(terms: readonly SipTerm[], u: number, v: number): number {
  let sum = 0
  for (const term of terms) sum += term.value * u ** term.p * v ** term.q
  return sum
}

/** TPV terms in the order of their numbers: by degree, x first; after each odd degree r to that power. */
function tpvPolynomial(coefficients: readonly number[], x: number, y: number): number {
  const r = Math.hypot(x, y)
  let sum = 0
  let term = 0
  for (let order = 0; term < coefficients.length; order++) {
    for (let q = 0; q <= order; q++) sum += (coefficients[term++] ?? 0) * x ** (order - q) * y ** q
    if (order % 2 === 1) sum += (coefficients[term++] ?? 0) * r ** order
  }
  return sum
}

/** Pixel → projection plane in degrees. */
function planeOf(wcs: Wcs, x: number, y: number): readonly [number, number] {
  const u = x - wcs.referencePixel[0]
  const v = y - wcs.referencePixel[1]
  const du = wcs.sip ? u + polynomial(wcs.sip.a, u, v) : u
  const dv = wcs.sip ? v + polynomial(wcs.sip.b, u, v) : v
  const [cd11, cd12, cd21, cd22] = wcs.cd
  const xi = cd11 * du + cd12 * dv
  const eta = cd21 * du + cd22 * dv
  if (!wcs.tpv) return [xi, eta]
  // The polynomial of the second axis has x and y changed over.
  return [tpvPolynomial(wcs.tpv.x, xi, eta), tpvPolynomial(wcs.tpv.y, eta, xi)]
}

/** The sky position of a 0-based pixel. */
export function pixelToSky(wcs: Wcs, x: number, y: number): SkyPosition {
  const [xiDeg, etaDeg] = planeOf(wcs, x, y)
  const xi = xiDeg * degree
  const eta = etaDeg * degree
  const sin0 = Math.sin(wcs.decDeg * degree)
  const cos0 = Math.cos(wcs.decDeg * degree)
  const depth = cos0 - eta * sin0
  const raDeg = wcs.raDeg + Math.atan2(xi, depth) / degree
  const decDeg = Math.atan2(sin0 + eta * cos0, Math.hypot(xi, depth)) / degree
  const wrapped = ((raDeg % 360) + 360) % 360
  return { raDeg: wrapped === 360 ? 0 : wrapped, decDeg }
}

/** Sky → projection plane in degrees; undefined 90° or more from the reference point. */
function projected(wcs: Wcs, raDeg: number, decDeg: number): readonly [number, number] | undefined {
  const dRa = (raDeg - wcs.raDeg) * degree
  const sin = Math.sin(decDeg * degree)
  const cos = Math.cos(decDeg * degree)
  const sin0 = Math.sin(wcs.decDeg * degree)
  const cos0 = Math.cos(wcs.decDeg * degree)
  const toward = sin * sin0 + cos * cos0 * Math.cos(dRa)
  if (toward <= 0) return undefined
  const xi = (cos * Math.sin(dRa)) / toward
  const eta = (sin * cos0 - cos * sin0 * Math.cos(dRa)) / toward
  return [xi / degree, eta / degree]
}

/**
 * The 0-based pixel of a sky position, to 1e-8 pixels; undefined behind the projection plane or where the distortion cannot
 * be inverted.
 */
export function skyToPixel(wcs: Wcs, raDeg: number, decDeg: number): PixelPosition | undefined {
  const target = projected(wcs, raDeg, decDeg)
  if (!target) return undefined
  const [cd11, cd12, cd21, cd22] = wcs.cd
  const determinant = cd11 * cd22 - cd12 * cd21
  let [x, y] = wcs.referencePixel
  // The linear part inverts all but the distortion, so each round multiplies the error by the distortion's slope.
  for (let round = 0; round < 60; round++) {
    const [xi, eta] = planeOf(wcs, x, y)
    const dx = (cd22 * (target[0] - xi) - cd12 * (target[1] - eta)) / determinant
    const dy = (cd11 * (target[1] - eta) - cd21 * (target[0] - xi)) / determinant
    x += dx
    y += dy
    if (!(Math.abs(dx) < 1e9 && Math.abs(dy) < 1e9)) return undefined
    if (Math.abs(dx) < 1e-9 && Math.abs(dy) < 1e-9) return { x, y }
    if (!wcs.sip && !wcs.tpv && round > 1) return { x, y }
  }
  return undefined
}

/** Mean pixel size in arcseconds: the square root of a pixel's area at the reference point. */
export function pixelScaleArcsec(wcs: Wcs): number {
  const [cd11, cd12, cd21, cd22] = wcs.cd
  return Math.sqrt(Math.abs(cd11 * cd22 - cd12 * cd21)) * 3600
}

/** CD, or PC × CDELT, or CDELT with CROTA2. Undefined when there is no scale at all. */
function matrixOf(header: FitsHeader): Wcs['cd'] | undefined {
  const cd = ['CD1_1', 'CD1_2', 'CD2_1', 'CD2_2'].map((key) => header.number(key))
  if (cd.some((value) => value !== undefined)) return cd.map((value) => value ?? 0) as unknown as Wcs['cd']
  const scaleX = header.number('CDELT1')
  const scaleY = header.number('CDELT2')
  if (scaleX === undefined || scaleY === undefined) return undefined
  // Pan-STARRS writes the keywords of the standard's drafts.
  const pc = ['1_1', '1_2', '2_1', '2_2'].map(
    (axes) => header.number(`PC${axes}`) ?? header.number(`PC00${axes.replace('_', '00')}`),
  )
  if (pc.some((value) => value !== undefined)) {
    const [pc11 = 1, pc12 = 0, pc21 = 0, pc22 = 1] = pc
    return [scaleX * pc11, scaleX * pc12, scaleY * pc21, scaleY * pc22]
  }
  const turn = (header.number('CROTA2') ?? 0) * degree
  return [scaleX * Math.cos(turn), -scaleY * Math.sin(turn), scaleX * Math.sin(turn), scaleY * Math.cos(turn)]
}

function sipTerms(header: FitsHeader, letter: 'A' | 'B'): SipTerm[] {
  const order = Math.min(maximumOrder, header.number(`${letter}_ORDER`) ?? 0)
  const terms: SipTerm[] = []
  for (let p = 0; p <= order; p++) {
    for (let q = 0; q <= order - p; q++) {
      const value = header.number(`${letter}_${p}_${q}`)
      if (value !== undefined && value !== 0) terms.push({ p, q, value })
    }
  }
  return terms
}

/** PV coefficients of one axis; the linear term is 1 when it is not given. */
function tpvTerms(header: FitsHeader, axis: 1 | 2): number[] {
  const found = Array.from({ length: 40 }, (_, m) => header.number(`PV${axis}_${m}`))
  const last = found.findLastIndex((value) => value !== undefined)
  return found.slice(0, Math.max(1, last) + 1).map((value, m) => value ?? (m === 1 ? 1 : 0))
}

/**
 * The WCS of a header: TAN, TAN-SIP or TPV with CD, PC or CROTA. Undefined when there is none, when it is another projection,
 * or when it cannot be inverted.
 */
export function wcsFromHeader(header: FitsHeader): Wcs | undefined {
  const type = header.text('CTYPE1')?.trim() ?? ''
  const type2 = header.text('CTYPE2')?.trim() ?? ''
  if (!/^RA---(TAN|TAN-SIP|TPV)$/.test(type) || type2 !== type.replace('RA---', 'DEC--')) return undefined
  const [x, y, raDeg, decDeg] = ['CRPIX1', 'CRPIX2', 'CRVAL1', 'CRVAL2'].map((key) => header.number(key))
  const cd = matrixOf(header)
  if (x === undefined || y === undefined || raDeg === undefined || decDeg === undefined || !cd) return undefined
  if (!(Math.abs(cd[0] * cd[3] - cd[1] * cd[2]) > 0) || Math.abs(decDeg) > 90) return undefined
  const pole = header.number('LONPOLE')
  if (pole !== undefined && pole !== 180) return undefined
  const wcs: Wcs = { referencePixel: [x - 1, y - 1], raDeg, decDeg, cd }
  if (type.endsWith('TPV')) return { ...wcs, tpv: { x: tpvTerms(header, 1), y: tpvTerms(header, 2) } }
  if (!type.endsWith('SIP')) return wcs
  return { ...wcs, sip: { a: sipTerms(header, 'A'), b: sipTerms(header, 'B') } }
}

const wcsKeys =
  /^(WCSAXES|WCSDIM|C(TYPE|UNIT|RPIX|RVAL|DELT|ROTA)[12]|(CD|PC|PV)[12]_\d+|PC00[12]00[12]|LONPOLE|LATPOLE|(A|B|AP|BP)_(ORDER|\d_\d|DMAX)|RADESYS|RADECSYS|EQUINOX|PLTSOLVD)$/

function sipEntries(letter: 'A' | 'B', terms: readonly SipTerm[]): HeaderEntries {
  const order = Math.max(2, ...terms.map((term) => term.p + term.q))
  return {
    [`${letter}_ORDER`]: [order, 'SIP distortion order'],
    ...Object.fromEntries(terms.map((term) => [`${letter}_${term.p}_${term.q}`, real(term.value)])),
  }
}

function tpvEntries(axis: 1 | 2, terms: readonly number[]): HeaderEntries {
  return Object.fromEntries(terms.map((value, m) => [`PV${axis}_${m}`, real(value)]))
}

/** `header` with this WCS in place of any other, marked as solved (PLTSOLVD). ICRS, degrees, CD matrix. */
export function wcsToHeader(header: FitsHeader, wcs: Wcs): FitsHeader {
  const projection = wcs.tpv ? 'TPV' : wcs.sip ? 'TAN-SIP' : 'TAN'
  const [cd11, cd12, cd21, cd22] = wcs.cd
  return header.without(...header.cards.map((card) => card.key).filter((key) => wcsKeys.test(key))).withAll({
    WCSAXES: 2,
    CTYPE1: `RA---${projection}`,
    CTYPE2: `DEC--${projection}`,
    CUNIT1: 'deg',
    CUNIT2: 'deg',
    CRPIX1: [real(wcs.referencePixel[0] + 1), '1-based'],
    CRPIX2: [real(wcs.referencePixel[1] + 1), '1-based'],
    CRVAL1: [real(wcs.raDeg), '[deg]'],
    CRVAL2: [real(wcs.decDeg), '[deg]'],
    CD1_1: [real(cd11), '[deg/px]'],
    CD1_2: real(cd12),
    CD2_1: real(cd21),
    CD2_2: real(cd22),
    RADESYS: 'ICRS',
    EQUINOX: real(2000),
    ...(wcs.sip ? { ...sipEntries('A', wcs.sip.a), ...sipEntries('B', wcs.sip.b) } : {}),
    ...(wcs.tpv ? { ...tpvEntries(1, wcs.tpv.x), ...tpvEntries(2, wcs.tpv.y) } : {}),
    PLTSOLVD: [true, 'solved, not from the mount'],
  })
}

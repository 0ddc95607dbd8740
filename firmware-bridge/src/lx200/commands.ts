/**
 * The LX200 command set as one union: Meade's (Telescope Serial Command Protocol, revision L, 2002) and OnStep's additions
 * (Command.ino of release 4). A command is `:` + text + `#`; the alignment query is the single byte 0x06.
 */

export type Lx200Dialect = 'classic' | 'onstep'
export type LxDirection = 'north' | 'south' | 'east' | 'west'

/** Questions without a parameter, with the text that asks them. */
export const queries = {
  rightAscension: 'GR',
  rightAscensionHigh: 'GRH',
  declination: 'GD',
  declinationHigh: 'GDH',
  targetRightAscension: 'Gr',
  targetRightAscensionHigh: 'GrH',
  targetDeclination: 'Gd',
  targetDeclinationHigh: 'GdH',
  altitude: 'GA',
  azimuth: 'GZ',
  localTime: 'GL',
  localTimeHigh: 'GLH',
  localTime12: 'Ga',
  date: 'GC',
  clockFormat: 'Gc',
  utcOffset: 'GG',
  siderealTime: 'GS',
  latitude: 'Gt',
  latitudeHigh: 'GtH',
  longitude: 'Gg',
  longitudeHigh: 'GgH',
  siteName1: 'GM',
  siteName2: 'GN',
  siteName3: 'GO',
  siteName4: 'GP',
  site: 'W?',
  horizonLimit: 'Gh',
  overheadLimit: 'Go',
  trackingFrequency: 'GT',
  pierSide: 'Gm',
  status: 'GU',
  packedStatus: 'Gu',
  alignment: 'GW',
  lastError: 'GE',
  productName: 'GVP',
  firmwareNumber: 'GVN',
  firmwareDate: 'GVD',
  firmwareTime: 'GVT',
  firmwareMessage: 'GVM',
  distanceBars: 'D',
  backlashDec: '%BD',
  backlashRa: '%BR',
  alignmentStars: 'A?',
  pecStatus: '$QZ?',
} as const
export type QueryName = keyof typeof queries

/** Settings of one number. */
export const settings = {
  /** Hours. */
  targetRightAscension: 'Sr',
  /** Degrees. */
  targetDeclination: 'Sd',
  targetAltitude: 'Sa',
  targetAzimuth: 'Sz',
  latitude: 'St',
  /** Degrees, as these mounts count: west positive. */
  longitudeWest: 'Sg',
  /** Hours added to local time to give UTC. */
  utcOffset: 'SG',
  /** Hours. */
  localTime: 'SL',
  siderealTime: 'SS',
  horizonLimit: 'Sh',
  overheadLimit: 'So',
  /** Hz: 60.0 follows the Sun, 60.16427 the stars. */
  trackingFrequency: 'ST',
  /** Degrees per second (LX200GPS). */
  mostSlewRate: 'Sw',
} as const
export type SettingName = keyof typeof settings

/** Everything without a parameter that is done and not asked. */
export const actions = {
  goto: 'MS',
  gotoHorizontal: 'MA',
  gotoOtherSide: 'MN',
  polarAlign: 'MP',
  sync: 'CM',
  syncQuietly: 'CS',
  park: 'hP',
  setPark: 'hQ',
  unpark: 'hR',
  home: 'hC',
  resetHome: 'hF',
  seekHome: 'hS',
  homeStatus: 'h?',
  sleep: 'hN',
  wake: 'hW',
  trackOn: 'Te',
  trackOff: 'Td',
  trackSidereal: 'TQ',
  trackSolar: 'TS',
  trackLunar: 'TL',
  trackKing: 'TK',
  trackCustom: 'TM',
  trackReset: 'TR',
  trackFaster: 'T+',
  trackSlower: 'T-',
  compensateFully: 'To',
  compensateRefraction: 'Tr',
  compensateNothing: 'Tn',
  compensateOneAxis: 'T1',
  compensateBothAxes: 'T2',
  alignLand: 'AL',
  alignPolar: 'AP',
  alignAltAz: 'AA',
  togglePrecision: 'U',
  toggleHighPrecisionPointing: 'P',
  toggleClockFormat: 'H',
  rateGuide: 'RG',
  rateCentre: 'RC',
  rateFind: 'RM',
  rateFastest: 'RS',
  focuserPresent: 'FA',
  secondFocuserPresent: 'fA',
} as const
export type ActionName = keyof typeof actions

export type Lx200Command =
  | { readonly type: 'alignmentQuery' }
  | { readonly type: 'query'; readonly what: QueryName }
  /** `:GXnn#`, OnStep's numbered values. */
  | { readonly type: 'queryValue'; readonly code: string }
  | { readonly type: 'set'; readonly what: SettingName; readonly value: number }
  /** `:SXnn,value#`. */
  | { readonly type: 'setValue'; readonly code: string; readonly value: string }
  | { readonly type: 'setDate'; readonly year: number; readonly month: number; readonly day: number }
  | { readonly type: 'setSiteName'; readonly site: 1 | 2 | 3 | 4; readonly name: string }
  | { readonly type: 'selectSite'; readonly site: 0 | 1 | 2 | 3 }
  | { readonly type: 'do'; readonly what: ActionName }
  | { readonly type: 'move'; readonly direction: LxDirection }
  /** Without a direction: every motion. */
  | { readonly type: 'stop'; readonly direction?: LxDirection }
  | { readonly type: 'pulse'; readonly direction: LxDirection; readonly milliseconds: number }
  /** OnStep's ten rates: 0 is a quarter of the guide rate, 9 the fastest. */
  | { readonly type: 'rate'; readonly rate: number }
  | { readonly type: 'unknown'; readonly text: string }

/** Hz of the drive for each of the rates that have a name (OnStep's Command.ino; 60 Hz turns once a solar day). */
export const trackingHz = { sidereal: 60.164274, solar: 60, lunar: 57.9, king: 60.136 } as const

/** How fast the sky turns: arcsec of hour angle per second of UTC. */
export const siderealArcsecPerSecond = (360 * 3600) / 86_164.0905

/** `:Mgd` takes four digits (Meade); a longer pulse is sent in parts. */
export const longestPulseMs = 9_999

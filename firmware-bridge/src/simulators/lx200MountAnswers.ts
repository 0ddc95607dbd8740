/** What the simulated LX200 mount answers to each question, as text without its `#`. */
import { formatDate, formatDegrees, formatHours } from '../lx200/angles.ts'
import type { QueryName } from '../lx200/commands.ts'
import { formatStatus } from '../lx200/status.ts'
import { mod } from './lx200MountAxes.ts'
import type { Lx200MountBody } from './lx200MountBody.ts'

export interface Voice {
  readonly body: Lx200MountBody
  readonly onStep: boolean
  /** What `:GVP#` answers; undefined answers nothing. */
  readonly product: string | undefined
  /** Of OnStep's command errors, the last. */
  readonly lastError: number
}

/** Undefined when this mount does not know the question. */
export function tell(voice: Voice, what: QueryName): string | undefined {
  const common = tellPlace(voice, what) ?? tellSite(voice, what) ?? tellDrive(voice, what)
  return common ?? (voice.onStep ? tellOnStep(voice, what) : undefined)
}

function tellPlace({ body, onStep }: Voice, what: QueryName): string | undefined {
  const hours = (value: number, precision = body.precision): string => formatHours(value, precision)
  const degrees = (value: number, precision = body.precision): string =>
    formatDegrees(value, { precision, digits: 2, signed: true, separator: onStep ? ':' : "'" })
  const highest = (text: string): string | undefined => (onStep ? text : undefined)
  switch (what) {
    case 'rightAscension':
      return hours(body.raDeg() / 15)
    case 'rightAscensionHigh':
      return highest(hours(body.raDeg() / 15, 'highest'))
    case 'declination':
      return degrees(body.axes.decDeg)
    case 'declinationHigh':
      return highest(degrees(body.axes.decDeg, 'highest'))
    case 'targetRightAscension':
      return hours(body.aim.raHours)
    case 'targetRightAscensionHigh':
      return highest(hours(body.aim.raHours, 'highest'))
    case 'targetDeclination':
      return degrees(body.aim.decDeg)
    case 'targetDeclinationHigh':
      return highest(degrees(body.aim.decDeg, 'highest'))
    case 'altitude':
      return degrees(body.altitude())
    case 'azimuth':
      return formatDegrees(body.azimuth(), { precision: body.precision, digits: 3, signed: false, separator: "'" })
    default:
      return undefined
  }
}

function tellSite({ body, onStep }: Voice, what: QueryName): string | undefined {
  const { latitudeDeg, longitudeDeg, utcOffsetHours } = body.knows
  const low = { precision: 'low', signed: true } as const
  const highest = { precision: 'highest', signed: true } as const
  const localHours = mod(body.localMs(), 86_400_000) / 3_600_000
  switch (what) {
    case 'localTime':
      return formatHours(localHours, 'high')
    case 'localTimeHigh':
      return onStep ? formatHours(localHours, 'highest') : undefined
    case 'localTime12':
      return formatHours(mod(localHours, 12), 'high')
    case 'date':
      return formatDate(body.localMs())
    case 'clockFormat':
      return body.clock24 ? '24' : '12'
    case 'utcOffset':
      return `${utcOffsetHours < 0 ? '-' : '+'}${String(Math.abs(utcOffsetHours)).padStart(2, '0')}`
    case 'siderealTime':
      return formatHours(body.siderealDeg() / 15, 'high')
    case 'latitude':
      return formatDegrees(latitudeDeg, { ...low, digits: 2 })
    case 'latitudeHigh':
      return onStep ? formatDegrees(latitudeDeg, { ...highest, digits: 2 }) : undefined
    case 'longitude':
      return formatDegrees(-longitudeDeg, { ...low, digits: 3 })
    case 'longitudeHigh':
      return onStep ? formatDegrees(-longitudeDeg, { ...highest, digits: 3 }) : undefined
    case 'siteName1':
    case 'siteName2':
    case 'siteName3':
    case 'siteName4':
      return body.siteNames[Number(what.slice(-1)) - 1]
    case 'site':
      return String(body.site)
    default:
      return undefined
  }
}

function tellDrive({ body, onStep, product }: Voice, what: QueryName): string | undefined {
  const { horizon, overhead } = body.limits
  switch (what) {
    case 'horizonLimit':
      return `${horizon < 0 ? '-' : '+'}${String(Math.abs(horizon)).padStart(2, '0')}*`
    case 'overheadLimit':
      return `${String(overhead).padStart(2, '0')}*`
    case 'trackingFrequency':
      return onStep ? (body.tracking ? body.hz : 0).toFixed(5) : body.hz.toFixed(1)
    case 'distanceBars':
      return body.slewing ? '\x7f' : ''
    case 'alignment':
      return `${onStep ? 'G' : 'P'}${body.tracking ? 'T' : 'N'}1`
    case 'productName':
      return product
    case 'firmwareNumber':
      return product === undefined ? undefined : onStep ? '4.24i' : '4.2g'
    case 'firmwareDate':
      return product === undefined ? undefined : 'Nov 06 2023'
    case 'firmwareTime':
      return product === undefined ? undefined : '05:08:39'
    default:
      return undefined
  }
}

function tellOnStep({ body, lastError }: Voice, what: QueryName): string | undefined {
  switch (what) {
    case 'status':
      return formatStatus(body.status(), 2, body.rate)
    case 'pierSide':
      return { east: 'E', west: 'W', unknown: 'N' }[body.pierSide()]
    case 'lastError':
      return String(lastError).padStart(2, '0')
    case 'firmwareMessage':
      return 'On-Step 4.24i'
    case 'backlashDec':
    case 'backlashRa':
      return '0'
    case 'alignmentStars':
      return '900'
    case 'pecStatus':
      return 'I'
    default:
      return undefined
  }
}

/** `:GXnn#`: guide rate, flips, slew speed, weather; the model of the pointing (00 to 09) corrects nothing. */
export function tellValue(body: Lx200MountBody, code: string): string | undefined {
  const values: Readonly<Record<string, string>> = {
    '90': '0.50',
    '92': '1.000',
    '93': '1.000',
    '94': { east: '1', west: '2', unknown: '0' }[body.pierSide()],
    '95': '0',
    '96': 'B',
    '97': body.slewDegPerSecond.toFixed(1),
    '98': 'N',
    '99': '1.000',
    '9A': '10.0',
    '9B': '1010.0',
    '9C': '70.0',
    '9D': '150.0',
    '9E': '4.7',
    '9F': '20',
  }
  return values[code] ?? (/^0[0-9]$/.test(code) ? '0' : undefined)
}

/** Every kind of device and what one of that kind may be able to do. The words are those of the interfaces' methods. */
export const kinds = {
  mount: ['slew', 'sync', 'track', 'trackRate', 'park', 'home', 'guide', 'move', 'pierSide', 'limits', 'abort'],
  camera: ['expose', 'abort', 'gain', 'offset', 'binning', 'roi', 'cooling', 'filter', 'preview'],
  focuser: ['moveTo', 'abort', 'temperature'],
  filterWheel: ['select', 'names'],
  rotator: ['rotateTo', 'sync', 'reverse', 'abort'],
  roof: ['open', 'close', 'abort', 'azimuth', 'endSwitches'],
  cover: ['open', 'close', 'abort'],
  flatPanel: ['light', 'brightness'],
  weather: ['temperature', 'humidity', 'pressure', 'wind', 'rain', 'cloud', 'verdict'],
  skyQuality: ['brightness', 'temperature'],
  power: ['switch', 'dewHeater', 'volts', 'amps'],
  gps: ['position', 'time'],
  timeSource: ['offset', 'uncertainty'],
  ups: ['mains', 'charge', 'runtime'],
  guider: ['guide', 'dither', 'stop', 'settle'],
  allSkyCamera: ['snapshot', 'pointTo', 'stream'],
  safety: ['verdict', 'rain', 'mains', 'mountParked', 'heartbeat'],
} as const

export type Kind = keyof typeof kinds
export type Capability<K extends Kind = Kind> = (typeof kinds)[K][number]

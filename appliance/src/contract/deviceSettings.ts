import Type, { type Static } from 'typebox'

/** Where each device is found. One definition types the code, checks the file and draws the Settings page. */

const only = { additionalProperties: false } as const
const host = Type.String({ minLength: 1, maxLength: 253, description: 'Name or address of a machine' })
const port = (usual: number) => Type.Integer({ minimum: 1, maximum: 65535, description: `TCP port, usually ${usual}` })

export const UsbIdentitySettings = Type.Object(
  {
    vendorId: Type.String({ pattern: '^[0-9a-fA-F]{4}$', description: 'First half of the ID that lsusb shows' }),
    productId: Type.String({ pattern: '^[0-9a-fA-F]{4}$', description: 'Second half of it' }),
    serialNumber: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Where two are alike' })),
  },
  only,
)
export type UsbIdentitySettings = Static<typeof UsbIdentitySettings>

/** What the recovery ladder may use when the device fails and does not come back by itself. */
const aids = {
  usb: Type.Optional(UsbIdentitySettings),
  powerPort: Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: 'Port of the power box that feeds this device alone' }),
  ),
} as const

const indiName = Type.String({ minLength: 1, maxLength: 64, description: 'The name that the INDI driver gives itself' })

const Simulated = Type.Object({ kind: Type.Literal('simulated') }, only)
const Indi = Type.Object({ kind: Type.Literal('indi'), host, port: port(7624), device: indiName, ...aids }, only)
const Driver = Type.Object(
  {
    kind: Type.Literal('driver'),
    driver: Type.String({
      pattern: '^indi_[A-Za-z0-9_]+$',
      maxLength: 64,
      description: 'INDI driver on this machine, which Nightjar starts and watches: indi_lx200_OnStep',
    }),
    device: indiName,
    ...aids,
  },
  only,
)
const Serial = Type.Object(
  {
    kind: Type.Literal('serial'),
    protocol: Type.Union([Type.Literal('lx200'), Type.Literal('moonlite'), Type.Literal('nmea')]),
    path: Type.String({
      minLength: 1,
      maxLength: 256,
      description: '/dev/serial/by-id/…, or usb:VENDOR:PRODUCT[:SERIAL], which survive replugging',
    }),
    baudRate: Type.Integer({ minimum: 1200, maximum: 921_600, description: 'Usually 9600' }),
    ...aids,
  },
  only,
)
const Alpaca = Type.Object(
  {
    kind: Type.Literal('alpaca'),
    host,
    port: port(11111),
    number: Type.Integer({ minimum: 0, maximum: 255, description: 'Which device of its kind on that server' }),
    ...aids,
  },
  only,
)
const Phd2 = Type.Object({ kind: Type.Literal('phd2'), host, port: port(4400) }, only)
const Nut = Type.Object(
  {
    kind: Type.Literal('nut'),
    host,
    port: port(3493),
    ups: Type.String({ minLength: 1, maxLength: 64, description: 'Name of the UPS on that server' }),
  },
  only,
)
const Chrony = Type.Object({ kind: Type.Literal('chrony') }, only)
const Gpsd = Type.Object({ kind: Type.Literal('gpsd'), host, port: port(2947) }, only)
const Onvif = Type.Object(
  {
    kind: Type.Literal('onvif'),
    host,
    port: port(80),
    username: Type.String({ maxLength: 64 }),
    passwordFile: Type.String({ minLength: 1, description: 'File that holds the password' }),
    ...aids,
  },
  only,
)
const Controller = Type.Object(
  { kind: Type.Literal('controller') },
  { ...only, description: "Nightjar's own roof-and-safety controller, which the guardian holds (see `controller`)" },
)

/** The serial port of the roof-and-safety controller. */
export const ControllerSettings = Type.Object(
  { path: Serial.properties.path, baudRate: Serial.properties.baudRate },
  only,
)
export type ControllerSettings = Static<typeof ControllerSettings>

export const deviceAddresses = {
  simulated: Simulated,
  indi: Indi,
  driver: Driver,
  serial: Serial,
  alpaca: Alpaca,
  phd2: Phd2,
  nut: Nut,
  chrony: Chrony,
  gpsd: Gpsd,
  onvif: Onvif,
  controller: Controller,
} as const
export type AddressKind = keyof typeof deviceAddresses
type AddressOf<K extends AddressKind> = Static<(typeof deviceAddresses)[K]>

/** Which addresses each kind of device may have: those for which there is a driver. */
export const addressesOf = {
  mount: ['simulated', 'indi', 'driver', 'serial', 'alpaca'],
  camera: ['simulated', 'indi', 'driver', 'alpaca'],
  focuser: ['simulated', 'indi', 'driver', 'serial', 'alpaca'],
  filterWheel: ['simulated', 'indi', 'driver', 'alpaca'],
  rotator: ['simulated', 'indi', 'driver', 'alpaca'],
  roof: ['simulated', 'indi', 'driver', 'alpaca', 'controller'],
  cover: ['simulated', 'indi', 'driver', 'alpaca'],
  flatPanel: ['simulated', 'indi', 'driver', 'alpaca'],
  weather: ['simulated', 'indi', 'driver', 'alpaca', 'controller'],
  skyQuality: ['simulated', 'indi', 'driver', 'alpaca'],
  power: ['simulated', 'indi', 'driver', 'alpaca', 'controller'],
  gps: ['simulated', 'indi', 'driver', 'serial', 'gpsd'],
  timeSource: ['chrony', 'gpsd'],
  ups: ['nut'],
  guider: ['simulated', 'indi', 'driver', 'phd2'],
  allSkyCamera: ['onvif'],
  safety: ['simulated', 'indi', 'driver', 'alpaca', 'controller'],
} as const satisfies Record<string, readonly AddressKind[]>
export type DeviceKind = keyof typeof addressesOf

/** Any address that a device of this kind may have. */
export type DeviceAddress<K extends DeviceKind = DeviceKind> = AddressOf<(typeof addressesOf)[K][number]>

const addressOf = <K extends DeviceKind>(kind: K) =>
  Type.Unsafe<DeviceAddress<K>>(Type.Union(addressesOf[kind].map((one) => deviceAddresses[one])))
const maybe = <K extends DeviceKind>(kind: K) => Type.Optional(addressOf(kind))

export const DevicesSettings = Type.Object(
  {
    mount: addressOf('mount'),
    camera: addressOf('camera'),
    focuser: maybe('focuser'),
    filterWheel: maybe('filterWheel'),
    rotator: maybe('rotator'),
    roof: maybe('roof'),
    cover: maybe('cover'),
    flatPanel: maybe('flatPanel'),
    weather: maybe('weather'),
    skyQuality: maybe('skyQuality'),
    power: maybe('power'),
    gps: maybe('gps'),
    timeSource: maybe('timeSource'),
    ups: maybe('ups'),
    guider: maybe('guider'),
    allSkyCamera: maybe('allSkyCamera'),
    safety: maybe('safety'),
    controller: Type.Optional(ControllerSettings),
  },
  only,
)
export type DevicesSettings = Static<typeof DevicesSettings>

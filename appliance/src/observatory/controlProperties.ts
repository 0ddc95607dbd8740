import type { IndiClient } from '@nightjar/firmware-bridge/indi/client.ts'
import { type PanelTree, panelTree } from '@nightjar/firmware-bridge/indi/panel.ts'
import { findText } from '@nightjar/firmware-bridge/indi/properties.ts'
import type { IndiDevice, PropertyTree } from '../contract/observatory.ts'
import type { DeviceName } from './devices.ts'

/**
 * What of INDI may be set by hand. A raw change to what moves, opens, feeds or exposes would go past the gate: it is
 * refused, in words that name the command that the gate knows.
 */
const properCommands: Partial<Record<DeviceName, string>> = {
  mount: 'park, unpark, slew, sync, track, trackRate, home, guide, move, halt or abort',
  roof: 'openRoof, closeRoof, abortRoof or turnDome',
  cover: 'openCover or closeCover',
  power: 'power or dewHeater',
  camera: 'abortExposure, cooler or filter',
}

const serveAs: Partial<Record<DeviceName, string>> = { power: 'power box' }

/** Bits of DRIVER_INFO's DRIVER_INTERFACE (libindi, basedevice.h) of what moves over or under the roof, or feeds it. */
const movingInterfaces: readonly (readonly [bit: number, kind: DeviceName])[] = [
  [1 << 0, 'mount'],
  [1 << 5, 'roof'],
  [1 << 9, 'cover'],
  [1 << 18, 'power'],
]

/** Makes a weather station say `OK` whatever it measures (libindi, indiweatherinterface.cpp). */
const neverSet: Readonly<Record<string, string>> = {
  WEATHER_OVERRIDE: 'it would hide the weather from the gate',
}

/** Why a device takes no raw changes; undefined when it does. */
export function guardedDevice(
  client: IndiClient,
  names: Readonly<Partial<Record<DeviceName, string>>>,
  device: string,
): string | undefined {
  const served = (Object.keys(properCommands) as DeviceName[]).find((kind) => names[kind] === device)
  if (served)
    return `${device} is the ${serveAs[served] ?? served} of this observatory: use the commands ${properCommands[served]}, which the gate knows`
  const bits = Number(findText(client.state, device, 'DRIVER_INFO', 'DRIVER_INTERFACE') ?? 0)
  const moving = movingInterfaces.find(([bit]) => (bits & bit) !== 0)
  return (
    moving &&
    `${device} drives a ${serveAs[moving[1]] ?? moving[1]}, which the gate must know of: name it in the settings (devices.${moving[1]})`
  )
}

/** Why this property is never set by hand. */
export const guardedProperty = (property: string): string | undefined =>
  neverSet[property] === undefined ? undefined : `${property} is not set by hand: ${neverSet[property]}`

/** Every device by name; the properties of the one that was asked for. */
export function propertyTree(
  client: IndiClient,
  names: Readonly<Partial<Record<DeviceName, string>>>,
  asked: string | undefined,
): PropertyTree {
  return {
    devices: panelTree(client.state).devices.map((device) =>
      indiDevice(device, guardedDevice(client, names, device.name), device.name === asked),
    ),
  }
}

function indiDevice(
  { name, connected, groups, log }: PanelTree['devices'][number],
  guarded: string | undefined,
  whole: boolean,
): IndiDevice {
  return {
    name,
    connected,
    ...(guarded !== undefined && { guarded }),
    groups: whole
      ? groups.map((group) => ({
          name: group.name,
          properties: group.properties.map((property) => ({
            ...property,
            elements: property.elements.map((element) => ({ ...element })),
          })),
        }))
      : [],
    log: whole ? log.map(({ atMs, text }) => ({ atMs, text })) : [],
  }
}
